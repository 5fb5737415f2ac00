"""The states of all tensors of a walk, read by columns: nearly all of them are of a few kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import compress, repeat
from operator import attrgetter, eq, is_
from typing import Any

import torch

from graphvis.live.numbers import format_value, is_written, write_value
from graphvis.live.walker.naming import Names
from graphvis.live.walker.tensors import Storages, describe, word_of
from graphvis.model.tensor import TensorInfo, Tensors

_KIND = ("shape", "dtype", "requires_grad", "is_leaf", "_version")
_ON_CPU = attrgetter(*_KIND, "is_cpu")  # which is quicker to read than the device
_ANYWHERE = attrgetter(*_KIND, "device")
_GRAD = attrgetter("grad")
_CPU = torch.device("cpu")
_OWN = {torch.Tensor, torch.nn.Parameter}
_MOST_AT_ONCE = 1024


class _Kinds(dict[Any, TensorInfo | None]):
    """What tensors are like that agree in what :data:`_KIND` reads; None where each is to be described alone.

    Attributes:
        plain: whether all of them have memory.
        alone: the places of those that are to be described alone.
        written: by the ``id`` of what tensors are like, their dtype, where they are on the CPU and so small that
            their values are shown.
    """

    def __init__(self) -> None:
        self.plain = True
        self.alone: list[int] = []
        self.written: dict[int, torch.dtype] = {}

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
            if device == _CPU and is_written(dtype, shape):
                self.written[id(like)] = dtype
        self.plain &= device.type != "meta"
        self[kind] = like
        return like


class _ElsewhereError(Exception):
    """A tensor that is not on the CPU: the device has to be asked for."""


def _likes(tensors: Sequence[torch.Tensor], classes: set[type]) -> tuple[list[TensorInfo | None], _Kinds]:
    """What each tensor is like, None where it is to be described alone; and the kinds that they are of."""
    if classes <= _OWN:
        for read in (_ON_CPU, _ANYWHERE):
            kinds = _Kinds()
            try:
                return _sorted(tensors, read, kinds), kinds
            except _ElsewhereError:
                continue
            except (RuntimeError, TypeError):  # nested, or an inference tensor; a symbol among the sizes
                break
    kinds = _Kinds()
    kinds.plain, kinds.alone = False, list(range(len(tensors)))
    return [None] * len(tensors), kinds


def _sorted(
    tensors: Sequence[torch.Tensor], read: Callable[[torch.Tensor], Any], kinds: _Kinds
) -> list[TensorInfo | None]:
    """What each tensor is like, by what `read` reads of it."""
    found: list[TensorInfo | None] = []
    for first in range(0, len(tensors), _MOST_AT_ONCE):
        some = tensors[first : first + _MOST_AT_ONCE]
        # To be compared with the last takes half of what it takes to be looked up.
        last = read(some[-1])
        if all(map(eq, map(read, some), repeat(last))):
            likes = [kinds[last]] * len(some)
            alone = likes[0] is None
        else:
            likes = list(map(kinds.__getitem__, map(read, some)))
            alone = any(map(is_, likes, repeat(None)))
        if alone:
            kinds.alone.extend(place for place, like in enumerate(likes, first) if like is None)
        found += likes
    return found


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
    likes, kinds = _likes(tensors, classes)
    stored = False
    if kinds.plain:
        numbers, stored = storages.look_all(tensors)
    else:
        numbers = [storages.look(tensor)[0] for tensor in tensors]
    grads = _grads(tensors, likes)
    for place in kinds.alone:
        likes[place] = describe(tensors[place], names, numbers[place], number, values)
    found: list[TensorInfo] = likes  # type: ignore[assignment]  # there is no None left in it
    columns: dict[str, Iterable[Any]] = {"storage": numbers, **_names(tensors, names)}
    if grads:
        columns["has_grad"] = [like.has_grad or grad is not None for grad, like in zip(grads, found, strict=True)]
        if values:
            columns["grad"] = [
                like.grad if grad is None else format_value(grad) for grad, like in zip(grads, found, strict=True)
            ]
    if values and kinds.written:
        columns["value"] = _values(tensors, found, kinds.written, stored)
    if number is not None:
        columns["trace_number"] = list(map(number, tensors))
    if torch.nn.Parameter in classes:
        columns["is_parameter"] = [
            like.is_parameter or type(tensor) is torch.nn.Parameter for tensor, like in zip(tensors, found, strict=True)
        ]
    return Tensors(nodes, found, columns)


def _names(tensors: Sequence[torch.Tensor], names: Names) -> dict[str, Iterable[Any]]:
    if not names.tensors:
        return {}
    known = list(map(names.of, tensors))
    return {"name": [one[0] if one else None for one in known], "aliases": [one[1:] for one in known]}


def _grads(tensors: Sequence[torch.Tensor], likes: Sequence[TensorInfo | None]) -> list[torch.Tensor | None]:
    """``.grad`` of each that is not to be described alone; none where nobody has one."""
    # Those that are described alone may be no leaves, and of what is no leaf reading .grad warns.
    grads = list(map(_GRAD, compress(tensors, likes)))
    if grads.count(None) == len(grads):
        return []
    rest = iter(grads)
    return [None if like is None else next(rest) for like in likes]


def _values(
    tensors: Sequence[torch.Tensor], likes: Sequence[TensorInfo], written: dict[int, torch.dtype], stored: bool
) -> Iterable[str | None]:
    """The value of each tensor as it is shown; None where it is not."""
    shown = [id(like) in written for like in likes]
    small = list(compress(tensors, shown))
    # What has a storage is neither sparse nor wrapped, and what has no such bit can be read as it lies there.
    if stored and not any(any(map(bit, small)) for bit in _LAZY):
        with suppress(RuntimeError):  # the memory of one may be given back: then they are read one by one
            return _Written(list(map(torch.Tensor.tolist, small)), shown, likes, written)
    return [
        format_value(tensor) if show else like.value for tensor, like, show in zip(tensors, likes, shown, strict=True)
    ]


_LAZY: tuple[Callable[[torch.Tensor], bool], ...] = (
    torch.Tensor.is_neg,
    torch.Tensor.is_conj,
    torch.Tensor._is_zerotensor,
)


class _Written:
    """The values of small tensors, read at once and written out when they are asked for, which takes far longer."""

    def __init__(
        self, numbers: list[Any], shown: list[bool], likes: Sequence[TensorInfo], written: dict[int, torch.dtype]
    ) -> None:
        self._numbers, self._shown, self._likes, self._written = numbers, shown, likes, written

    def __iter__(self) -> Iterator[str | None]:
        numbers = iter(self._numbers)
        for like, show in zip(self._likes, self._shown, strict=True):
            if show:
                yield write_value(next(numbers), len(like.shape), self._written[id(like)])
            else:
                yield like.value
