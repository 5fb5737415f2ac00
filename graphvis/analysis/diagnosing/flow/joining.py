"""Where the parts of a concatenation lie in it, and those of a copy."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphvis.analysis.diagnosing.regions import Region, Runs, parts_of
from graphvis.model import TracedTensor

_ALONG = frozenset({"cat", "concat", "concatenate"})
_STACK = "stack"
_STRIDED = "strided"
_FLATTENING = "flatten_dense_tensors"
# The dimension along which these join, and how many dimensions they give to what has fewer: then of size 1 along it.
_AT_LEAST = {"hstack": (1, 1), "vstack": (0, 2), "row_stack": (0, 2), "column_stack": (1, 2), "dstack": (2, 3)}
JOINING = frozenset({*_ALONG, _STACK, _FLATTENING, *_AT_LEAST})
COPYING = frozenset({"clone", "contiguous", "to", "type", "float", "double", "half", "bfloat16", "cpu", "cuda"})


def parts(name: str, whole: TracedTensor, joined: Sequence[TracedTensor], dim: int) -> list[Region] | None:
    """Where each of the tensors that a call joined lies in what it made of them; None where that is not known.

    Args:
        name: the call's, one of :data:`JOINING`.
        whole: what it made.
        joined: what it was given.
        dim: the dimension that it was given.
    """
    count = len(whole.shape)
    if not count or whole.layout != _STRIDED:
        return None
    if name in _AT_LEAST:
        dim, least = _AT_LEAST[name]
        dim = min(dim, count - 1)
        sizes = [part.shape[dim] if len(part.shape) >= least else 1 for part in joined]
    elif name == _FLATTENING:
        dim, sizes = 0, [math.prod(part.shape) for part in joined]
    else:
        dim %= count
        # An empty list of numbers may be joined to anything.
        sizes = [1 if name == _STACK else part.shape[dim] if len(part.shape) == count else 0 for part in joined]
    return parts_of(whole, sizes, dim)


def copied(runs: Runs, copy: TracedTensor, of: TracedTensor) -> Runs | None:
    """Where some bytes of a tensor lie in a copy of it; None where one has gaps, is sparse, or is in another order."""
    if (copy.layout, of.layout) != (_STRIDED, _STRIDED):
        return None
    if copy.shape != of.shape or copy.start >= copy.stop or of.start >= of.stop:
        return None
    count = math.prod(copy.shape)
    size, before = (copy.stop - copy.start) // count, (of.stop - of.start) // count
    if _order(copy, size) != _order(of, before) or not (_is_dense(copy, size) and _is_dense(of, before)):
        return None
    return tuple(
        (copy.start + (start - of.start) // before * size, copy.start + (stop - of.start) // before * size)
        for start, stop in runs
    )


def _order(tensor: TracedTensor, itemsize: int) -> list[int]:
    """The strides of a tensor in numbers, of those dimensions that have some; none of one that is contiguous."""
    pairs = zip(tensor.shape, tensor.strides, strict=False)
    return [stride // itemsize for size, stride in pairs if size > 1] if itemsize else []


def _is_dense(tensor: TracedTensor, itemsize: int) -> bool:
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=False))
    return not tensor.strides or tensor.start + last + itemsize == tensor.stop
