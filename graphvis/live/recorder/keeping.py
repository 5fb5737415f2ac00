"""What a recording keeps of memory that is about to be overwritten: all, or what a backward may still need."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch._C import DisableTorchFunction

from graphvis.analysis.diagnosing.overwritten import Overwritten
from graphvis.analysis.diagnosing.regions import Region
from graphvis.live.recorder import writing
from graphvis.live.recorder.arguments import tensors_of
from graphvis.live.recorder.exposures import Exposures
from graphvis.live.recorder.functions import Function
from graphvis.live.recorder.identity import Identities
from graphvis.live.recorder.images import Image, Images, copy_of
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

    def look(self, function: Function, args: Any, kwargs: Any) -> list[Any]:
        """Copy what a call is about to overwrite; of a tensor that is given other memory, the alias that it had."""
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

    def keep(self, call: int, function: Function, args: Any, looked: list[Any]) -> None:
        """Keep what a call overwrote, now that it has run and is written down.

        Args:
            call: its index.
            function: what it called.
            args: what it was given.
            looked: what :meth:`look` found.
        """
        if function.name != "Tensor.data.__set__":
            self.images.keep(call, self._identities, looked)
            return
        with unwatched():
            for old in looked:
                self._keep_exchanged(call, old, args[0].detach())

    def wants(self, storage: Any) -> bool:
        """Whether to keep what is written to a storage itself."""
        return self.everything or self.stakes.needs_storage(storage)

    def _held(self, tensor: Any) -> list[Any]:
        """An alias of what a tensor holds, before it is given other memory."""
        with unwatched():
            if not self.everything and (
                tensor.numel() * tensor.element_size() > MOST_BYTES_AT_STAKE or not self.stakes.needs(tensor)
            ):
                return []
            return [tensor.detach()]

    def _keep_exchanged(self, call: int, old: Any, new: Any) -> None:
        """Keep what a tensor held as what was in the memory that it has been given, if it lies there without gaps."""
        if new.layout is not torch.strided:
            return
        before, there = copy_of(old, None), copy_of(new, None)
        if before is None or there is None or (old.dtype, old.numel()) != (new.dtype, new.numel()):
            return
        overlaps = any(size > 1 and stride == 0 for size, stride in zip(new.shape, new.stride(), strict=True))
        if overlaps or there[2].numel() != new.nbytes:
            return

        def laid(values: torch.Tensor) -> torch.Tensor:
            """The bytes of the old memory as they lie in the new one, perhaps in another order."""
            lying = torch.empty_like(there[2])
            was = values.view(old.dtype).as_strided(old.shape, old.stride())
            lying.view(new.dtype).as_strided(new.shape, new.stride()).copy_(was.reshape(new.shape))
            return lying

        self.images.follow(self._identities, before, there, laid)
        self.images.keep(call, self._identities, [(*there[:2], laid(before[2]))])

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
