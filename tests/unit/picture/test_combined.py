"""Forward and backward in one view."""

from __future__ import annotations

import re

import pytest

from graphvis import api
from graphvis.analysis.keeping import kept_by_module
from graphvis.draw import Drawing
from graphvis.errors import FormatError
from graphvis.model import Graph
from graphvis.model.view import View
from graphvis.picture.scene import Scene
from graphvis.picture.style import scene_of_both
from graphvis.scenario import find
from tests.unit.analysis import folding_models


@pytest.fixture(scope="module")
def scene() -> Scene:
    return scene_of_both(api.compare_scenario(find("detach_zero")).after.graph)


def headings(scene: Scene) -> dict[str, str]:
    return {box.id: face.heading for box in scene.boxes if (face := box.faces[0]) is not None}


def test_each_backward_node_has_its_call_and_what_is_kept_between_them(scene: Scene) -> None:
    names = headings(scene)
    kept = {(names[link.tail], names[link.head]) for link in scene.links if link.kind == "saved"}
    assert kept == {("Sigmoid", "SigmoidBackward0")}
    assert scene.title == "Forward and backward: 12 bytes are kept until backward has run"


def test_the_value_runs_between_calls_and_the_gradient_between_nodes(scene: Scene) -> None:
    names = headings(scene)
    lanes = [(names[link.tail], names[link.head], link.wires[0]) for link in scene.links if link.kind == "lanes"]
    down = {(tail, head) for tail, head, wire in lanes if wire is not None and wire.value}
    up = {(head, tail) for tail, head, wire in lanes if wire is not None and wire.gradient}
    assert down == {("a", "Sigmoid"), ("Sigmoid", "out"), ("out", "Sum"), ("out", "c")}
    assert up == {("SumBackward0", "SigmoidBackward0"), ("SigmoidBackward0", "a")}


def test_without_a_recording_it_says_what_to_do() -> None:
    graph = Graph(kinds=("function",), names=("A",), roots=(0,))
    with pytest.raises(FormatError, match="only where the run was recorded"):
        Drawing(graph, view=View(layout="combined")).render("svg")


def test_of_a_comparison_both_moments_are_drawn_in_the_same_places() -> None:
    comparison = api.compare_scenario(find("detach_zero"))
    svg = Drawing(comparison, view=View(layout="combined")).render("svg").decode()
    assert "kept for backward" in svg
    assert svg.count("result [3], 12 bytes<") == 1
    assert svg.count("result [3], 12 bytes, overwritten") == 1
    both = scene_of_both(comparison)
    assert [half.title for half in both.halves] == ["BEFORE", "AFTER"]
    assert all(None not in box.faces for box in both.boxes)
    assert both.title == "Forward and backward: 12 bytes are kept for backward before, 12 after"


def test_what_is_cut_off_after_is_not_kept_alive_by_the_graph_after() -> None:
    comparison = api.compare_scenario(find("detach_backward"))
    both = scene_of_both(comparison)
    starts = [link for link in both.links if link.kind == "start"]
    assert all(any(link.tail == box.id for box in both.boxes) for link in starts)


def test_a_model_is_folded_and_its_boxes_keep_what_their_nodes_keep() -> None:
    graph = folding_models.gpt()
    both = Drawing(graph, view=View(layout="combined"))._scene
    whole = scene_of_both(graph)
    assert both.title == whole.title
    assert 30 <= len(both.boxes) <= 70 < len(whole.boxes)
    told = [span.text for box in both.boxes if (face := box.faces[0]) for span in face.caption]
    folded = sum(
        int(text.split(", ")[1].split()[0].replace(",", ""))
        for text in told
        if text.startswith("keeps ") and "bytes" in text
    )
    single = sum(
        int(number.replace(",", ""))
        for text in told
        if text[:5] != "keeps"
        for number in re.findall(r"([\d,]+) bytes", text)
    )
    kept = sum(row.nbytes for row in kept_by_module(graph))
    assert folded <= kept
    assert folded + single >= kept  # what several nodes save is told at each of those that are drawn by themselves
