"""The published DOT, read back by the engine itself."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import msgspec
import pytest

from graphvis.picture import dot, mermaid, palette
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


def changing() -> Scene:
    """A function that only the half before has, one that only the half after has, and one that stays."""
    face, lanes = Face(look="function", heading="MulBackward0"), Wire(value="flow", gradient="flow")
    boxes = (
        Box(id="n0", faces=(face, face)),
        Box(id="n1", faces=(face, None), state="unreachable"),
        Box(id="n2", faces=(None, face), state="new"),
    )
    links = (
        Link(tail="n0", head="n1", wires=(lanes, None), state="severed"),
        Link(tail="n0", head="n2", wires=(None, lanes), state="new"),
    )
    return Scene(name="s", halves=(Half(), Half()), boxes=boxes, links=links)


def test_in_the_union_what_has_gone_looks_gone_and_what_is_new_is_marked() -> None:
    read = parsed(dot.write(changing()))
    stays, gone, new = read["objects"]
    assert [node["class"] for node in read["objects"]] == ["function kept", "function unreachable pale", "function new"]
    assert ("dashed" in str(gone["style"]), "only before" in str(gone["label"])) == (True, True)
    assert gone["color"] != stays["color"]
    assert ("only after" in str(new["label"]), new["penwidth"]) == (True, "2.2")
    gone_edge, new_edge = read["edges"]
    assert (gone_edge["class"], gone_edge["style"], gone_edge["dir"]) == ("gone severed", "dashed", "forward")
    assert palette.GRADIENT not in str(gone_edge["color"])
    assert (new_edge["class"], new_edge["dir"], new_edge["penwidth"]) == ("flow new", "both", "2.2")
    assert "only before; bold: only after" in dot.write(changing())


def test_a_half_alone_is_told_as_it_is() -> None:
    for half in (0, 1):
        source = dot.write(changing(), half)
        assert ("only" in source, "dashed" in source, len(parsed(source)["edges"])) == (False, False, 1)


def test_mermaids_union_tells_what_has_gone_and_what_is_new() -> None:
    lines = mermaid.write(changing()).splitlines()
    assert "  class n1 gone" in lines
    assert "  class n2 new" in lines
    assert next(line for line in lines if line.startswith("  n1([")).endswith('<br/>only before"]):::pale')
    assert '  n1 -. "only before" .- n0' in lines
    assert "  n2 <--> n0" in lines
    assert "only" not in mermaid.write(changing(), 0)


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
