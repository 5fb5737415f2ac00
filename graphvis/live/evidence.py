"""What is known of a backward before it runs, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec
import torch

from graphvis.analysis import diagnosing
from graphvis.analysis.attributing import calls_of_nodes
from graphvis.analysis.diagnosing import Overwritten, Subject
from graphvis.analysis.joining import join
from graphvis.live import effects, walker
from graphvis.live import probe as probing
from graphvis.live.recorder import Recording, arrays
from graphvis.live.sharding import gathered
from graphvis.live.unwatched import uncollected
from graphvis.live.walker.outputs import find_outputs
from graphvis.model import Diagnosis, Graph, Location, Trace


class Evidence:
    """What is known of a backward before it runs: a walk of its graph, and the recorded run that built it.

    Args:
        outputs: what backward starts from.
        recording: of the run, paused; None if there was none.
        names: names for tensors.
        parameters: what is judged, by name; None for all leaves that the walk finds.
        shown: whether somebody may look at the graph: then the values of small tensors are read, and where numbers went
            that left PyTorch, whether a verdict hangs on it or not.
    """

    def __init__(
        self,
        outputs: Any,
        recording: Recording | None,
        names: Mapping[str, torch.Tensor],
        parameters: Mapping[str, torch.Tensor] | None,
        *,
        shown: bool = True,
    ) -> None:
        if recording is not None:
            ran = [module for known in recording.tape.modules if (module := known()) is not None]
            names = gathered(names, ran)
            parameters = None if parameters is None else gathered(parameters, ran)
        self._parameters = parameters
        self._recording = None if shown else recording  # until it was asked where values went that left PyTorch
        self._memory = None if recording is None else recording.memory
        self._known = None if recording is None else recording.tape.exposures.arrays
        self._in_arrays: set[str] | None = None
        self._graph = walker.walk(
            outputs,
            names,
            also=parameters,
            number=None if recording is None else recording.number,
            memory=None if recording is None else recording.memory,
            values=shown,
        )
        with uncollected():
            self._trace = None if recording is None else recording.freeze(following=shown)
            self._calls = {} if self._trace is None else calls_of_nodes(self._graph, self._trace)
            self._joined = self._graph if self._trace is None else join(self._graph, self._trace, self._calls)

    def judge(self, measured: Mapping[int, probing.Measured], backward: Location | None = None) -> Diagnosis:
        """Judge by it, by what a backward was measured to give, by ``id`` of the parameters, and by :meth:`compare`.

        Args:
            measured: what a backward gave.
            backward: the line that is about to start one; None where that is not known.
        """
        with uncollected():
            subjects = subjects_of(self._graph, self._trace, self._calls, self._parameters, measured)
            if any(one.hangs_on_values for one in subjects):
                self._follow()
            subjects = self._with_arrays(self._with_shown(subjects))
            found = diagnosing.diagnose(
                self._graph,
                self._trace,
                subjects,
                calls=self._calls,
                overwritten=self._overwritten,
                backward=backward,
            )
        return msgspec.structs.replace(found, graph=self._joined)

    def _follow(self) -> None:
        """Look where values went that left PyTorch; only where a verdict hangs on it, for it is read in the source."""
        if self._recording is not None and self._trace is not None:
            self._trace = self._recording.follow(self._trace)
            self._joined = join(self._graph, self._trace, self._calls)
            self._recording = None

    def _with_shown(self, subjects: list[Subject]) -> list[Subject]:
        """The subjects with what was seen of their memory before they were seen themselves."""
        if self._trace is None or self._memory is None or self._parameters is None:
            return subjects
        if all(one.reached for one in subjects):
            return subjects
        unmade = find_unmade(self._trace)
        return [_with_those_shown(one, self._memory(self._parameters[one.name]), unmade) for one in subjects]

    def _with_arrays(self, subjects: list[Subject]) -> list[Subject]:
        """The subjects, with whether an array lies in their memory that nobody was seen to make."""
        if self._known is None or self._trace is None or self._parameters is None:
            return subjects
        made = made_in(self._trace)
        with torch._C.DisableTorchFunction():
            asked = {
                one.name: arrays.span_of(tensor)
                for one in subjects
                if not one.reached and one.requires_grad and made.isdisjoint(one.numbers)
                if arrays.may_lie_in_one(tensor := self._parameters[one.name])
            }
        if self._in_arrays is None:
            places = arrays.find_living(list(asked.values()), self._known()) if asked else ()
            self._in_arrays = {name for place, name in enumerate(asked) if place in places}
        return [msgspec.structs.replace(one, shared=True) if one.name in self._in_arrays else one for one in subjects]

    @cached_property
    def _overwritten(self) -> tuple[Overwritten, ...]:
        """What was overwritten, as far as it is known now."""
        return diagnosing.find_overwritten(self._graph, self._trace, self._calls)

    def compare(self, outputs: Any, recording: Recording) -> None:
        """Measure which of the conflicts make a gradient wrong; those that do not are none from then on."""
        if not recording.tape.keeping:
            return
        with uncollected():
            found = self._overwritten
        leaves = self._leaves(outputs)
        if leaves and any(one.conflict.effect != "raises" for one in found):
            differ = effects.measure(outputs, leaves, found, recording.tape.keeping)
            self._overwritten = tuple(
                _certain(one) if differs else one
                for one, differs in zip(found, differ, strict=True)
                if differs is not False
            )

    def buffers(self, recording: Recording | None) -> list[torch.Tensor]:
        """The buffers of the modules that ran, where a backward runs code again that may update them; else none."""
        saved = (one for kept in self._graph.saved.values() for one in kept)
        again = "CheckpointFunctionBackward" in self._graph.names or any(one.state == "unknown" for one in saved)
        if recording is None or not again:
            return []
        modules = [module for known in recording.tape.modules if (module := known()) is not None]
        found = {id(buffer): buffer for module in modules for buffer in module.buffers()}
        return [buffer for buffer in found.values() if not buffer.is_inference()]

    def _leaves(self, outputs: Any) -> list[torch.Tensor]:
        """Whose gradients are compared."""
        leaves = probing.leaves_of(find_outputs(outputs)) if self._parameters is None else self._parameters.values()
        return probing.learning(leaves)


def _certain(one: Overwritten) -> Overwritten:
    return msgspec.structs.replace(one, conflict=msgspec.structs.replace(one.conflict, certain=True))


def subjects_of(
    graph: Graph,
    trace: Trace | None,
    calls: Mapping[int, int],
    named: Mapping[str, torch.Tensor] | None,
    measured: Mapping[int, probing.Measured],
) -> list[Subject]:
    """What is to be judged: the parameters with their numbers in the trace, and what was measured of them.

    Args:
        graph: a walk that has a node for each parameter.
        trace: the recorded run.
        calls: which call made each node.
        named: the parameters; None for all leaves of the walk.
        measured: what a backward told, by ``id``.
    """
    withdrawn = {} if trace is None else diagnosing.find_withdrawn(graph, trace, calls)
    checkpointed = {} if trace is None else diagnosing.find_checkpointed(graph, trace, calls)
    nodes: dict[str, int] = {}
    for node, info in graph.tensors.items():
        for name in (info.name, *info.aliases):
            if name is not None:
                nodes.setdefault(name, node)
    if named is None:
        leaves = [(node, info) for node, info in sorted(graph.tensors.items()) if graph.kinds[node] == "leaf"]
        given = [(info.name or f"leaf {place}", node, probing.Measured()) for place, (node, info) in enumerate(leaves)]
    else:
        given = [(name, nodes[name], measured.get(id(tensor), probing.Measured())) for name, tensor in named.items()]
    return [
        msgspec.structs.replace(
            _subject(name, graph, trace, node),
            zero=told.zero,
            missing=told.missing,
            arrived=told.arrived,
            withdrawn=withdrawn.get(node),
            checkpointed=checkpointed.get(node, ()),
        )
        for name, node, told in given
    ]


def made_in(trace: Trace) -> set[int]:
    """The tensors that some call made."""
    return {number for call in trace.calls for number in call.outputs if number not in call.inputs}


def find_unmade(trace: Trace) -> dict[int, list[tuple[int, int, int]]]:
    """By storage the tensors that lie there and that no call made, each with its first byte and one past its last."""
    made = made_in(trace)
    found: dict[int, list[tuple[int, int, int]]] = {}
    for number, tensor in enumerate(trace.tensors):
        if tensor.storage is not None and number not in made:
            found.setdefault(tensor.storage, []).append((number, tensor.start, tensor.stop))
    return found


def _with_those_shown(
    subject: Subject, memory: tuple[int, int, int] | None, unmade: Mapping[int, list[tuple[int, int, int]]]
) -> Subject:
    if memory is None:
        return subject
    storage, start, stop = memory
    there = unmade.get(storage, ())
    first = min(subject.numbers, default=math.inf)
    shown = tuple(number for number, begin, end in there if number < first and max(start, begin) < min(stop, end))
    return msgspec.structs.replace(subject, shown=shown) if shown else subject


def _subject(name: str, graph: Graph, trace: Trace | None, node: int) -> Subject:
    info = graph.tensors[node]
    numbers: list[int] = []
    number = info.trace_number
    while trace is not None and number is not None:
        numbers.append(number)
        number = trace.tensors[number].former
    return Subject(
        name=name,
        numbers=tuple(reversed(numbers)),
        reached=graph.is_reached(node),
        requires_grad=info.requires_grad,
        shape=info.shape,
    )
