"""A stopped program as data."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.autograd.graph import Node

from graphvis.analysis.joining import join
from graphvis.live.moments.backward import Answer, ask_backward
from graphvis.live.moments.expectations import check
from graphvis.live.moments.program import Stop
from graphvis.live.walker import walk_with_tokens
from graphvis.model import Graph, Moment, Trace
from graphvis.scenario import Halves, Scenario, Yield


@dataclass(frozen=True)
class Captured:
    """A moment with what is needed to match its nodes.

    Attributes:
        moment: the graph, its code and what backward gives.
        tokens: the identity of each node of the walk.
        trace: the recording up to the moment.
    """

    moment: Moment
    tokens: Sequence[Hashable]
    trace: Trace


def capture(scenario: Scenario, stop: Stop, words: Halves) -> Captured:
    """Walk, ask backward, check what the scenario expects, and join what was recorded.

    Raises:
        ScenarioError: if what it expects is not what PyTorch gives.
    """
    marker, recording, identity = stop.marker, stop.recording, stop.identity
    graph, tokens = walk_with_tokens(
        stop.outputs, names=stop.tensors, also=stop.tensors, number=recording.number, identity=identity
    )
    answer = ask_backward(stop.outputs, _trainable(stop.tensors))
    if marker.expectation is not None:
        check(marker.expectation, answer, stop.tensors, f"{scenario.name}, {marker.side}")
    trace = recording.freeze()
    places = {token: node for node, token in enumerate(tokens)}
    passed = _passed(answer, graph, {node: places[identity.of_function(node)] for node, _ in answer.passed})
    code, lines = (words.before, words.note_before) if marker.side == "before" else (words.after, words.note_after)
    if marker.code is not None:  # the author's words stand on no line of the file
        code, lines = marker.code, ""
    moment = Moment(
        graph=join(graph, trace),
        code=code,
        note=": ".join(part for part in (lines, marker.note) if part),
        says=marker.says,
        outcome=answer.outcome(passed),
        shows=_shows(marker),
        intended=marker.intended,
        start=marker.start or ".backward()",
    )
    return Captured(moment, tokens, trace)


def _trainable(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Leaves that require grad, each once, under its first name."""
    first: dict[int, str] = {}
    for name, tensor in tensors.items():
        if tensor.is_leaf and tensor.requires_grad:
            first.setdefault(id(tensor), name)
    return {name: tensors[name] for name in first.values()}


def _passed(answer: Answer, graph: Graph, places: Mapping[Node, int]) -> tuple[int, ...]:
    """The gradient edges along which backward handed something on, as indices into the graph's columns."""
    found = []
    for node, slot in answer.passed:
        edges = graph.slots_of(places[node])
        found += [edge for edge in edges if graph.slots[edge] == slot and graph.targets[edge] >= 0]
    return tuple(sorted(found))


def _shows(marker: Yield) -> dict[str, tuple[str, ...]]:
    """The fields that a scenario makes claims about are the ones that carry its lesson."""
    if marker.expectation is None:
        return {}
    found = {name: tuple(fields) for name, fields in marker.expectation.states.items()}
    for name in marker.expectation.versions:
        found[name] = (*found.get(name, ()), "_version")
    return found
