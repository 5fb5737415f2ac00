"""The forward calls of one recorded run."""

from __future__ import annotations

import msgspec

from graphvis.model.document import Document
from graphvis.model.location import Location


class TracedTensor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tensor that a recorded run saw; its number is its place in :attr:`Trace.tensors`.

    Attributes:
        name: a local's or a parameter's name; None where it has none.
        shape: sizes when it was first seen.
        dtype: as in :class:`~graphvis.model.tensor.TensorInfo`.
        storage: tensors with the same number share memory (a NumPy array's included).
        start: first byte of its region in that memory.
        stop: one past the last byte of its region.
        leaf: whether it was a leaf that requires grad when first seen.
        strides: bytes from one element to the next along each dimension; empty where it is contiguous.
        former: the number of the same tensor before its memory was exchanged (``t.data = u``,
            ``set_``, a write to a sparse tensor that gives it new values); None where it never was.
        layout: PyTorch's word without its prefix, e.g. ``sparse_coo``.
        values: sizes of what lies in its memory, where that is not the tensor itself but its values,
            as of one that is sparse; empty where it is the tensor.
        wrapped: whether it is a wrapper of ``torch.func``, and its memory that of the tensor inside.
        indices: where those of a sparse tensor lie: storage, first byte, one past the last.
        unmade: whether it came into being during the run and was first seen when it went into a call, so that nobody
            knows of what it was made.
    """

    name: str | None = None
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    storage: int | None = None
    start: int = 0
    stop: int = 0
    leaf: bool = False
    strides: tuple[int, ...] = ()
    former: int | None = None
    layout: str = "strided"
    values: tuple[int, ...] = ()
    indices: tuple[tuple[int, int, int], ...] = ()
    wrapped: bool = False
    unmade: bool = False


class Write(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An in-place write, with the region that it touched.

    Attributes:
        tensor: number of the tensor that was written through.
        storage: the memory that was written; see :class:`TracedTensor`.
        start: first byte of the region.
        stop: one past its last byte.
        counted: whether the version counter saw it.
        shape: sizes of the region, where it has gaps; empty for a region without.
        strides: bytes from one element to the next along each dimension of `shape`.
        whole: whether all of the region was written; False where only some of it may have been (a mask).
    """

    tensor: int
    storage: int | None = None
    start: int = 0
    stop: int = 0
    counted: bool = True
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    whole: bool = True


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value that left PyTorch as a Python object and came back at this call.

    Attributes:
        exit: index of the call at which it left (``item``, ``numpy``, ``tolist``, pickling, ...).
        certain: whether it is known to be the same object or the same memory; False where that is
            inferred from the source between the two lines.
    """

    exit: int
    certain: bool = True


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor in memory that another library shares, and whose values have changed.

    Attributes:
        tensor: its number.
        after: what a call beyond this one saved of it, and no call beyond `until`, is no longer what was saved.
        until: the call at which its values were last seen as they were.
        shared: the call that shared the memory.
    """

    tensor: int
    after: int
    until: int
    shared: int


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One forward call as PyTorch saw it.

    Attributes:
        function: dotted name without ``torch.``'s private parts, e.g. ``Tensor.detach``,
            ``torch.nn.functional.relu``; for hooks that PyTorch does not report, ``Function.apply
            (Name)``, ``nn.Parameter``, ``torch.from_numpy``, ...
        inputs: numbers of the tensors that went in, in argument order, nested ones too.
        outputs: numbers of the tensors that came out (for an in-place call the input's own).
        connected: for each input, whether a gradient edge led to it when it went in. Not merely
            ``requires_grad``.
        results: for each output, whether a gradient edge leads to it.
        grad_mode: whether grad mode was on.
        inference: whether inference mode was on.
        location: index into :attr:`Trace.locations` of the innermost line outside torch.
        caller: the same for the user's own frame, where `location` lies in a library; else None.
        module: index into :attr:`Trace.modules`; 0 is the empty path.
        sequence: autograd's sequence number before and after the call: a node whose
            ``_sequence_nr()`` lies in the half-open range was made by it.
        writes: the in-place writes that it made.
        inner: whether it ran inside a ``Function``'s forward: its gradient is judged at apply.
        entries: the values that came back into PyTorch with this call.
        untold: for a call by which a value left, whether it went where neither the recording nor the source tells of
            it: then it may have come back with any later call.
        forwarded: for ``Function.apply``, how many of the last inputs are not arguments but the
            results that its forward handed over.
        dim: for ``torch.cat`` and ``torch.stack`` the dimension along which they join.
        aligned: how many of the first `inputs` are read place by place, where they can be broadcast to the shape of an
            output: a number of that depends on none of their numbers but the one at its own place.
    """

    function: str
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    connected: tuple[bool, ...] = ()
    results: tuple[bool, ...] = ()
    grad_mode: bool = True
    inference: bool = False
    location: int = 0
    caller: int | None = None
    module: int = 0
    sequence: tuple[int, int] = (0, 0)
    writes: tuple[Write, ...] = ()
    inner: bool = False
    entries: tuple[Entry, ...] = ()
    untold: bool = False
    forwarded: int = 0
    dim: int = 0
    aligned: int = 0


class Trace(Document, frozen=True, kw_only=True, tag="graphvis/trace/1"):
    """The calls of one recorded run, in order.

    Attributes:
        torch: the version of PyTorch that ran it.
        calls: in the order in which they ended.
        tensors: every tensor that took part, by number.
        locations: each line once.
        modules: each dotted module path once; the first is empty.
        notes: what could not be seen, in sentences (other threads, scripted modules, ...).
        changes: what was changed in shared memory, by a call or by the library that shares it.
        unseen: whether something was computed that the calls do not show: then no value is known
            not to have been used.
    """

    torch: str = ""
    calls: tuple[Call, ...] = ()
    tensors: tuple[TracedTensor, ...] = ()
    locations: tuple[Location, ...] = ()
    modules: tuple[str, ...] = ("",)
    notes: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    unseen: bool = False
