"""A scenario run for real: its moments captured, checked, and compared."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from msgspec.structs import replace
from torch.autograd.graph import Node

from graphvis.analysis.comparing import match_by_calls, match_by_identity, single, unite
from graphvis.analysis.joining import join
from graphvis.analysis.overwriting import silently_wrong
from graphvis.errors import ScenarioError, WalkError
from graphvis.live.moments.backward import Answer, ask_backward
from graphvis.live.moments.expectations import check
from graphvis.live.moments.names import tensors_of
from graphvis.live.recorder import Recording, record
from graphvis.live.walker import Identity, walk_with_tokens
from graphvis.live.walker.outputs import find_outputs
from graphvis.model import Comparison, Graph, Moment, Trace
from graphvis.scenario import Halves, Scenario, Yield, blame, halves_of, load


@dataclass(frozen=True)
class _Captured:
    """A moment with what is needed to match it."""

    side: str
    moment: Moment
    tokens: Sequence[Hashable]
    trace: Trace


def run_scenario(scenario: Scenario) -> Comparison:
    """Run a scenario and compare its moments.

    Random numbers, grad mode and the default dtype are as before afterwards.

    Args:
        scenario: what to run; its code runs as it stands.

    Returns:
        The union of both moments, or one half where the program yields once.

    Raises:
        ScenarioError: if the program raises, yields nothing or more than two moments, yields something else than
            ``before(...)`` or ``after(...)``, or is not true.
    """
    program = load(scenario)
    words = halves_of(scenario)
    captured: list[_Captured] = []
    with _left_as_found():
        for cut in (False, True) if scenario.takes_cut else (None,):
            torch.manual_seed(0)
            try:
                captured += _run(scenario, program() if cut is None else program(cut), words)
            except (ScenarioError, WalkError):
                raise
            except (Exception, SystemExit) as error:
                raise blame(scenario, error) from error
    return _settled(_compare(scenario, _in_order(scenario, captured)))


@contextmanager
def _left_as_found() -> Iterator[None]:
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    with torch.random.fork_rng(devices=()):
        try:
            yield
        finally:
            torch.set_grad_enabled(grad)
            torch.set_default_dtype(dtype)


def _run(scenario: Scenario, program: Generator[Any, None, None], words: Halves) -> Iterator[_Captured]:
    with record() as recording, closing(program):
        identity = Identity(recording.number)
        count = 0
        for marker in program:
            if not isinstance(marker, Yield):
                raise ScenarioError(
                    f"{scenario.path}: program yields {type(marker).__name__}, not a moment",
                    "Yield before(outputs, ...) or after(outputs, ...), from graphvis.scenario.",
                )
            count += 1
            if count > 2:
                raise ScenarioError(f"{scenario.path}: program yields more than two moments", "A picture has two halves.")
            recording.pause()
            try:
                yield _capture(scenario, marker, program, recording, words, identity)
            finally:
                recording.resume()


def _capture(
    scenario: Scenario, marker: Yield, program: Generator[Any, None, None], recording: Recording, words: Halves, identity: Identity
) -> _Captured:
    frame = program.gi_frame
    assert frame is not None, "a generator that has just yielded has a frame"
    # Read here and dropped at the end of this call: a kept f_locals would hold tensors that the program lets go of.
    tensors = tensors_of(frame.f_locals)
    recording.name(tensors)
    outputs = [output for output in find_outputs(marker.outputs) if isinstance(output, torch.Tensor)]
    with torch.enable_grad():
        graph, tokens = walk_with_tokens(
            outputs, names=tensors, also=tensors, number=recording.number, identity=identity
        )
        leaves = {name: t for name, t in _unaliased(tensors).items() if t.is_leaf and t.requires_grad}
        answer = ask_backward(outputs, leaves)
    trace = recording.freeze()
    where = f"{scenario.name}, {marker.side}"
    if marker.expectation is not None:
        check(marker.expectation, answer, tensors, where)
    places = {token: node for node, token in enumerate(tokens)}
    outcome = answer.outcome(_passed(answer, graph, {node: places[identity.of_function(node)] for node, _ in answer.passed}))
    code, lines = (words.before, words.note_before) if marker.side == "before" else (words.after, words.note_after)
    if marker.code is not None:  # the author's code stands on no line of its own
        code, lines = marker.code, ""
    moment = Moment(
        graph=join(graph, trace),
        code=code,
        note=": ".join(part for part in (lines, marker.note) if part),
        says=marker.says,
        outcome=outcome,
        shows=_shows(marker),
        intended=marker.intended,
        start=marker.start or ".backward()",
    )
    return _Captured(marker.side, moment, tokens, trace)


def _unaliased(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each tensor once, under its first name."""
    first: dict[int, str] = {}
    for name, tensor in tensors.items():
        first.setdefault(id(tensor), name)
    return {name: tensors[name] for name in first.values()}


def _passed(answer: Answer, graph: Graph, places: Mapping[Node, int]) -> tuple[int, ...]:
    """The gradient edges along which backward handed something on, as indices into the graph's columns."""
    found = []
    for node, slot in answer.passed:
        index = places[node]
        found += [edge for edge in graph.slots_of(index) if graph.slots[edge] == slot and graph.targets[edge] >= 0]
    return tuple(sorted(found))


def _shows(marker: Yield) -> dict[str, tuple[str, ...]]:
    """The fields that a scenario makes claims about are the ones that carry its lesson."""
    if marker.expectation is None:
        return {}
    found = {name: tuple(fields) for name, fields in marker.expectation.states.items()}
    for name in marker.expectation.versions:
        found[name] = (*found.get(name, ()), "_version")
    return found


def _in_order(scenario: Scenario, captured: list[_Captured]) -> list[_Captured]:
    sides = [one.side for one in captured]
    if not captured:
        raise ScenarioError(f"{scenario.path}: program yields no moment", "Yield before(outputs, ...) or after(outputs, ...).")
    if len(captured) > 2:
        raise ScenarioError(f"{scenario.path}: program yields more than two moments", "A picture has two halves.")
    if len(captured) == 2 and sides != ["before", "after"]:
        raise ScenarioError(f"{scenario.path}: program yields {' and '.join(sides)}", "Yield before(...) first, then after(...).")
    return captured


def _settled(comparison: Comparison) -> Comparison:
    """Without sequence numbers, which say how much ran in this process before."""
    before, after = comparison.before, comparison.after
    return replace(
        comparison,
        before=before and replace(before, graph=replace(before.graph, sequence_nrs=())),
        after=replace(after, graph=replace(after.graph, sequence_nrs=())),
    )


def _compare(scenario: Scenario, captured: list[_Captured]) -> Comparison:
    words = {"name": scenario.name, "title": scenario.title, "description": " ".join(scenario.description.split("\n\n")[0].split())}
    if len(captured) == 1:
        return single(captured[0].moment, **words)
    before, after = captured
    if scenario.takes_cut:
        pairs = match_by_calls(before.moment.graph, after.moment.graph, before.trace, after.trace)
        return unite(before.moment, after.moment, pairs, "calls", **words)
    pairs = match_by_identity(before.moment.graph, after.moment.graph, before.tokens, after.tokens)
    wrong = silently_wrong(before.moment, after.moment)
    assert after.moment.outcome is not None
    moment = replace(after.moment, outcome=replace(after.moment.outcome, wrong=wrong))
    return unite(before.moment, moment, pairs, "identity", **words)
