"""Forward and backward in one view."""

from __future__ import annotations

import pytest

from graphvis import api
from graphvis.draw import Drawing
from graphvis.errors import FormatError
from graphvis.model import Graph
from graphvis.model.view import View
from graphvis.picture.scene import Scene
from graphvis.picture.style import scene_of_both
from graphvis.scenario import find


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


def test_it_draws() -> None:
    comparison = api.compare_scenario(find("detach_zero"))
    svg = Drawing(comparison, view=View(layout="combined")).render("svg").decode()
    assert "kept for backward" in svg
    assert "result [3], 12 bytes, overwritten" in svg
