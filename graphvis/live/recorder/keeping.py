"""What a recording keeps of memory that is about to be overwritten: all, or what a backward may still need."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch._C import DisableTorchFunction

from graphvis.analysis.diagnosing.overwritten import Overwritten
from graphvis.analysis.diagnosing.regions import Region
from graphvis.live.recorder import writing
from graphvis.live.recorder.arguments import tensors_of
from graphvis.live.recorder.exposures import Exposures
from graphvis.live.recorder.functions import Function
from graphvis.live.recorder.identity import Identities
from graphvis.live.recorder.images import Copy, Image, Images, copy_of
from graphvis.live.recorder.stakes import Stakes
from graphvis.live.unwatched import unwatched

MOST_BYTES = 1 << 30
"""How much is kept in all, where everything is."""
MOST_BYTES_AT_STAKE = 1 << 28
"""How much is kept in all, and of one call, where only what is at stake is."""


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


class Keeping:
    """Copies of what calls overwrite, each on its device and without waiting for it.

    Attributes:
        everything: whether all that is overwritten is kept; else only what no version counter tells of, in memory that
            a backward may still need.
        images: the copies.
        stakes: what a backward may still need.
    """

    def __init__(
        self,
        everything: bool,
        identities: Identities,
        exposures: Exposures,
        calls: list[tuple[Any, ...]],
        functions: list[Function],
    ) -> None:
        """Begin; all but the first are those of the recording, and grow."""
        self.everything = exposures.keep = everything
        self.images = Images(MOST_BYTES if everything else MOST_BYTES_AT_STAKE)
        self.stakes = Stakes(identities, calls, functions)
        self._identities, self._exposures = identities, exposures

    # -- around a call

    def look(self, function: Function, args: Any, kwargs: Any) -> list[Copy]:
        """Copy what a call is about to overwrite."""
        if function.writes == "checked" and function.inplace < 0:
            return []  # a composite is handed much and writes to little, if at all
        if function.name == "Tensor.data.__set__":
            return self._held(args[0])
        if not (self.everything or self.stakes.may_lose(function)):
            return []
        with DisableTorchFunction():
            targets = writing.surely(function, tensors_of(args, kwargs), args, kwargs)
            if not self.everything:
                self.stakes.evaluated |= function.writes == "statistics" and not targets
                targets = [one for one in targets if self.stakes.loses(function, one)]
                if sum(one.numel() * one.element_size() for one in targets) > MOST_BYTES_AT_STAKE:
                    return []
        if not targets:
            return []
        with unwatched():
            item = function.name == "Tensor.__setitem__"
            copies = [copy_of(one, writing.part_of(one, args[1]) if item else None) for one in targets]
        return [copied for copied in copies if copied is not None]

    def keep(self, call: int, function: Function, args: Any, copies: list[Copy]) -> None:
        """Keep the copies of what a call overwrote, now that it has run and is written down."""
        if function.name != "Tensor.data.__set__":
            self.images.keep(call, self._identities, copies)
            return
        for old in copies:
            with unwatched():
                moved = _moved(old, args[0])
            if moved is not None:
                if args[0].is_contiguous():  # else its bytes are not in the order of the old ones
                    self.images.follow(self._identities, old, moved)
                self.images.keep(call, self._identities, [moved])

    def wants(self, storage: Any) -> bool:
        """Whether to keep what is written to a storage itself."""
        return self.everything or self.stakes.needs_storage(storage)

    def _held(self, tensor: Any) -> list[Copy]:
        """A copy of all that a tensor holds, without gaps, before it is given other memory."""
        with unwatched():
            if not self.everything and (
                tensor.numel() * tensor.element_size() > MOST_BYTES_AT_STAKE or not self.stakes.needs(tensor)
            ):
                return []
            copied = copy_of(tensor.detach().contiguous(), None)
        return [] if copied is None else [copied]

    # -- what was there

    def __bool__(self) -> bool:
        """Whether anything is kept that could be put back."""
        return bool(self.images) or self.everything

    def before(self, found: Overwritten) -> Old | None:
        """What was overwritten of a saved tensor; None where some of it is not known, or its memory has died."""
        if found.change is not None:
            storage, region = self._exposures.place(found.change.tensor)
            values = self._exposures.values(found.change.tensor, found.change.until)
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


def _moved(copied: Copy, tensor: Any) -> Copy | None:
    """A copy of what a tensor held, as of the memory that it has been given instead, if it lies there without gaps."""
    there = copy_of(tensor.detach(), None)
    strides = [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1]
    if there is None or 0 in strides or not (copied[2].numel() == there[2].numel() == tensor.nbytes):
        return None
    # What was copied lies row by row; what has been given may lie in another order, as of a transposed tensor.
    laid = there[2].view(tensor.dtype).as_strided(tensor.shape, tensor.stride())
    laid.copy_(copied[2].view(tensor.dtype).view(tensor.shape))
    return there
