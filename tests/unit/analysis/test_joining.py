"""The value lane: where values went, where a gradient stopped, and why a backward node is not there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from graphvis.analysis.joining import join
from graphvis.live.moments.names import tensors_of
from graphvis.live.recorder import record
from graphvis.live.walker import walk
from graphvis.model import Graph


def joined(program: Callable[[], dict[str, torch.Tensor]], output: str) -> Graph:
    with record() as recording:
        variables = program()
    tensors = tensors_of(variables)
    recording.name(tensors)
    return join(walk(variables[output], tensors, also=tensors, number=recording.number), recording.freeze())


def edges(graph: Graph) -> set[tuple[str, str, str | None]]:
    """Value edges as (source, target, kind of cut)."""
    return {
        (graph.names[edge.source], graph.names[edge.target], None if edge.cut is None else graph.cuts[edge.cut].kind)
        for edge in graph.values
    }


def test_a_detached_tensor_hangs_on_what_it_was_detached_from() -> None:
    def program() -> dict[str, torch.Tensor]:
        a = torch.ones(3, requires_grad=True)
        out = a.sigmoid()
        c = out.detach()
        return {"a": a, "out": out, "c": c, "loss": out.sum()}

    graph = joined(program, "loss")
    assert edges(graph) == {("out", "c", "detach")}
    assert graph.cuts[0].location.text == "c = out.detach()"


def test_an_unnamed_detach_is_an_edge_into_its_consumer_with_the_empty_slot() -> None:
    def program() -> dict[str, torch.Tensor]:
        x = torch.ones(3, requires_grad=True)
        q = x.round()
        y = x + (q - x).detach()
        return {"x": x, "q": q, "y": y}

    graph = joined(program, "y")
    assert ("sub", "AddBackward0", "detach") in edges(graph)
    (edge,) = (edge for edge in graph.values if edge.cut is not None)
    assert edge.slot == 1
    add = graph.find("AddBackward0")
    assert add.next[1].target is None
    assert graph.ghosts[edge.source] == "freed"


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_what_a_mode_leaves_unrecorded_is_a_ghost(mode: Callable[[], torch.no_grad]) -> None:
    def program() -> dict[str, torch.Tensor]:
        w = torch.ones(3, requires_grad=True)
        with mode():
            h = w * 2
        b = torch.ones(3, requires_grad=True)
        return {"w": w, "h": h, "b": b, "loss": (h.clone() + b).sum()}

    graph = joined(program, "loss")
    assert ("w", "mul", mode.__name__) in edges(graph)
    assert ("mul", "h", None) in edges(graph)
    assert graph.ghosts[graph.names.index("mul")] == mode.__name__


def test_a_value_that_comes_back_from_numpy_is_joined_to_where_it_left() -> None:
    def program() -> dict[str, torch.Tensor]:
        a = torch.ones(3, requires_grad=True)
        w = torch.ones(3, requires_grad=True)
        h = torch.from_numpy(np.sqrt(a.detach().numpy()))
        return {"a": a, "w": w, "h": h, "loss": (h * w).sum()}

    graph = joined(program, "loss")
    assert {(source, target) for source, target, kind in edges(graph) if kind is not None} == {("a", "h")}


def test_a_detach_in_place_after_its_consumer_keeps_the_consumers_edge() -> None:
    def program() -> dict[str, torch.Tensor]:
        x = torch.ones(3, requires_grad=True)
        m = x * 2
        y = m * 3
        m.detach_()
        return {"x": x, "m": m, "y": y}

    graph = joined(program, "y")
    assert ("MulBackward0", "m", "detach_") in edges(graph)
    assert ("m", "MulBackward0", None) in edges(graph)
    consumer, producer = (i for i, name in enumerate(graph.names) if name == "MulBackward0")
    assert producer in graph.reached
    assert consumer in graph.reached


def test_calls_that_lead_to_nothing_drawn_are_left_out() -> None:
    def program() -> dict[str, torch.Tensor]:
        a = torch.ones(3, requires_grad=True)
        (a * 5).detach().sum()
        return {"a": a, "loss": a.exp().sum()}

    graph = joined(program, "loss")
    assert not graph.values
    assert not graph.ghosts


def test_every_node_knows_the_line_that_made_it() -> None:
    def program() -> dict[str, torch.Tensor]:
        a = torch.ones(3, requires_grad=True)
        loss = a.exp().sum()
        return {"a": a, "loss": loss}

    graph = joined(program, "loss")
    assert graph.find("ExpBackward0").location == graph.find("SumBackward0").location
    location = graph.find("ExpBackward0").location
    assert location is not None
    assert location.text == "loss = a.exp().sum()"
