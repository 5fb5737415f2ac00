"""Diagnosing a live loss: what the walk and the recording know of it, joined and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import torch

from graphvis.errors import GraphvisError
from graphvis.live import probe as probing
from graphvis.live import verification
from graphvis.live.evidence import Evidence
from graphvis.live.recorder import Recording
from graphvis.live.unchanged import unmoved
from graphvis.model import Diagnosis

Parameters = (
    torch.nn.Module
    | Mapping[str, torch.Tensor]
    | Iterable[torch.nn.Module]
    | Iterable[torch.Tensor]
    | Iterable[tuple[str, torch.Tensor]]
)


class ParametersError(GraphvisError, TypeError):
    """What was given as parameters holds none, or is something else."""


class TraceError(GraphvisError, TypeError):
    """What was given as a trace is no recording."""


def diagnose(
    loss: Any,
    trace: Recording | None = None,
    parameters: Parameters | None = None,
    *,
    probe: bool = False,
    verify: Callable[[], Any] | None = None,
) -> Diagnosis:
    """Say of each parameter whether ``backward()`` from `loss` gives it a gradient, and if not, which line is to blame.

    Call it before ``backward()``, which frees what is looked at. Nothing in the program changes.

    Args:
        loss: what backward starts from: a tensor, a tuple, list or dict of them, or a model's output object.
        trace: the recording of the forward pass; without one it is told who gets no gradient, and not why.
        parameters: a Module, Modules, tensors by name, or tensors, which take the names that the trace knows; by
            default the leaves that the walk finds.
        probe: also run a backward of our own, which tells gradients that are exactly zero and Functions that return
            None; and, where a write that PyTorch did not count may make a gradient wrong, more of them, with and
            without what was overwritten, which tell whether it does. Where the trace has not kept that (see
            :func:`graphvis.record`), it stays uncertain. What it raises, and no conflict explains, is the
            diagnosis's `error`. They run tensor hooks; ``.grad`` and all values stay as they
            are.
        verify: runs the program again and returns its loss. Then it is measured what each cut costs, and whether an
            overwritten tensor makes a gradient wrong.

    Raises:
        WalkError: if there is no tensor in `loss`.
        ParametersError: if `parameters` is none of the above.
        TraceError: if `trace` is no recording.
    """
    if trace is not None and not isinstance(trace, Recording):
        raise TraceError(
            f"trace is a {type(trace).__name__}, not a recording",
            "Give what graphvis.record() makes: with graphvis.record() as trace: loss = step(model, batch)",
        )
    named = named_parameters(parameters, trace)
    if trace is not None:
        trace.pause()
        trace.name(named)
    try:
        evidence = Evidence(loss, trace, named, None if parameters is None else named)
        probed = probing.Probed({})
        if probe:
            with unmoved(evidence.buffers(trace)):
                probed = probing.probe(loss, list(named.values()))
                if trace is not None:
                    evidence.compare(loss, trace)
        found = evidence.judge(probed.measured)
        if probed.error is not None and not any(conflict.effect == "raises" for conflict in found.conflicts):
            found = msgspec.structs.replace(found, error=f"{type(probed.error).__name__}: {probed.error}")
        return found if verify is None else verification.verify(found, verify, named)
    finally:
        if trace is not None:
            trace.resume()


def named_parameters(parameters: Parameters | None, trace: Recording | None = None) -> dict[str, torch.Tensor]:
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
    if isinstance(parameters, Iterable) and not isinstance(parameters, (str, bytes, torch.Tensor)):
        given: list[Any] = list(parameters)
        if not given and isinstance(parameters, Iterator):
            raise ParametersError(
                f"parameters is a {type(parameters).__name__} with nothing left in it",
                "It can be gone through once, and something has: give model, or a new model.parameters().",
            )
        for holds, named in ((_is_module, _of_modules), (_is_tensor, _of_tensors), (_is_named, _of_pairs)):
            if all(holds(item) for item in given):
                return named(given, trace)
    raise ParametersError(
        f"parameters is a {type(parameters).__name__} that holds neither Modules nor tensors by name",
        "Give a Module, Modules, {name: tensor}, or model.parameters().",
    )


def _is_module(item: object) -> bool:
    return isinstance(item, torch.nn.Module)


def _is_tensor(item: object) -> bool:
    return isinstance(item, torch.Tensor)


def _is_named(item: object) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], torch.Tensor)


def _of_modules(modules: list[torch.nn.Module], _: Recording | None) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for place, module in enumerate(modules):
        for name, tensor in module.named_parameters():
            if id(tensor) not in seen:
                seen.add(id(tensor))
                found[f"{place}.{name}"] = tensor
    return found


def _of_tensors(tensors: list[torch.Tensor], trace: Recording | None) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for place, tensor in enumerate(tensors):
        known = None if trace is None else trace.name_of(tensor)
        found[known if known is not None and known not in found else f"parameters[{place}]"] = tensor
    return found


def _of_pairs(pairs: list[tuple[str, torch.Tensor]], _: Recording | None) -> dict[str, torch.Tensor]:
    return dict(pairs)
