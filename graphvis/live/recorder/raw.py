"""What a recording keeps of a call and of a tensor: the order of the plain tuples that it appends.

While it records it appends bare tuples, because a named one takes several times as long to make. Whoever reads
them calls :meth:`RawCall._make`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

EXCHANGE = "memory.exchange"
"""The name of a call that only says that a tensor lies elsewhere from now on: the next one writes to it there."""
# First element, shape and strides (in elements) of the part of a tensor that was written.
Part = tuple[int, tuple[int, ...], tuple[int, ...]]
# A write: the tensor's number, whether the counter saw it, and the part; None for all of it.
RawWrite = tuple[int, bool, Part | None]


class RawCall(NamedTuple):
    """One call.

    Attributes:
        function: index into :attr:`Recording.functions`.
        inputs: the numbers of the tensors that went in.
        flags: of the inputs, two bits each, the first lowest (:func:`flag_of`).
        outputs: the numbers of the tensors that came out.
        results: the flags of the outputs.
        modes: whether grad mode was on (1), inference mode was on (2), a Function's forward was running (4).
        place: of the innermost frame outside torch; -1 for none.
        caller: the place of the user's own frame, the same where that is it; -1 for none.
        module: index into :attr:`Recording.modules`, from 1; 0 for none.
        before: autograd's sequence number before the call.
        after: and after it.
        writes: what it wrote to.
        entries: the exits whose values came back with it, as (call, certain).
        forwarded: how many inputs a Function's own forward had made; the dim along which a call joins.
    """

    function: int
    inputs: tuple[int, ...]
    flags: int
    outputs: tuple[int, ...]
    results: int
    modes: int
    place: int
    caller: int
    module: int
    before: int
    after: int
    writes: tuple[RawWrite, ...]
    entries: tuple[tuple[int, bool], ...]
    forwarded: int


class RawTensor(NamedTuple):
    """One tensor, as it was when it was first seen.

    Attributes:
        shape: its sizes; of one that is sparse, those of its values, as all that follows.
        dtype: its dtype.
        flags: :func:`flag_of` it.
        storage: the number of its storage; -1 where it has none.
        offset: of its first element in the storage, in elements.
        strides: in elements; None where it is contiguous.
    """

    shape: Any
    dtype: Any
    flags: int
    storage: int
    offset: int
    strides: tuple[int, ...] | None
