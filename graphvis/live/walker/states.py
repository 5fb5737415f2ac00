"""The states of all tensors of a walk, read by columns: nearly all of them are of a few kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress, repeat
from operator import attrgetter, is_not
from typing import Any

import torch

from graphvis.live.numbers import LARGEST, format_value
from graphvis.live.walker.naming import Names
from graphvis.live.walker.tensors import Storages, describe, word_of
from graphvis.model.tensor import TensorInfo, Tensors

_KIND = ("shape", "dtype", "requires_grad", "is_leaf", "_version")
_ON_CPU = attrgetter(*_KIND, "is_cpu")  # which is quicker to read than the device
_ANYWHERE = attrgetter(*_KIND, "device")
_GRAD = attrgetter("grad")
_CPU = torch.device("cpu")
_OWN = {torch.Tensor, torch.nn.Parameter}


class _Kinds(dict[Any, TensorInfo | None]):
    """What tensors are like that agree in what :data:`_KIND` reads; None where each is to be described alone.

    Attributes:
        plain: whether all of them have memory.
    """

    def __init__(self) -> None:
        self.plain = True

    def __missing__(self, kind: tuple[Any, ...]) -> TensorInfo | None:
        shape, dtype, requires_grad, is_leaf, version, place = kind
        if place is False:
            raise _ElsewhereError
        device = _CPU if place is True else place
        like = None
        if is_leaf and device.type != "meta":
            like = TensorInfo(
                shape=tuple(shape),
                dtype=word_of(dtype),
                device=word_of(device),
                requires_grad=requires_grad,
                version=version,
            )
        self.plain &= device.type != "meta"
        self[kind] = like
        return like


class _ElsewhereError(Exception):
    """A tensor that is not on the CPU: the device has to be asked for."""


def _likes(tensors: Sequence[torch.Tensor], classes: set[type]) -> tuple[list[TensorInfo | None], bool]:
    """What each tensor is like, None where it is to be described alone; and whether all are plain.

    Plain are those of PyTorch's own classes that have memory.
    """
    if classes <= _OWN:
        for read in (_ON_CPU, _ANYWHERE):
            kinds = _Kinds()
            try:
                return list(map(kinds.__getitem__, map(read, tensors))), kinds.plain
            except _ElsewhereError:
                continue
            except (RuntimeError, TypeError):  # nested, or an inference tensor; a symbol among the sizes
                break
    return [None] * len(tensors), False


def describe_all(
    nodes: Sequence[int],
    tensors: Sequence[torch.Tensor],
    names: Names,
    storages: Storages,
    number: Callable[[torch.Tensor], int | None] | None,
    values: bool,
) -> Tensors:
    """The states of tensors now, by their nodes.

    Args:
        nodes: the node of each tensor, ascending.
        tensors: any tensors.
        names: where their names are looked up.
        storages: gives their storages numbers.
        number: a tensor's number in the running record; None without a record.
        values: whether to read the values and the gradients of small tensors.
    """
    classes = set(map(type, tensors))
    likes, plain = _likes(tensors, classes)
    numbers = storages.look_all(tensors) if plain else [storages.look(tensor)[0] for tensor in tensors]
    found = [
        describe(tensor, names, storages, number, values) if like is None else like
        for tensor, like in zip(tensors, likes, strict=True)
    ]
    columns: dict[str, Sequence[Any]] = {"storage": numbers, **_names(tensors, names), **_grads(tensors, found, values)}
    if values:
        columns |= _values(tensors, found)
    if number is not None:
        columns["trace_number"] = list(map(number, tensors))
    if torch.nn.Parameter in classes:
        columns["is_parameter"] = [
            like.is_parameter or type(tensor) is torch.nn.Parameter for tensor, like in zip(tensors, found, strict=True)
        ]
    return Tensors(nodes, found, columns)


def _names(tensors: Sequence[torch.Tensor], names: Names) -> dict[str, Sequence[Any]]:
    if not names.tensors:
        return {}
    known = list(map(names.of, tensors))
    return {"name": [one[0] if one else None for one in known], "aliases": [one[1:] for one in known]}


def _grads(tensors: Sequence[torch.Tensor], likes: Sequence[TensorInfo], values: bool) -> dict[str, Sequence[Any]]:
    # Reading .grad of what is no leaf warns; those that retain it were described alone.
    leaves = [like.is_leaf for like in likes]
    if not any(map(is_not, map(_GRAD, compress(tensors, leaves)), repeat(None))):
        return {}
    grads = [tensor.grad if leaf else None for tensor, leaf in zip(tensors, leaves, strict=True)]
    columns: dict[str, Sequence[Any]] = {
        "has_grad": [like.has_grad or grad is not None for grad, like in zip(grads, likes, strict=True)]
    }
    if values:
        columns["grad"] = [
            like.grad if grad is None else format_value(grad) for grad, like in zip(grads, likes, strict=True)
        ]
    return columns


def _values(tensors: Sequence[torch.Tensor], likes: Sequence[TensorInfo]) -> dict[str, Sequence[Any]]:
    small = {number for number, like in {id(like): like for like in likes}.items() if _is_small(like)}
    if not small:
        return {}
    return {
        "value": [
            format_value(tensor) if id(like) in small else like.value
            for tensor, like in zip(tensors, likes, strict=True)
        ]
    }


def _is_small(like: TensorInfo) -> bool:
    """Whether :func:`format_value` might show it."""
    numel = 1
    for size in like.shape:
        numel *= size
    return like.device == "cpu" and len(like.shape) <= 2 and numel <= LARGEST
