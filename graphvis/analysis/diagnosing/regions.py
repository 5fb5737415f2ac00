"""Which bytes of a storage a tensor or a write touches, gaps included."""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec

from graphvis.model import TracedTensor, Write

Runs = tuple[tuple[int, int], ...]
_MOST_RUNS = 4096  # beyond that a region is taken for one without gaps


class Region(msgspec.Struct, frozen=True):
    """Some bytes of a storage.

    Attributes:
        start: the first.
        stop: one past the last.
        shape: sizes, where there are gaps; empty for a region without.
        strides: bytes from one element to the next along each dimension of `shape`.
        itemsize: bytes of one element, where there are gaps.
    """

    start: int
    stop: int
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    itemsize: int = 0


def region_of(tensor: TracedTensor | Write, shape: tuple[int, ...] | None = None) -> Region:
    """The bytes of a traced tensor or of a write."""
    if not tensor.strides:
        return Region(tensor.start, tensor.stop)
    sizes = shape
    if sizes is None:
        sizes = tensor.shape if isinstance(tensor, Write) else tensor.values or tensor.shape
    last = sum((size - 1) * stride for size, stride in zip(sizes, tensor.strides, strict=True))
    return Region(tensor.start, tensor.stop, sizes, tensor.strides, tensor.stop - tensor.start - last)


def overlap(one: Region, other: Region) -> bool:
    """Whether two regions of one storage share a byte."""
    if one.stop <= other.start or other.stop <= one.start or one.start >= one.stop or other.start >= other.stop:
        return False
    return (not one.strides and not other.strides) or meet(runs(one), runs(other))


def is_exact(region: Region) -> bool:
    """Whether the gaps of a region are known; else :func:`runs` takes it for one without."""
    return not region.strides or math.prod(size for _, size in _stretches(region)[1]) <= _MOST_RUNS


def meet(one: Runs, other: Runs) -> bool:
    """Whether two ascending lists of stretches share a byte."""
    if not one or not other or one[-1][1] <= other[0][0] or other[-1][1] <= one[0][0]:
        return False
    i = j = 0
    while i < len(one) and j < len(other):
        if one[i][1] <= other[j][0]:
            i += 1
        elif other[j][1] <= one[i][0]:
            j += 1
        else:
            return True
    return False


def without(one: Runs, other: Runs) -> Runs:
    """What is left of `one` after `other` was taken away."""
    if not one or not other or one[-1][1] <= other[0][0] or other[-1][1] <= one[0][0]:
        return one
    left: list[tuple[int, int]] = []
    j = 0
    for start, stop in one:
        while j < len(other) and other[j][1] <= start:
            j += 1
        at = j
        while start < stop and at < len(other) and other[at][0] < stop:
            if other[at][0] > start:
                left.append((start, other[at][0]))
            start = max(start, other[at][1])
            at += 1
        if start < stop:
            left.append((start, stop))
    return tuple(left)


def within(one: Runs, other: Runs) -> Runs:
    """What two ascending lists of stretches share."""
    if one == other:
        return one
    shared = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, stop = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < stop:
            shared.append((start, stop))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(shared)


def _stretches(region: Region) -> tuple[int, list[tuple[int, int]]]:
    """The length of the stretches without gaps of a region, and the stride and size of what repeats them."""
    dims = sorted(
        ((stride, size) for size, stride in zip(region.shape, region.strides, strict=True) if stride and size > 1)
    )
    length = region.itemsize
    outer: list[tuple[int, int]] = []
    for stride, size in dims:
        if not outer and stride <= length:
            length = (size - 1) * stride + length
        else:
            outer.append((stride, size))
    return length, outer


@lru_cache(maxsize=4096)
def runs(region: Region) -> Runs:
    """The stretches without gaps of a region, ascending and merged."""
    if not region.strides:
        return ((region.start, region.stop),) if region.start < region.stop else ()
    length, outer = _stretches(region)
    if math.prod(size for _, size in outer) > _MOST_RUNS:
        return ((region.start, region.stop),)
    starts = [region.start]
    for stride, size in outer:
        starts = [start + i * stride for start in starts for i in range(size)]
    return merged([(start, start + length) for start in starts])


def merged(stretches: list[tuple[int, int]]) -> Runs:
    """Stretches in any order, ascending and without those that touch."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return tuple(found)
