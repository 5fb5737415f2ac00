"""Numbers for live tensors that neither keep them alive nor leave a mark on them.

``id`` is reused, a weak reference to a tensor makes ``swap_tensors`` raise, an attribute is copied
and pickled. What is left: the id, believed only while the storage that was seen with it lives (a
weak reference to the *storage* disturbs nobody), and a new number for whatever a call hands out.
"""

from __future__ import annotations

import weakref
from typing import Any

# One entry a tensor: number and the weak reference to its storage (None where it has none).
Entry = tuple[int, "weakref.ref[Any] | None"]


class Identities:
    """The numbers of tensors and of the memory they lie in."""

    def __init__(self) -> None:
        self.shapes: list[Any] = []
        self.dtypes: list[Any] = []
        self.storages: list[int] = []
        self.offsets: list[int] = []
        self.strides: list[tuple[int, ...] | None] = []
        self.flags: list[int] = []
        self._entries: dict[int, Entry] = {}
        self._storages: dict[int, tuple[weakref.ref[Any], int]] = {}
        self.storage_count = 0
        # Memory that NumPy or another library may hold too: address, size, storage number, weak reference.
        self.exported: dict[int, tuple[int, int, weakref.ref[Any]]] = {}
        # Where a storage is a window into another one: its number and the byte it begins at.
        self.windows: dict[int, tuple[int, int]] = {}

    def find(self, tensor: Any) -> int | None:
        """The number of `tensor`; None if it was not seen."""
        entry = self._entries.get(id(tensor))
        if entry is None:
            return None
        number, reference = entry
        try:
            storage = tensor.untyped_storage()
        except (RuntimeError, NotImplementedError):
            return number if reference is None else None
        if reference is None or reference() is not storage:
            return None
        # Another view of the same memory may have taken the place of a dead one, out of our sight.
        return number if tensor.storage_offset() == self.offsets[number] else None

    def see(self, tensor: Any) -> int:
        """The number of `tensor`, a new one if it was not seen."""
        number = self.find(tensor)
        return self.add(tensor) if number is None else number

    def add(self, tensor: Any) -> int:
        """A new number for `tensor`, whatever stood at its place before."""
        number = len(self.shapes)
        self.shapes.append(tensor.shape)
        self.dtypes.append(tensor.dtype)
        self.flags.append(flags_of(tensor))
        self._place(tensor, number)
        return number

    def rebind(self, tensor: Any, number: int | None) -> None:
        """Note that `tensor` is the one of that number now (``swap_tensors``)."""
        if number is None:
            self._entries.pop(id(tensor), None)
        else:
            self.move(tensor, number)

    def move(self, tensor: Any, number: int) -> None:
        """Note that the tensor `number` lies in other memory now (``set_``, ``.data = ...``)."""
        self.shapes[number] = tensor.shape
        self._place(tensor, number, replace=True)

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

    def _place(self, tensor: Any, number: int, replace: bool = False) -> None:
        reference: weakref.ref[Any] | None = None
        storage_number, offset, strides = -1, 0, None
        try:
            storage = tensor.untyped_storage()
        except (RuntimeError, NotImplementedError):
            pass  # sparse, nested, or a wrapper of torch.func: no memory to speak of
        else:
            reference = weakref.ref(storage)
            storage_number = self.storage_of(storage)
            offset = tensor.storage_offset()
            if not tensor.is_contiguous():
                strides = tensor.stride()
        if replace:
            self.storages[number], self.offsets[number], self.strides[number] = storage_number, offset, strides
        else:
            self.storages.append(storage_number)
            self.offsets.append(offset)
            self.strides.append(strides)
        self._entries[id(tensor)] = (number, reference)

    def export(self, tensor: Any) -> None:
        """Note that another library may hold the memory of `tensor` too."""
        storage = tensor.untyped_storage()
        number = self.storage_of(storage)
        self.exported[number] = (storage.data_ptr(), storage.nbytes(), weakref.ref(storage))

    def import_(self, tensor: Any) -> None:
        """Find the memory that `tensor` shares with a tensor whose memory was exported."""
        storage = tensor.untyped_storage()
        number, address = self.storage_of(storage), storage.data_ptr()
        for other, (start, size, reference) in self.exported.items():
            if other != number and start <= address < start + size and reference() is not None:
                self.windows[number] = (other, address - start)
                return


REQUIRES_GRAD, LEAF = 1, 2


def flags_of(tensor: Any) -> int:
    """What a tensor says of itself without its ``grad_fn`` being touched, which would plant wrappers in the graph."""
    return (REQUIRES_GRAD if tensor.requires_grad else 0) | (LEAF if tensor.is_leaf else 0)
