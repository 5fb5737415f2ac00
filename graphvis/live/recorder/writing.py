"""What a call writes to: which tensors, which part of them, and whether the version counter saw it."""

from __future__ import annotations

from typing import Any

import torch

from graphvis.live.recorder.functions import Function
from graphvis.live.recorder.identity import Identities
from graphvis.live.recorder.raw import Part, RawWrite

_Tensor = torch.Tensor


def targets(function: Function, tensors: list[Any], args: Any, kwargs: Any) -> list[tuple[Any, int]]:
    """The tensors that a call may write to, each with its version before; -1 where it has none."""
    writes = function.writes
    found: list[Any] = []
    if writes == "first":
        first = args[0] if args else _first_of(kwargs)
        if isinstance(first, _Tensor):
            found = [first]
        elif isinstance(first, (tuple, list)):
            found = [item for item in first if isinstance(item, _Tensor)]
    elif writes == "marked":
        found = _marked(function, args, kwargs or {})
    elif writes in ("all", "checked"):
        found = list(tensors)
    elif writes == "statistics":
        found = [tensor for tensor in _statistics(function, args, kwargs or {}) if isinstance(tensor, _Tensor)]
    out = kwargs.get("out") if kwargs else None
    if out is not None:
        found += [out] if isinstance(out, _Tensor) else [item for item in out if isinstance(item, _Tensor)]
    return [(tensor, -1 if tensor.is_inference() else tensor._version) for tensor in found]


def surely(function: Function, tensors: list[Any], args: Any, kwargs: Any) -> list[Any]:
    """The tensors that a call is going to write to; of a composite, which is handed much, only what it is asked to."""
    if function.writes != "checked":
        return [tensor for tensor, _ in targets(function, tensors, args, kwargs)]
    asked = args[function.inplace] if 0 <= function.inplace < len(args) else (kwargs or {}).get("inplace", False)
    first = args[0] if args else _first_of(kwargs)
    return [first] if function.inplace >= 0 and asked and isinstance(first, _Tensor) else []


def _first_of(kwargs: Any) -> Any:
    """What a function is to write to that is given everything by name, as those of torch.nn.init hand themselves on."""
    return next((kwargs[name] for name in ("tensor", "input", "self") if name in kwargs), None) if kwargs else None


def _marked(function: Function, args: Any, kwargs: dict[str, Any]) -> list[Any]:
    """The tensors among the arguments that the schema marks."""
    found: list[Any] = []
    for place, name, several in function.marked:
        given = args[place] if place < len(args) else kwargs.get(name)
        if several and isinstance(given, (tuple, list)):
            found += [item for item in given if isinstance(item, _Tensor)]
        elif not several and isinstance(given, _Tensor):
            found.append(given)
    return found


def note(identities: Identities, function: Function, written: list[tuple[Any, int]], args: Any) -> tuple[RawWrite, ...]:
    """The writes that a call has made."""
    found: list[RawWrite] = []
    for tensor, version in written:
        moved = version >= 0 and tensor._version != version
        if not moved and function.writes == "checked":
            continue
        number = identities.see(tensor)
        partly = function.name == "Tensor.__setitem__" and identities.lies_itself(number)
        found.append((number, moved, part_of(tensor, args[1]) if partly else None))
    return tuple(found)


def _statistics(function: Function, args: Any, kwargs: dict[str, Any]) -> list[Any]:
    """The running statistics that a normalisation updates; none where it only reads them."""
    if function.name.startswith("torch.nn.functional"):  # input, mean, variance, weight, bias, training
        training = args[5] if len(args) > 5 else kwargs.get("training", kwargs.get("use_input_stats", False))
        found = list(args[1:3])
    else:  # input, weight, bias, mean, variance, training
        training = args[5] if len(args) > 5 else kwargs.get("training", kwargs.get("use_input_stats", True))
        found = list(args[3:5])
    found += [kwargs[key] for key in ("running_mean", "running_var") if key in kwargs]
    return found if training else []


def part_of(tensor: Any, index: Any) -> Part | None:
    """The part of a tensor that a basic index selects; None for any other index, which may select anything."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(not (item is None or item is Ellipsis or type(item) is int or isinstance(item, slice)) for item in items):
        return None
    sizes, strides = list(tensor.shape), list(tensor.stride())
    counted = sum(1 for item in items if item is not None and item is not Ellipsis)
    if any(item is Ellipsis for item in items):
        place = next(i for i, item in enumerate(items) if item is Ellipsis)
        items[place : place + 1] = [slice(None)] * (len(sizes) - counted)
    start, dim = tensor.storage_offset(), 0
    shape: list[int] = []
    steps: list[int] = []
    for item in items:
        if item is None:
            continue
        if isinstance(item, slice):
            try:
                first, last, step = item.indices(sizes[dim])
            except TypeError:  # a bound that is no number
                return None
            start += first * strides[dim]
            shape.append(max(0, (last - first + step - 1) // step))
            steps.append(step * strides[dim])
        else:
            start += (item + sizes[dim] if item < 0 else item) * strides[dim]
        dim += 1
    return start, tuple(shape + sizes[dim:]), tuple(steps + strides[dim:])
