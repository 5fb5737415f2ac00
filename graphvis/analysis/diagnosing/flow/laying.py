"""Where the numbers of a tensor lie in memory, and where each comes to lie in another of the same shape."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from graphvis.analysis.diagnosing.regions import Region, Runs, merged, runs
from graphvis.model import TracedTensor

_MOST_STRETCHES = 4096  # that are carried one by one; beyond that it is not told where they come to lie


class Laid(NamedTuple):
    """How some numbers lie in a storage.

    Attributes:
        start: the first byte.
        shape: sizes.
        strides: bytes from one number to the next along each dimension; 0 where all are the same one.
        itemsize: bytes of a number.
    """

    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int

    @property
    def dense(self) -> bool:
        """Whether they lie in the order in which they are counted, without a gap."""
        joined = _joined(zip(self.shape, self.strides, self.strides, strict=True))
        return joined in ([], [(math.prod(self.shape), self.itemsize, self.itemsize)])


def laid(tensor: TracedTensor) -> Laid | None:
    """How the numbers of a tensor lie; None where it has none, or is sparse or a wrapper, say."""
    count = 0 if tensor.values else math.prod(tensor.shape)
    if count <= 0 or tensor.start >= tensor.stop:
        return None
    if tensor.strides:
        last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
        return Laid(tensor.start, tensor.shape, tensor.strides, tensor.stop - tensor.start - last)
    itemsize = (tensor.stop - tensor.start) // count
    return Laid(tensor.start, tensor.shape, _in_order(tensor.shape, itemsize), itemsize)


def covered(numbers: Laid) -> Runs:
    """The bytes that some numbers take up; what lies in too many places is taken for what has no gaps."""
    if 0 in numbers.shape:
        return ()
    last = sum((size - 1) * stride for size, stride in zip(numbers.shape, numbers.strides, strict=True))
    stop = numbers.start + last + numbers.itemsize
    return runs(Region(numbers.start, stop, numbers.shape, numbers.strides, numbers.itemsize))


def broadcast(numbers: Laid, shape: tuple[int, ...]) -> Laid | None:
    """The same numbers, repeated to a shape as PyTorch broadcasts; None where that cannot be."""
    missing = len(shape) - len(numbers.shape)
    if missing < 0:
        return None
    strides = [0] * missing
    for size, stride, wanted in zip(numbers.shape, numbers.strides, shape[missing:], strict=True):
        if size not in (1, wanted):
            return None
        strides.append(stride if size == wanted else 0)
    return Laid(numbers.start, shape, tuple(strides), numbers.itemsize)


def reshaped(numbers: Laid, shape: tuple[int, ...]) -> Laid | None:
    """The same numbers, counted in the same order by another shape; None where they lie in no order that says how."""
    if math.prod(shape) != math.prod(numbers.shape):
        return None
    sizes = [(size, stride) for size, stride in zip(numbers.shape, numbers.strides, strict=True) if size != 1]
    if [size for size, _ in sizes] == [size for size in shape if size != 1]:
        left = iter(sizes)
        return numbers._replace(shape=shape, strides=tuple(0 if size == 1 else next(left)[1] for size in shape))
    if numbers.dense:
        return numbers._replace(shape=shape, strides=_in_order(shape, numbers.itemsize))
    return None


def carried(stretches: Runs, of: Laid, to: Laid) -> Runs | None:
    """Where some bytes of numbers come to lie when each number is put to its place among others of the same shape.

    Args:
        stretches: bytes of the numbers, ascending.
        of: how they lie.
        to: how the others lie.

    Returns:
        The bytes of the others, ascending and merged; None where they lie in too many places.
    """
    dims = _dims(of, to)
    if dims == [(math.prod(of.shape), of.itemsize, to.itemsize)] and of.itemsize == to.itemsize:
        shift = to.start - of.start
        return tuple((start + shift, stop + shift) for start, stop in stretches) if shift else stretches
    return _carried(stretches, of, to)


@lru_cache(maxsize=64)
def _carried(stretches: Runs, of: Laid, to: Laid) -> Runs | None:
    dims = _dims(of, to)
    length, repeated = 1, 1  # of the numbers that lie side by side in both; or of one that is put side by side
    if dims and dims[-1][2] == to.itemsize and dims[-1][1] in (0, of.itemsize):
        size, step, _ = dims.pop()
        length, repeated = (1, size) if not step else (size, 1)
    if math.prod(size for size, _, _ in dims) > _MOST_STRETCHES:
        return None
    corners = [(of.start, to.start)]
    for size, step, apart in dims:
        corners = [(first + i * step, second + i * apart) for first, second in corners for i in range(size)]
    stops = [stop for _, stop in stretches]
    found: list[tuple[int, int]] = []
    for first, second in corners:
        last = first + length * of.itemsize
        for start, stop in stretches[bisect_right(stops, first) :]:
            if start >= last:
                break
            begin = (max(start, first) - first) // of.itemsize
            end = -((first - min(stop, last)) // of.itemsize)
            found.append((second + begin * to.itemsize, second + end * to.itemsize * repeated))
    return merged(found)


def _dims(of: Laid, to: Laid) -> list[tuple[int, int, int]]:
    """The dimensions of both, joined; what lies farthest apart in the second comes first."""
    return _joined(sorted(zip(of.shape, of.strides, to.strides, strict=True), key=lambda dim: -dim[2]))


def _joined(dims: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Sizes and strides, in both, of the dimensions that are left once those are joined that go on in both."""
    joined: list[tuple[int, int, int]] = []
    for size, step, apart in dims:
        if joined and joined[-1][1] == size * step and joined[-1][2] == size * apart:
            joined[-1] = (joined[-1][0] * size, step, apart)
        elif size != 1:
            joined.append((size, step, apart))
    return joined


def _in_order(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Strides of numbers that lie in the order in which they are counted."""
    strides, length = [], itemsize
    for size in reversed(shape):
        strides.append(length)
        length *= size
    return tuple(reversed(strides))
