"""Where the parts of a concatenation lie in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphvis.analysis.diagnosing.flow.laying import Laid, laid
from graphvis.model import TracedTensor

_ALONG = frozenset({"cat", "concat", "concatenate"})
_STACK = "stack"
_FLATTENING = "flatten_dense_tensors"
# The dimension along which these join, and how many dimensions they give to what has fewer: then of size 1 along it.
_AT_LEAST = {"hstack": (1, 1), "vstack": (0, 2), "row_stack": (0, 2), "column_stack": (1, 2), "dstack": (2, 3)}
JOINING = frozenset({*_ALONG, _STACK, _FLATTENING, *_AT_LEAST})


def parts(name: str, whole: TracedTensor, joined: Sequence[TracedTensor], dim: int) -> list[Laid] | None:
    """Where each of the tensors that a call joined lies in what it made of them; None where one was left out, say.

    Args:
        name: the call's, one of :data:`JOINING`.
        whole: what it made.
        joined: what it was given.
        dim: the dimension that it was given.
    """
    count, numbers = len(whole.shape), laid(whole)
    if not count or numbers is None:
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
    if sum(sizes) != whole.shape[dim]:
        return None
    found, start = [], numbers.start
    for size in sizes:
        shape = (*whole.shape[:dim], size, *whole.shape[dim + 1 :])
        found.append(numbers._replace(start=start, shape=shape))
        start += size * numbers.strides[dim]
    return found
