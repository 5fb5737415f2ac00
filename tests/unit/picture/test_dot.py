"""The published DOT, read back by the engine itself."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import msgspec
import pytest

from graphvis.picture import dot
from graphvis.picture.layout import engine
from graphvis.picture.scene import Box, Face, Half, Link, Scene, Wire
from tests.unit.picture import scenes


def parsed(source: str) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = msgspec.json.decode(engine.run(source, "json0"))
    return found


@pytest.mark.parametrize("name", scenes.EVERY)
@pytest.mark.parametrize("half", [None, 0])
def test_the_engine_reads_every_node_and_edge(name: str, half: int | None) -> None:
    scene = scenes.EVERY[name]()
    read = parsed(dot.write(scene, half))
    side = -1 if half is None else half
    nodes = {str(n["name"]): n for n in read["objects"] if not str(n["name"]).startswith("cluster")}
    assert nodes.keys() == {box.id for box in scene.boxes if box.faces[side] is not None}
    assert len(read["edges"]) == sum(link.wires[side] is not None for link in scene.links)
    for box in scene.boxes:
        assert str(nodes[box.id]["class"]).split()[:2] == [box.faces[side].look, box.state]  # type: ignore[union-attr]


def test_a_statement_is_a_line() -> None:
    lines = dot.write(scenes.row_four()).splitlines()
    assert len(lines) == 2 + 3 + len(scenes.row_four().boxes) + len(scenes.row_four().links)
    assert all(re.match(r"\t(n\d+( -> n\d+)?|graph|node|edge) \[.*\]$", line) for line in lines[1:-1])


def test_a_cut_is_dashed_and_named_and_its_value_goes_on() -> None:
    edge = next(e for e in parsed(dot.write(scenes.row_four(), 1))["edges"] if "cut" in str(e["class"]))
    assert (edge["style"], edge["dir"]) == ("dashed", "forward")
    assert str(edge["label"]).startswith("detach()")


def test_the_union_shows_a_gone_thing_as_it_was_with_its_state() -> None:
    face = Face(look="function", heading="MulBackward0")
    boxes = (Box(id="n0", faces=(face, face)), Box(id="n1", faces=(face, None), state="unreachable"))
    links = (Link(tail="n0", head="n1", wires=(Wire(gradient="flow"), None), state="severed"),)
    scene = Scene(name="s", halves=(Half(), Half()), boxes=boxes, links=links)
    read = parsed(dot.write(scene))
    assert [node["class"] for node in read["objects"]] == ["function kept", "function unreachable"]
    assert read["edges"][0]["class"] == "flow severed"
    assert "edges" not in parsed(dot.write(scene, 1))


def test_hostile_names_come_out_of_the_engine_as_they_went_in() -> None:
    drawn = engine.run(dot.write(scenes.hostile()), "svg")
    root = ElementTree.fromstring(drawn)
    texts = " ".join(t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}text"))
    for name in ('"><script>alert(1)</script>', "R&D &amp; <b>", r"\N \l \G", "<<TABLE>>", r"a\nb\tc", "{{a|b}}"):
        assert name in texts.replace("\xa0", " "), name
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_wide_characters_stay_in_their_box() -> None:
    source = dot.write(scenes.hostile())
    statement = next(line for line in source.splitlines() if "中文" in line and "width=" in line)
    wide = float(re.search(r"width=([\d.]+)", statement)[1])  # type: ignore[index]
    assert wide * 72 >= 14 * 11
