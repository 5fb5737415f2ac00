"""The SVG as a document: what a reader, a script or another renderer relies on."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from graphvis.picture import palette, svg
from graphvis.picture.layout import Place, Placement, Track, labels, lay_out
from graphvis.picture.layout.presence import presence
from graphvis.picture.measure import measure
from graphvis.picture.scene import Box, Face, Half, Link, Scene, Wire
from tests.unit.picture import scenes

SVG = "{http://www.w3.org/2000/svg}"
PLACED = {name: (scene := build(), lay_out(measure(scene))) for name, build in scenes.EVERY.items()}
every = pytest.mark.parametrize("name", PLACED)


def drawn(name: str, **options: object) -> ElementTree.Element:
    return ElementTree.fromstring(svg.write(*PLACED[name], **options))  # type: ignore[arg-type]


def nodes(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [group for group in root.iter(f"{SVG}g") if group.get("data-node")]


def size(root: ElementTree.Element) -> tuple[float, float]:
    return float(root.get("width", "")), float(root.get("height", ""))


@every
@pytest.mark.parametrize("options", [{}, {"narrow": True}, {"half": 0}, {"theme": "dark"}, {"theme": "light"}])
def test_it_is_one_well_formed_document_with_unique_ids(name: str, options: dict[str, object]) -> None:
    root = drawn(name, **options)
    ids = Counter(element.get("id") for element in root.iter() if element.get("id"))
    assert [key for key, count in ids.items() if count > 1] == []
    assert root.get("viewBox") == "0 0 {} {}".format(root.get("width"), root.get("height"))
    assert not {element.tag for element in root.iter()} & {
        f"{SVG}script",
        f"{SVG}foreignObject",
        f"{SVG}a",
        f"{SVG}image",
    }


@every
def test_a_reader_who_cannot_see_it_hears_the_finding(name: str) -> None:
    root, scene = drawn(name), PLACED[name][0]
    assert root.get("role") == "img"
    told = [root.find(f".//*[@id='{key}']") for key in root.get("aria-labelledby", "").split()]
    assert told
    assert all(element is not None and (element.text or "").strip() for element in told)
    if name == "detach_zero":
        assert [element.text for element in told if element is not None] == [scene.title, scene.description]


def test_each_node_has_one_key_in_both_halves_and_in_single_ones_at_the_same_place() -> None:
    scene, _placement = PLACED["detach_zero"]
    pair, before, after = (drawn("detach_zero", **options) for options in ({}, {"half": 0}, {"half": 1}))
    keys = [box.id for box in scene.boxes]
    assert [node.get("data-node") for node in nodes(pair)] == keys * 2
    for single in (before, after):
        assert [node.get("data-node") for node in nodes(single)] == keys

    def places(root: ElementTree.Element, half: str) -> dict[str | None, list[str]]:
        group = next(g for g in root.iter(f"{SVG}g") if g.get("class") == f"half {half}")
        return {
            node.get("data-node"): [shape.get(k, "") for shape in node for k in ("x", "y", "cx", "cy", "width", "rx")][
                :12
            ]
            for node in nodes(group)
        }

    assert {k: v[:6] for k, v in places(pair, "before").items()} == {k: v[:6] for k, v in places(pair, "after").items()}
    assert places(pair, "before") == places(before, "before")
    assert places(pair, "after") == places(after, "after")


def test_two_pictures_on_one_page_share_no_id() -> None:
    found = [
        {e.get("id") for e in drawn(name).iter() if e.get("id")} for name in ("detach_zero", "data_zero", "detach_")
    ]
    found.append({e.get("id") for e in drawn("detach_zero", half=0).iter() if e.get("id")})
    assert sum(map(len, found)) == len(set().union(*found))


@pytest.mark.parametrize("name", ["detach_zero", "data_zero", "detach_"])
def test_pairs_are_720_wide_and_narrow_ones_360(name: str) -> None:
    assert size(drawn(name))[0] == 720
    assert size(drawn(name, narrow=True))[0] == 360
    assert size(drawn(name, half=1))[0] == 360


def test_a_diagnosis_is_720_wide_with_its_findings_at_the_right() -> None:
    root = drawn("diagnosis")
    assert size(root)[0] == 720
    assert any("finding bad" in (group.get("class") or "") for group in root.iter(f"{SVG}g"))
    assert size(drawn("diagnosis", narrow=True))[0] == 360


def test_a_plain_graph_has_its_natural_size_and_no_title_bar() -> None:
    root = drawn("plain")
    assert size(root)[0] == pytest.approx(PLACED["plain"][1].width + 16, abs=0.2)
    assert not [text for text in root.iter(f"{SVG}text") if text.get("font-size") == "15"]


def test_the_metadata_comes_back_as_it_was() -> None:
    found = drawn("hostile").find(f"{SVG}metadata")
    assert found is not None
    assert json.loads(found.text or "") == json.loads(scenes.hostile().metadata)


def test_what_a_node_is_and_became_are_its_classes_and_its_source_the_tooltip() -> None:
    root = drawn("detach_zero")
    by_class = {(node.get("data-node"), node.get("class")) for node in nodes(root)}
    assert ("n1", "node function kept") in by_class
    assert ("n1", "node conflict kept") in by_class
    leaf = nodes(root)[0].find(f"{SVG}title")
    assert leaf is not None
    assert leaf.text == scenes.A_SOURCE


def test_the_cut_lane_is_dashed_and_red_and_has_scissors_on_it_and_nowhere_else() -> None:
    root = drawn("detach_")
    halves = {g.get("class"): g for g in root.iter(f"{SVG}g") if (g.get("class") or "").startswith("half")}
    edges = [g for g in halves["half after"].iter(f"{SVG}g") if (g.get("class") or "").startswith("edge")]
    cut = [g for g in edges if "cut" in (g.get("class") or "")]
    assert len(cut) == 1
    assert any(path.get("stroke") == palette.RED and path.get("stroke-dasharray") for path in cut[0].iter(f"{SVG}path"))
    for root_half, count in (("half before", 0), ("half after", 1)):
        scissors = [g for g in halves[root_half].iter(f"{SVG}g") if g.get("class") == "scissors"]
        signs = [g for g in halves[root_half].iter(f"{SVG}g") if g.get("class") == "none"]
        assert (len(scissors), len(signs)) == (count, count)


def test_scissors_touch_the_gradient_lane_and_stay_clear_of_the_value_lane() -> None:
    """The scissors reach 4.3 to the left of the lane, half a stroke included 5.2; the value lane begins 6.6 away."""
    for name in ("detach_zero", "data_zero", "detach_", "diagnosis"):
        for edge in (g for g in drawn(name).iter(f"{SVG}g") if g.get("class") == "edge cut"):
            paths = [p for p in edge if p.tag == f"{SVG}path"]
            value, gradient = ([float(x) for x in re.findall(r"[ML](-?[\d.]+)", p.get("d", ""))] for p in paths)
            assert gradient[0] - value[0] == pytest.approx(7.2, abs=0.15)
            scissors = next(g for g in edge if g.get("class") == "scissors")
            at = re.match(r"translate\((-?[\d.]+) ", scissors.get("transform", ""))
            assert at is not None
            assert float(at[1]) == pytest.approx(gradient[0], abs=0.1)


def test_the_key_holds_what_occurs_and_nothing_else() -> None:
    def entries(name: str, **options: object) -> list[str | None]:
        group = next(g for g in drawn(name, **options).iter(f"{SVG}g") if g.get("class") == "key")
        return [text.text for text in group.iter(f"{SVG}text")]

    assert entries("plain") == ["gradient comes back"]
    assert entries("detach_", half=0) == ["value goes on", "gradient comes back"]
    assert "slot holds None" in entries("detach_")
    assert "same storage" not in entries("detach_")
    assert "same storage" in entries("detach_zero")
    assert "changed" in entries("detach_zero")


def test_themes() -> None:
    auto, light, dark = (svg.write(*PLACED["detach_zero"], theme=theme) for theme in ("auto", "light", "dark"))
    assert "prefers-color-scheme" in auto
    assert "prefers-color-scheme" not in light
    assert "prefers-color-scheme" not in dark
    body = dark[dark.index("</style>") :]
    assert not [colour for colour in palette.DARK if f'"{colour}"' in body]
    assert not set(re.findall(r'"(#[0-9a-f]+)"', body)) - set(palette.DARK.values())


def test_every_colour_has_a_dark_partner() -> None:
    for name in PLACED:
        body = svg.write(*PLACED[name])
        assert not set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]+)"', body)) - set(palette.DARK)


def test_a_style_sheet_says_nothing_outside_of_media_blocks() -> None:
    style = drawn("detach_zero").find(f"{SVG}style")
    assert style is not None
    assert style.text is not None
    depth, outside = 0, ""
    for part in re.split(r"([{}])", style.text):
        depth += {"{": 1, "}": -1}.get(part, 0)
        outside += part if depth == 0 and part != "}" else ""
    assert re.sub(r"@media[^@]*", "", outside) == ""


def test_a_picture_of_the_article_stays_small() -> None:
    assert len(svg.write(*PLACED["detach_zero"]).encode()) < 24_000


def test_an_empty_scene_is_an_empty_picture() -> None:
    scene = Scene(name="", halves=(Half(),), boxes=(), links=())
    assert ElementTree.fromstring(svg.write(scene, lay_out(measure(scene)))).tag == f"{SVG}svg"


@pytest.mark.parametrize("name", ["detach_zero", "hostile", "diagnosis"])
def test_the_same_scene_gives_the_same_bytes_under_any_hash_seed(name: str, tmp_path: Path) -> None:
    path = tmp_path / "scene"
    path.write_bytes(pickle.dumps(PLACED[name][0]))
    program = (
        "import sys, pickle; from graphvis.picture import svg, dot, mermaid\n"
        "from graphvis.picture.layout import lay_out; from graphvis.picture.measure import measure\n"
        "scene = pickle.load(open(sys.argv[1], 'rb'))\n"
        "text = svg.write(scene, lay_out(measure(scene))) + dot.write(scene) + mermaid.write(scene)\n"
        "sys.stdout.buffer.write(text.encode())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 5_000


def test_indented_code_keeps_its_indentation_without_a_style_sheet() -> None:
    lines = [text for text in drawn("diagnosis").iter(f"{SVG}text") if (text.text or "").startswith("    h = ")]
    assert len(lines) == 1
    assert lines[0].get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"


def test_scissors_on_a_way_back_keep_off_their_words() -> None:
    """A lane that leads up has the handles at its left, where they reach 16.4 from it."""
    face = Face(look="function", heading="LinearBackward0")
    cut = Wire(value="flow", gradient="cut", label=("detach() ×17", "train.py:61"))
    link = Link(tail="n1", head="n0", wires=(cut,), returns=True)
    boxes = tuple(Box(id=f"n{i}", faces=(face,)) for i in range(3))
    measured = measure(Scene(name="s", halves=(Half(),), boxes=boxes, links=(link,)))
    # The third box leaves no room at the right of the way.
    places = {"n0": Place(200, 20, 120, 36), "n1": Place(200, 300, 120, 36), "n2": Place(300, 160, 160, 230)}
    way = Track(((200, 280), (200, 200), (200, 120), (200, 40)))
    bare = Placement(400, 320, places, {0: way}, {})
    placed, homeless = labels.put(measured, bare, presence(measured), 344)
    assert not homeless
    root = ElementTree.fromstring(svg.write(measured.scene, placed))
    edge = next(g for g in root.iter(f"{SVG}g") if g.get("class") == "edge cut")
    scissors = next(g for g in edge if g.get("class") == "scissors")
    at = re.match(r"translate\((\S+) ", scissors.get("transform", ""))
    words = edge.find(f"{SVG}text")
    assert at is not None
    assert words is not None
    assert words.get("text-anchor") == "end"
    assert float(words.get("x", "")) <= float(at[1]) - 16.4 - 3
