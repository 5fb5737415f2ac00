"""A recording that also keeps what is overwritten."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphvis.analysis.diagnosing import Overwritten
from graphvis.analysis.diagnosing.regions import Region
from graphvis.live.recorder import writing
from graphvis.live.recorder.arguments import tensors_of
from graphvis.live.recorder.functions import Function
from graphvis.live.recorder.images import Copy, Image, Images, copy_of
from graphvis.live.recorder.recording import Recording
from graphvis.live.unwatched import unwatched


class Old(NamedTuple):
    """What was overwritten of a saved tensor.

    Attributes:
        storage: the live memory that it lies in.
        region: its bytes there.
        images: what they were, the latest write first; together they give what was saved.
    """

    storage: Any
    region: Region
    images: tuple[Image, ...]


class KeepingRecording(Recording):
    """A recording that copies what a write is about to overwrite, on its device and without waiting for it.

    Attributes:
        images: the copies.
    """

    def __init__(self) -> None:
        super().__init__()
        self.images = self.tape.images = Images()
        self.tape.exposures.keep = True

    def before(self, found: Overwritten) -> Old | None:
        """What was overwritten of a saved tensor; None where some of it is not known, or its memory has died."""
        if found.change is not None:
            storage, region = self.tape.exposures.place(found.change.tensor)
            values = self.tape.exposures.values(found.change.tensor, found.change.until)
            return (
                None if storage is None or values is None else Old(storage, region, (Image(-1, region.start, values),))
            )
        if found.storage is None or found.region is None:
            return None
        storage = self.images.memory(found.storage)
        if storage is None or storage.nbytes() < found.region.stop:
            return None
        images: list[Image] = []
        for call in reversed(found.writes):
            kept = self.images.of(call, found.storage)
            if not kept:
                return None
            images += reversed(kept)
        return Old(storage, found.region, tuple(images))

    def _run(self, index: int, function: Function, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        calls = self.tape.calls
        exchanges = function.name == "Tensor.data.__set__"
        copies, first = _held(args[0]) if exchanges else _copies(function, args, kwargs), len(calls)
        result = super()._run(index, function, func, types, args, kwargs)
        if exchanges:
            copies = _moved(copies, args[0])
        if copies and len(calls) > first:
            self.images.keep(len(calls) - 1, self.tape.identities, copies)
        return result


def record(*, values: bool = False) -> Recording:
    """Watch the calls of the block: ``with graphvis.record() as trace: loss = step(model, batch)``.

    Args:
        values: also keep what is overwritten; see :func:`graphvis.record`.
    """
    return KeepingRecording() if values else Recording()


def _held(tensor: Any) -> list[Copy]:
    """A copy of all that a tensor holds, without gaps."""
    with unwatched():
        copied = copy_of(tensor.detach().contiguous(), None)
    return [] if copied is None else [copied]


def _moved(copies: list[Copy], tensor: Any) -> list[Copy]:
    """Copies of what a tensor held, as of the memory that it has been given instead, if it lies there without gaps."""
    with unwatched():
        if not tensor.is_contiguous():
            return []
        storage, start = tensor.untyped_storage(), tensor.storage_offset() * tensor.element_size()
        return [(storage, start, values) for _, _, values in copies if values.numel() == tensor.nbytes]


def _copies(function: Function, args: Any, kwargs: Any) -> list[Copy]:
    """What a call is about to overwrite."""
    if function.writes == "checked" or not (function.writes or (kwargs and "out" in kwargs)):
        return []  # a composite is handed much and writes to little, if at all
    with unwatched():
        item = function.name == "Tensor.__setitem__"
        found = writing.targets(function, tensors_of(args, kwargs), args, kwargs)
        copies = [copy_of(tensor, writing.part_of(tensor, args[1]) if item else None) for tensor, _ in found]
    return [copied for copied in copies if copied is not None]
