"""Memory as it was before a write, where a recording keeps it: a probe puts it back for a moment.

An image is a copy of bytes. It is dropped when the memory that it is of dies, and the oldest are dropped beyond a
limit, so that a long loop of optimizer steps does not fill the machine.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from graphvis.live.recorder.components import values_of
from graphvis.live.recorder.identity import Identities
from graphvis.live.recorder.raw import Part
from graphvis.live.walker.tensors import runs_code

# The storage that was copied from, the first byte, and the bytes.
Copy = tuple[Any, int, torch.Tensor]


class Image(NamedTuple):
    """Some bytes as they were before a call wrote to them.

    Attributes:
        storage: the number of the memory that they lie in, in the trace.
        start: the first byte.
        values: the bytes, on their device.
    """

    storage: int
    start: int
    values: torch.Tensor

    @property
    def stop(self) -> int:
        """One past the last byte."""
        return self.start + self.values.numel()


class Images:
    """The images of one recording, by the call that wrote.

    Args:
        most_bytes: how much is kept in all; what the last call overwrote is kept however large it is.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[int, list[Image]] = {}
        self._memories: dict[int, weakref.ref[Any]] = {}
        self._writers: dict[int, set[int]] = {}  # the calls that wrote to a memory
        self._bytes = 0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._kept)

    def keep(self, call: int, identities: Identities, copies: list[Copy]) -> None:
        """Keep what a call overwrote, and drop the oldest images beyond the limit."""
        self._kept[call] = [self._image(call, identities, *copied) for copied in copies]
        self._bytes += sum(image.values.numel() for image in self._kept[call])
        for older in list(self._kept):
            if self._bytes <= self._most_bytes or older == call:
                break
            self._drop(older)

    def follow(
        self, identities: Identities, old: Copy, new: Copy, laid: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        """Have the images of some bytes also be those of others: a tensor that lay there was given other memory.

        Args:
            identities: of the recording.
            old: where it lay, and what is there.
            new: where it lies.
            laid: what lay at the one place as it lies at the other.
        """
        number, start, _ = _place(identities, *old[:2])
        other, there, storage = _place(identities, *new[:2])
        if other == number:
            return
        self._watch(other, storage)
        then = old[2].clone()
        for call in sorted(self._writers.get(number, ()), reverse=True):
            touched = False
            for image in reversed(self.of(call, number)):
                first, last = max(start, image.start), min(start + then.numel(), image.stop)
                if first < last:
                    then[first - start : last - start] = image.values[first - image.start : last - image.start]
                    touched = True
            if touched:
                values = laid(then)
                self._kept[call].append(Image(other, there, values))
                self._writers.setdefault(other, set()).add(call)
                self._bytes += values.numel()

    def of(self, call: int, storage: int) -> list[Image]:
        """What a call overwrote in a memory, as far as it is still kept."""
        return [image for image in self._kept.get(call, ()) if image.storage == storage]

    def memory(self, storage: int) -> Any:
        """The live storage of that number; None if none of it was written, or it has died."""
        reference = self._memories.get(storage)
        return None if reference is None else reference()

    def _image(self, call: int, identities: Identities, storage: Any, start: int, values: torch.Tensor) -> Image:
        number, first, memory = _place(identities, storage, start)
        self._watch(number, memory)
        self._writers.setdefault(number, set()).add(call)
        return Image(number, first, values)

    def _watch(self, number: int, storage: Any) -> None:
        """Drop the images of a memory when it dies."""
        if number not in self._memories and storage is not None:
            mine = weakref.ref(self)

            def forget(_: object) -> None:
                if (images := mine()) is not None:
                    images._forget(number)

            self._memories[number] = weakref.ref(storage, forget)

    def _drop(self, call: int) -> None:
        self._bytes -= sum(image.values.numel() for image in self._kept.pop(call, ()))

    def _forget(self, storage: int) -> None:
        self._memories.pop(storage, None)
        for call in self._writers.pop(storage, ()):
            left = [image for image in self._kept.get(call, ()) if image.storage != storage]
            self._drop(call)
            if left:
                self._kept[call] = left
                self._bytes += sum(image.values.numel() for image in left)


def _place(identities: Identities, storage: Any, start: int) -> tuple[int, int, Any]:
    """The number of the memory that a byte of a storage lies in, which byte it is there, and the live storage."""
    number = identities.storage_of(storage)
    if number not in identities.windows:
        return number, start, storage
    base, shift = identities.windows[number]
    return base, start + shift, identities.exported[base][2]()


def bytes_of(storage: Any, start: int, stop: int) -> torch.Tensor:
    """Some bytes of a storage as a tensor that shares them, and with a version counter of its own."""
    alias = torch.empty(0, dtype=torch.uint8, device=storage.device)
    # The base's own: the one of torch.Tensor is what a recording listens to.
    return torch._C.TensorBase.set_(alias, storage, start, (stop - start,), (1,))


def copy_of(tensor: torch.Tensor, part: Part | None) -> Copy | None:
    """A copy of a tensor's bytes, or of a part of them, gaps included; None where there are none that can be copied."""
    if tensor.layout is not torch.strided:
        tensor = values_of(tensor)
    if tensor is None or runs_code(tensor) or tensor.device.type == "meta":
        return None
    first, shape, strides = (int(tensor.storage_offset()), tensor.shape, tensor.stride()) if part is None else part
    if 0 in shape:
        return None
    itemsize = tensor.element_size()
    last = first + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    try:
        storage = tensor.untyped_storage()
        return storage, first * itemsize, bytes_of(storage, first * itemsize, (last + 1) * itemsize).clone()
    except RuntimeError:  # memory that is not there, as of a tensor that was resized away
        return None
