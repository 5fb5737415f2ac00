"""Memory that another library shares and may write to by itself, as NumPy does, without PyTorch hearing of it.

What a call may have saved in such memory gets a checksum; so does all that is known to lie in a tensor's memory when
it is handed out. A checksum that is another later says that the values are. Equal values say nothing, so that there
is no false alarm. Nothing of this is done before the first memory is shared.
"""

from __future__ import annotations

import ctypes
import math
import weakref
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from graphvis.analysis.diagnosing.regions import Region, Runs, is_exact, runs
from graphvis.live.recorder.arguments import REQUIRES_GRAD
from graphvis.live.recorder.arrays import OF_ONE, references
from graphvis.live.recorder.functions import Function
from graphvis.live.recorder.identity import Identities
from graphvis.live.recorder.images import bytes_of
from graphvis.live.recorder.raw import RawTensor
from graphvis.model import Change

MOST_BYTES = 1 << 18
"""Of one tensor that go into a checksum; of a larger one that many, in pieces that are spread over it."""
_PIECE = 1 << 12
_MOST_KEPT = 1 << 26  # bytes of values, where they are kept
_MOST_TENSORS = 64  # of one memory that get a checksum when it is handed out


class _Shared(NamedTuple):
    """A memory that is shared.

    Attributes:
        memory: it, as long as it lives.
        call: the call that shared it.
        holder: the array that the other library has; None where it is not known.
    """

    memory: weakref.ref[Any]
    call: int
    holder: weakref.ref[Any] | None


class Exposures:
    """What a recording knows of shared memory.

    Attributes:
        shared: by storage, the memory that another library may write to now.
        keep: whether to keep the values too, not their checksums alone.
    """

    def __init__(self, identities: Identities, calls: list[Any], functions: list[Function], plain: list[bool]) -> None:
        """Begin.

        Args:
            identities: of the recording.
            calls: of the recording, which grow.
            functions: the same.
            plain: of each function whether its calls are written down the short way, on which nobody looks here: while
                memory is shared none is.
        """
        self._identities, self._calls, self._functions, self._plain = identities, calls, functions, plain
        self.keep = False
        self.shared: dict[int, _Shared] = {}
        self._kept: dict[tuple[int, int], torch.Tensor] = {}  # by tensor and call
        self._ever: dict[int, _Shared] = {}
        self._sums: dict[int, list[tuple[int, int]]] = {}  # by tensor: the calls, and the checksums at them
        self._pieces: dict[int, list[tuple[int, int]]] = {}  # by tensor: the bytes that go into its checksum
        self._in_storage: dict[int, list[int]] = {}
        self._indexed = 0
        # By storage, the arrays in whose memory tensors lie; None for one that nobody can ask after.
        self._arrays: dict[int, list[weakref.ref[Any] | None]] = {}

    # -- what is shared

    def come_from(self, tensor: Any, source: Any) -> None:
        """Note the array in whose memory a tensor lies; what was copied is nobody else's."""
        if tensor.layout is torch.strided and _lies_in(source, storage := tensor.untyped_storage()):
            self._hold(self._identities.storage_of(storage), source)

    def _hold(self, storage: int, array: Any) -> None:
        """Note an array in whose memory tensors lie, and the one that it is a part of."""
        held = self._arrays.setdefault(storage, [])
        try:
            held.append(weakref.ref(array))
            if (whole := getattr(array, "base", None)) is not None and _is_array(whole):
                held.append(weakref.ref(whole))
        except TypeError:  # a capsule, which anybody may have read
            held.append(None)

    def read_by_others(self, storage: int) -> bool:
        """Whether anybody beside tensors may read a memory that is shared: whether an array that lies in it is held."""
        storage = self._identities.windows.get(storage, (storage, 0))[0]  # where it is a tensor's own, that tensor's
        if storage not in self.shared:
            return False
        held = self._arrays.get(storage, [None])
        return any(known is None or references(known) > OF_ONE for known in held)

    def arrays(self) -> set[int]:
        """The arrays that were seen to be given a tensor's memory, or to give it theirs, by ``id``."""
        held = (known() for several in self._arrays.values() for known in several if known is not None)
        return {id(array) for array in held if array is not None}

    def hand_out(self, tensor: Any, array: Any) -> None:
        """Note that the call that is being written down gave `tensor`'s memory to `array`."""
        storage = tensor.untyped_storage()
        if storage.device.type != "cpu" or not _lies_in(array, storage):
            return
        number = self._identities.storage_of(storage)
        self._hold(number, array)
        self._share(number, storage, array)
        for known in self.known_in(number)[-_MOST_TENSORS:]:
            self._sum(known, len(self._calls))

    def take_in(self, tensor: Any, source: Any = None) -> None:
        """Note that the call that is being written down made `tensor` on memory of others: that of `source`, if any."""
        if tensor.layout is not torch.strided:
            return
        storage = tensor.untyped_storage()
        if storage.device.type == "cpu" and (source is None or _lies_in(source, storage)):
            self._share(self._identities.storage_of(storage), storage, None)

    def _share(self, number: int, storage: Any, array: Any) -> None:
        holder: weakref.ref[Any] | None = None
        if array is not None:
            mine = weakref.ref(self)

            def end(_: object) -> None:
                if (exposures := mine()) is not None:
                    exposures._end(number)

            try:
                holder = weakref.ref(array, end)
            except TypeError:  # a capsule, whose memory anybody may hold
                pass
        if number in self.shared and self.shared[number].holder is None:
            return
        self.shared[number] = self._ever[number] = _Shared(weakref.ref(storage), len(self._calls), holder)
        self._plain[:] = [False] * len(self._plain)

    def _end(self, number: int) -> None:
        """Nobody has an array on that memory any more."""
        known = self.shared.get(number)
        if known is not None and known.holder is not None and known.holder() is None:
            del self.shared[number]
            if not self.shared:
                self._plain[:] = [function.plain for function in self._functions]

    def known_in(self, storage: int) -> list[int]:
        """The tensors that lie in a storage."""
        tensors = self._identities.tensors
        for number in range(self._indexed, len(tensors)):
            if not self._identities.is_wrapper(number):
                self._in_storage.setdefault(tensors[number][3], []).append(number)
        self._indexed = len(tensors)
        return self._in_storage.get(storage, [])

    # -- checksums

    def look(self, tensors: tuple[int, ...], results: int) -> None:
        """Take the checksums of what the call that is being written down may have saved of shared memory.

        Args:
            tensors: that went in or came out.
            results: the flags of those that came out.
        """
        while results:
            if results & REQUIRES_GRAD:
                for number in tensors:
                    if self._identities.tensors[number][3] in self.shared:
                        self._sum(number, len(self._calls))
                return
            results >>= 2

    def begin(self, tensors: tuple[int, ...], call: int) -> None:
        """Take the checksums of what a call made on memory of others, which may be written to before it is used."""
        for number in tensors:
            if self._identities.tensors[number][3] in self.shared:
                self._sum(number, call)

    def _sum(self, number: int, call: int) -> None:
        value = self._checksum(number)
        if value is not None:
            self._sums.setdefault(number, []).append((call, value))
            if self.keep:
                self._keep(number, call)

    def _checksum(self, number: int) -> int | None:
        """Of a tensor's bytes; None where they are not there, or cannot be told from the gaps between them."""
        pieces = self._pieces.get(number)
        if pieces is None:
            region = self.place(number)[1]
            pieces = self._pieces[number] = list(_pieces(runs(region))) if is_exact(region) else []
        known = self._ever.get(self._identities.tensors[number][3])
        storage = None if known is None else known.memory()
        if not pieces or storage is None or pieces[-1][1] > storage.nbytes():
            return None
        value, address = 0, storage.data_ptr()
        for start, stop in pieces:
            value = zlib.crc32((ctypes.c_ubyte * (stop - start)).from_address(address + start), value)
        return value

    def _keep(self, number: int, call: int) -> None:
        storage, region = self.place(number)
        if sum(values.numel() for values in self._kept.values()) > _MOST_KEPT:
            self._kept = {key: values for key, values in self._kept.items() if self.place(key[0])[0] is not None}
        self._kept[number, call] = bytes_of(storage, region.start, region.stop).clone()

    def values(self, number: int, call: int) -> torch.Tensor | None:
        """The bytes of a tensor at a checksum; None where they were not kept."""
        return self._kept.get((number, call))

    def place(self, number: int) -> tuple[Any, Region]:
        """The storage of a tensor in shared memory, None if it has died, and its bytes there."""
        raw = RawTensor._make(self._identities.tensors[number])
        known = self._ever.get(raw.storage)
        return None if known is None else known.memory(), region_of(raw)

    def changes(self) -> tuple[Change, ...]:
        """The tensors whose values are no longer what they were at a checksum."""
        return tuple(change for number in sorted(self._sums) for change in self._changes_of(number))

    def _changes_of(self, number: int) -> Iterator[Change]:
        now = self._checksum(number)
        if now is None:
            return
        shared = self._ever[self._identities.tensors[number][3]].call
        after = -1
        for call, value in self._sums[number]:
            if value != now:
                yield Change(tensor=number, after=after, until=call, shared=shared)
            after = call


def _is_array(source: Any) -> bool:
    return getattr(source, "__array_interface__", None) is not None


def _lies_in(array: Any, storage: Any) -> bool:
    """Whether an array lies in a storage; one that does not say where it lies may."""
    interface = getattr(array, "__array_interface__", None)
    if interface is None:
        return type(array).__name__ == "PyCapsule"
    return bool(storage.data_ptr() <= interface["data"][0] < storage.data_ptr() + max(storage.nbytes(), 1))


def region_of(raw: RawTensor) -> Region:
    """The bytes of a tensor in its own storage."""
    itemsize, shape = raw.dtype.itemsize, tuple(raw.shape)
    start = raw.offset * itemsize
    if raw.strides is None or 0 in shape:
        return Region(start, start + math.prod(shape) * itemsize)
    strides = tuple(stride * itemsize for stride in raw.strides)
    last = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    return Region(start, start + last + itemsize, shape, strides, itemsize)


def _pieces(stretches: Runs) -> Iterator[tuple[int, int]]:
    """The stretches; of many bytes only so many, spread evenly."""
    total = sum(stop - start for start, stop in stretches)
    if total <= MOST_BYTES:
        yield from stretches
        return
    apart = total // (MOST_BYTES // _PIECE)
    skip = 0
    for start, stop in stretches:
        at = start + skip
        while at < stop:
            yield at, min(at + _PIECE, stop)
            at += apart
        skip = at - stop
