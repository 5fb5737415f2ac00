"""Diagnosing a live loss: what the walk and the recording know of it, joined and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from graphvis.errors import GraphvisError
from graphvis.live import probe as probing
from graphvis.live import verification
from graphvis.live.evidence import Evidence
from graphvis.live.recorder import KeepingRecording, Recording
from graphvis.model import Diagnosis, Location

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
            found = evidence.compare(found, loss, trace, stop)
        return found if verify is None else verification.verify(found, verify, named)
    finally:
        if trace is not None:
            trace.resume()


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
