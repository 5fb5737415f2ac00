"""Diagnosing a live loss: what the walk and the recording know of it, joined and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import torch

from graphvis.analysis import diagnosing
from graphvis.analysis.diagnosing import Subject
from graphvis.analysis.joining import join
from graphvis.errors import GraphvisError
from graphvis.live import counterfactual, effects, walker
from graphvis.live import probe as probing
from graphvis.live.recorder import KeepingRecording, Recording
from graphvis.live.recorder.images import Images
from graphvis.live.unwatched import uncollected
from graphvis.live.walker.outputs import find_outputs
from graphvis.model import Diagnosis, Graph, Location, Trace

Parameters = torch.nn.Module | Iterable[torch.nn.Module] | Mapping[str, torch.Tensor]


class ParametersError(GraphvisError, TypeError):
    """What was given as parameters holds none, or is something else."""


def diagnose(
    loss: Any,
    trace: Recording | None = None,
    parameters: Parameters | None = None,
    *,
    probe: bool = False,
    verify: Callable[[], Any] | None = None,
    backward: Location | None = None,
    stop: int | None = None,
) -> Diagnosis:
    """Say of each parameter whether a backward from `loss` gives it a gradient, and if not, why.

    Args:
        loss: what backward starts from: a tensor, a tuple, list or dict of them, or a model's output object.
        trace: the recording of the run that made it; without one the reasons cannot be told.
        parameters: a Module, Modules, or tensors by name; by default the leaves that the walk finds.
        probe: also run a backward of our own, which tells gradients that are exactly zero and custom
            Functions that return None. It runs tensor hooks; ``.grad`` and the graph stay as they are.
        verify: runs the program again and returns its loss; then it is measured what each cut costs
            and whether an overwritten tensor makes a gradient wrong.
        backward: the line that starts the backward, if it is known.
        stop: with `trace`, the call up to which the run counts; by default all of it.

    Returns:
        Verdicts, cuts and conflicts. Nothing in the program has changed.

    Raises:
        WalkError: if there is no tensor in `loss`.
        ParametersError: if `parameters` is none of the above.
    """
    named = named_parameters(parameters)
    if trace is not None:
        trace.pause()
        trace.name(named)
    try:
        evidence = Evidence(loss, trace, named, None if parameters is None else named)
        measured = probing.probe(loss, list(named.values())) if probe else {}
        found = evidence.judge(measured, backward, stop)
        if probe and isinstance(trace, KeepingRecording):
            found = evidence.compare(found, loss, trace.images, stop)
        return found if verify is None else counterfactual.verify(found, verify, named)
    finally:
        if trace is not None:
            trace.resume()


class Evidence:
    """What is known of a backward before it runs: a walk of its graph, and the recorded run that built it.

    Args:
        outputs: what backward starts from.
        recording: of the run, paused; None if there was none.
        names: names for tensors.
        parameters: what is judged, by name; None for all leaves that the walk finds.
        values: whether to read the values of small tensors.
    """

    def __init__(
        self,
        outputs: Any,
        recording: Recording | None,
        names: Mapping[str, torch.Tensor],
        parameters: Mapping[str, torch.Tensor] | None,
        *,
        values: bool = True,
    ) -> None:
        self._parameters = parameters
        self._graph = walker.walk(
            outputs,
            names,
            also=parameters,
            number=None if recording is None else recording.number,
            memory=None if recording is None else recording.memory,
            values=values,
        )
        with uncollected():
            self._trace = None if recording is None else recording.freeze()
            self._joined = self._graph if self._trace is None else join(self._graph, self._trace)

    def judge(
        self, measured: Mapping[int, probing.Measured], backward: Location | None, stop: int | None = None
    ) -> Diagnosis:
        """Judge by it, and by what a backward was measured to give, by ``id`` of the parameters."""
        with uncollected():
            subjects = subjects_of(self._graph, self._trace, self._parameters, measured)
            found = diagnosing.diagnose(self._graph, self._trace, subjects, backward=backward, stop=stop)
            return msgspec.structs.replace(found, graph=self._joined)

    def compare(self, judged: Diagnosis, outputs: Any, images: Images, stop: int | None = None) -> Diagnosis:
        """Measure which of the conflicts make a gradient wrong; those that do not are none."""
        if all(conflict.effect == "raises" for conflict in judged.conflicts) or not self._leaves(outputs):
            return judged
        conflicts = diagnosing.find_conflicts(self._graph, self._trace, stop)
        told = effects.measure(outputs, self._leaves(outputs), conflicts, images)
        kept = tuple(
            msgspec.structs.replace(one.conflict, certain=True) if differs else one.conflict
            for one, differs in zip(conflicts, told, strict=True)
            if differs is not False
        )
        return msgspec.structs.replace(judged, conflicts=kept)

    def _leaves(self, outputs: Any) -> list[torch.Tensor]:
        """Whose gradients are compared."""
        leaves = probing.leaves_of(find_outputs(outputs)) if self._parameters is None else self._parameters.values()
        return [leaf for leaf in leaves if leaf.requires_grad]


def named_parameters(parameters: Parameters | None) -> dict[str, torch.Tensor]:
    """The parameters by name, each tensor once.

    Raises:
        ParametersError: see :func:`diagnose`.
    """
    if parameters is None:
        return {}
    if isinstance(parameters, torch.nn.Module):
        return dict(parameters.named_parameters())
    if isinstance(parameters, Mapping):
        if not all(isinstance(value, torch.Tensor) for value in parameters.values()):
            raise ParametersError(
                "parameters is a mapping with values that are no tensors", "Give {name: tensor}, or a Module."
            )
        return dict(parameters)
    modules = list(parameters)
    if not all(isinstance(module, torch.nn.Module) for module in modules):
        raise ParametersError(
            f"parameters is a {type(parameters).__name__} that does not hold Modules",
            "Give a Module, Modules, or {name: tensor}.",
        )
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for place, module in enumerate(modules):
        for name, tensor in module.named_parameters():
            if id(tensor) not in seen:
                seen.add(id(tensor))
                found[f"{place}.{name}"] = tensor
    return found


def subjects_of(
    graph: Graph,
    trace: Trace | None,
    named: Mapping[str, torch.Tensor] | None,
    measured: Mapping[int, probing.Measured],
) -> list[Subject]:
    """What is to be judged: the parameters with their numbers in the trace, and what was measured of them.

    Args:
        graph: a walk that has a node for each parameter.
        trace: the recorded run.
        named: the parameters; None for all leaves of the walk.
        measured: what a backward told, by ``id``.
    """
    nodes: dict[str, int] = {}
    for node, info in graph.tensors.items():
        for name in (info.name, *info.aliases):
            if name is not None:
                nodes.setdefault(name, node)
    if named is None:
        return [
            _subject(info.name or f"leaf {place}", graph, trace, node, probing.Measured())
            for place, (node, info) in enumerate(sorted(graph.tensors.items()))
            if graph.kinds[node] == "leaf"
        ]
    return [
        _subject(name, graph, trace, nodes[name], measured.get(id(tensor), probing.Measured()))
        for name, tensor in named.items()
    ]


def _subject(name: str, graph: Graph, trace: Trace | None, node: int, measured: probing.Measured) -> Subject:
    info = graph.tensors[node]
    numbers: list[int] = []
    number = info.trace_number
    while trace is not None and number is not None:
        numbers.append(number)
        number = trace.tensors[number].former
    return Subject(
        name=name,
        numbers=tuple(reversed(numbers)),
        reached=node in graph.reached,
        requires_grad=info.requires_grad,
        shape=info.shape,
        zero=measured.zero,
        missing=measured.missing,
    )
