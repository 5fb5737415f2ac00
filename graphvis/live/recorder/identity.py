"""Numbers for live tensors that neither keep them alive nor leave a mark on them.

``id`` is reused, a weak reference to a tensor makes ``swap_tensors`` raise, an attribute is copied
and pickled. What is left: the id, believed only while the storage that was seen with it lives (a
weak reference to the *storage* disturbs nobody), and a new number for whatever a call hands out.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch

from graphvis.live.recorder.arguments import LEAF, REQUIRES_GRAD, flag_of, flag_within
from graphvis.live.recorder.births import Births
from graphvis.live.recorder.components import indices_of, unwrapped, values_of
from graphvis.live.walker.tensors import runs_code

_STRIDED, _Tensor = torch.strided, torch.Tensor
# PyTorch's own: that of a class which has another, as FakeTensor, cannot be asked while one is being made.
_layout_of: Callable[[Any], torch.layout] = vars(torch._C.TensorBase)["layout"].__get__
# One entry a tensor: number, the weak reference to its storage (None where it has none), and its storage offset.
Entry = tuple[int, "weakref.ref[Any] | None", int]


class Identities:
    """The numbers of tensors and of the memory they lie in."""

    def __init__(self) -> None:
        self.tensors: list[tuple[Any, ...]] = []  # each as RawTensor has it
        self._entries: dict[int, Entry] = {}
        self._storages: dict[int, tuple[weakref.ref[Any], int]] = {}
        # Of tensors that lie elsewhere, in the memory of their values: the storage of those and their storage offset.
        self._elsewhere: dict[int, tuple[weakref.ref[Any] | None, int]] = {}
        # Of tensors that are not what lies in their memory: their own shape, and their layout.
        self.layouts: dict[int, tuple[Any, Any]] = {}
        # Where it lies where the numbers of a sparse tensor stand: storages, each with its first byte and one past it.
        self.patterns: dict[int, tuple[tuple[int, int, int], ...]] = {}
        self.storage_count = 0
        self.formers: dict[int, int] = {}
        # Memory that NumPy or another library may hold too: address, size, weak reference, the call it went by.
        self.exported: dict[int, tuple[int, int, weakref.ref[Any], int]] = {}
        # Tensors that were first seen as they went into a call, in such memory: number, and the call it went by.
        self.adopted: dict[int, int] = {}
        # Where a storage is a window into another one: its number and the byte it begins at.
        self.windows: dict[int, tuple[int, int]] = {}
        # Told of each tensor that nobody saw being made, and whose memory was known before it.
        self.on_alias: Callable[[int], None] | None = None
        self.births = Births()
        # Tensors that came into being while it was on, in memory of their own, and that no call was seen to make.
        self.unmade: set[int] = set()
        self._spans: dict[int, tuple[int, int]] = {}
        # Of tensors that compute with others, which they hold: the storages of these, and who holds each.
        self.held: dict[int, tuple[int, ...]] = {}
        self.holders: dict[int, int] = {}

    def find(self, tensor: Any) -> int | None:
        """The number of `tensor`; None if it was not seen."""
        entry = self._entries.get(id(tensor))
        if entry is None:
            return None
        number, reference, offset = entry
        lying = tensor
        if _layout_of(tensor) is not _STRIDED:
            if (lying := values_of(tensor)) is None:
                return number  # it cannot be told whether it is the same
        elif reference is None:
            lying = unwrapped(tensor)
        if reference is None:
            reference, offset = self._elsewhere.get(number, (None, 0))
        try:
            storage = lying.untyped_storage()
        except (RuntimeError, NotImplementedError):
            return number if reference is None else None
        if reference is None or reference() is not storage:
            return None
        # Another view of the same memory may have taken the place of a dead one, out of our sight.
        return number if lying.storage_offset() == offset else None

    def see(self, tensor: Any) -> int:
        """The number of `tensor`, a new one if it was not seen."""
        number = self.find(tensor)
        if number is None:
            memories = self.storage_count
            number = self.add(tensor)
            # It was made where nobody was told; by from_numpy under a name of its own, say.
            known = 0 <= self.tensors[number][3] < memories
            if not known and self.exported and (call := self.adopt(tensor)) is not None:
                self.adopted[number] = call
            elif self.on_alias is not None and (known or number in self.held or self.claim(tensor)):
                self.on_alias(number)
            elif self.tensors[number][2] != REQUIRES_GRAD | LEAF and self.births.saw(tensor) and _is_computed(tensor):
                self.unmade.add(number)
        return number

    def see_all(self, tensors: list[Any]) -> tuple[tuple[int, ...], int]:
        """The numbers of several tensors and their flags, two bits each, the first lowest.

        It does what :meth:`see` and :func:`flag_of` do, without a call for each tensor that is known.
        """
        entries = self._entries
        numbers = []
        flags = shift = 0
        for tensor in tensors:
            flag = flag_of(tensor) if tensor.requires_grad else LEAF
            entry = entries.get(id(tensor))
            if entry is not None and entry[1] is not None:
                try:
                    if entry[1]() is tensor.untyped_storage() and tensor.storage_offset() == entry[2]:
                        numbers.append(entry[0])
                        flags |= flag << shift
                        shift += 2
                        continue
                except (RuntimeError, NotImplementedError):
                    pass
            numbers.append(number := self.see(tensor))
            flags |= self.flag(tensor, number) << shift
            shift += 2
        return tuple(numbers), flags

    def flag(self, tensor: Any, number: int) -> int:
        """What a tensor of that number says of itself."""
        lies = self.tensors[number][3] >= 0 and number not in self._elsewhere
        return flag_of(tensor) if lies else flag_within(tensor)

    def lies_itself(self, number: int) -> bool:
        """Whether a tensor is what lies in its memory, and not another that it is made of or wrapped around."""
        return number not in self._elsewhere

    def is_wrapper(self, number: int) -> bool:
        """Whether a tensor is a wrapper of ``torch.func``."""
        return number in self._elsewhere and self.layouts[number][1] is _STRIDED

    def add(self, tensor: Any) -> int:
        """A new number for `tensor`, whatever stood at its place before."""
        number = len(self.tensors)
        if type(tensor) is not _Tensor and (inner := _held_by(tensor)):
            self.held[number] = tuple(self.storage_of(storage) for storage in inner)
            self.holders.update(dict.fromkeys(self.held[number], number))
        flags = flag_of(tensor) if tensor.requires_grad else LEAF
        lying = tensor if _layout_of(tensor) is _STRIDED else values_of(tensor)
        try:
            storage = lying.untyped_storage()
        except (AttributeError, RuntimeError, NotImplementedError):
            lying, flags = unwrapped(tensor), flag_within(tensor)
            storage = None if lying.layout is not _STRIDED or lying is tensor else lying.untyped_storage()
        if storage is None:  # opaque, or sparse within a transform: no memory to speak of
            self.tensors.append((tensor.shape, tensor.dtype, flags, -1, 0, None))
            self._entries[id(tensor)] = (number, None, 0)
            if _layout_of(tensor) is not _STRIDED:
                self.layouts[number] = (tensor.shape, tensor.layout)
            return number
        key = id(storage)
        known = self._storages.get(key)
        if known is None or known[0]() is not storage:
            known = self._storages[key] = (weakref.ref(storage), self.storage_count)
            self.storage_count += 1
        offset = lying.storage_offset()
        strides = None if lying.is_contiguous() else lying.stride()
        try:
            shape = lying.shape
        except RuntimeError:  # nested: its parts have shapes, and it has none
            shape, strides = (storage.nbytes() // tensor.element_size() - offset,), None
            self.layouts[number] = ((), _STRIDED)
        self.tensors.append((shape, tensor.dtype, flags, known[1], offset, strides))
        self._entries[id(tensor)] = (number, known[0] if lying is tensor else None, offset)
        if lying is not tensor:
            self._elsewhere[number] = (known[0], offset)
            self.layouts[number] = (tensor.shape, tensor.layout)
            if _layout_of(tensor) is not _STRIDED:
                self.patterns[number] = tuple(map(self._span_of, indices_of(tensor)))
        return number

    def _span_of(self, indices: Any) -> tuple[int, int, int]:
        """The storage of some indices, the first of their bytes there, and one past the last."""
        start = indices.storage_offset() * indices.element_size()
        last = sum((size - 1) * stride for size, stride in zip(indices.shape, indices.stride(), strict=True))
        stop = start + (1 + last) * indices.element_size() if indices.numel() else start
        return self.storage_of(indices.untyped_storage()), start, stop

    def renew(self, tensor: Any) -> int:
        """A new number for a tensor whose memory was exchanged (``set_``, ``.data = ...``, a write to a sparse one)."""
        former = self._entries.get(id(tensor))
        number = self.add(tensor)
        if former is not None:
            self.formers[number] = former[0]
        return number

    def moved(self, tensor: Any) -> int | None:
        """The number of a tensor that was seen and no longer lies where it did; None if it does."""
        entry = self._entries.get(id(tensor))
        return None if entry is None or self.find(tensor) is not None else entry[0]

    def drop(self, tensor: Any) -> None:
        """Forget a tensor whose memory was exchanged."""
        self._entries.pop(id(tensor), None)

    def bind(self, tensor: Any, number: int | None) -> None:
        """Note that `tensor` is the one of that number now (``swap_tensors``)."""
        if number is None:
            self._entries.pop(id(tensor), None)
        else:
            reference, offset = _memory_of(tensor)
            if _layout_of(tensor) is not _STRIDED:
                self._elsewhere[number], reference = (reference, offset), None
            self._entries[id(tensor)] = (number, reference, offset)

    def storage_of(self, storage: Any) -> int:
        """The number of a storage, a new one if it was not seen."""
        key = id(storage)
        known = self._storages.get(key)
        if known is not None and known[0]() is storage:
            return known[1]
        number = self.storage_count
        self.storage_count += 1
        self._storages[key] = (weakref.ref(storage), number)
        return number

    def living(self) -> set[int]:
        """The storages that somebody holds."""
        return {number for reference, number in self._storages.values() if reference() is not None}

    def export(self, tensor: Any, call: int) -> None:
        """Note that another library may hold the memory of `tensor` too, since that call."""
        storage = tensor.untyped_storage()
        number = self.storage_of(storage)
        self.exported[number] = (storage.data_ptr(), storage.nbytes(), weakref.ref(storage), call)

    def exporter(self, address: int, but: int = -1) -> tuple[int, int, int] | None:
        """The storage that was last exported and that an address lies in, the byte in it, and the call that did it."""
        found: tuple[int, int, int] | None = None
        for other, (start, size, reference, call) in self.exported.items():
            if other != but and start <= address < start + size and reference() is not None:
                found = (other, address - start, call) if found is None or call > found[2] else found
        return found

    def adopt(self, tensor: Any) -> int | None:
        """The call that exported the memory in which a tensor from another library lies; None for memory of its own."""
        try:
            storage = tensor.untyped_storage()
            address = storage.data_ptr()
        except (RuntimeError, NotImplementedError):
            return None
        number = self.storage_of(storage)
        found = self.exporter(address, number) if self.exported and number not in self.exported else None
        if found is None:
            return None
        other, start, call = found
        base, shift = self.windows.get(other, (other, 0))
        self.windows[number] = base, start + shift
        return call

    def claim(self, tensor: Any) -> bool:
        """Whether a tensor lies in known memory by a storage of its own that is none, as one made by DLPack does."""
        try:
            storage = tensor.untyped_storage()
            if storage.resizable():
                return False
            address = storage.data_ptr()
        except (RuntimeError, NotImplementedError):
            return False
        number = self.storage_of(storage)
        found = self._owner(address, number)
        if found is None:
            return False
        base, shift = self.windows.get(found[0], (found[0], 0))
        self.windows[number] = base, found[1] + shift
        return True

    def _owner(self, address: int, but: int) -> tuple[int, int] | None:
        """The live storage that an address lies in, and the byte in it."""
        spans: dict[int, tuple[int, int]] = {}
        found = None
        for reference, number in self._storages.values():
            span = self._spans.get(number)
            if span is None:
                if (storage := reference()) is None or storage.device.type != "cpu":
                    continue
                span = storage.data_ptr(), storage.data_ptr() + storage.nbytes()
            spans[number] = span
            if span[0] <= address < span[1] and number != but and number not in self.windows:
                storage = reference()
                # What is noted of it may be out of date.
                if storage is not None and 0 <= address - storage.data_ptr() < storage.nbytes():
                    found = number, address - storage.data_ptr()
        self._spans = spans
        return found

    def memory(self, tensor: Any) -> tuple[int, int, int] | None:
        """Where a live tensor lies: storage (-1 for an unseen one), first byte, one past the last; None for nowhere."""
        lying = tensor if _layout_of(tensor) is _STRIDED else values_of(tensor)
        try:
            storage = lying.untyped_storage()
        except (AttributeError, RuntimeError, NotImplementedError):
            return None
        tensor = lying
        known = self._storages.get(id(storage))
        if known is None or known[0]() is not storage:
            return -1, 0, 0
        number, start = known[1], tensor.storage_offset() * tensor.element_size()
        if tensor.is_nested:
            return number, start, int(tensor.untyped_storage().nbytes())
        stop = start
        if tensor.numel():  # a parameter of a lazy module has none yet, and no shape that it would tell
            last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
            stop = start + (1 + last) * tensor.element_size()
        if number in self.windows:
            number, shift = self.windows[number]
            start, stop = start + shift, stop + shift
        return number, start, stop


def _held_by(tensor: Any) -> list[Any]:
    """The storages of the tensors that one computes with, by a ``__torch_dispatch__`` of its class: its attributes."""
    found: list[Any] = []
    stack = [tensor]
    while stack:
        one = stack.pop()
        if not runs_code(one):
            if one is not tensor and (memory := _memory_of(one)[0]) is not None:
                found.append(memory())
            continue
        names = [*vars(one), *(name for base in type(one).__mro__ for name in getattr(base, "__slots__", ()))]
        inner = (getattr(one, name, None) for name in names)
        stack.extend(item for item in inner if isinstance(item, _Tensor))
    return found


def _is_computed(tensor: Any) -> bool:
    """Whether a tensor has memory of PyTorch's own: else it is data, of NumPy's, or of the thread that pins batches."""
    try:
        return bool(tensor.untyped_storage().resizable()) and not (tensor.is_cpu and tensor.is_pinned())
    except (RuntimeError, NotImplementedError):
        return False


def _memory_of(tensor: Any) -> tuple[weakref.ref[Any] | None, int]:
    lying = tensor if _layout_of(tensor) is _STRIDED else values_of(tensor)
    try:
        return weakref.ref(lying.untyped_storage()), lying.storage_offset()
    except (AttributeError, RuntimeError, NotImplementedError):
        return None, 0
