"""A saved tensor that was overwritten, and what a comparison must put back to know what comes of it."""

from __future__ import annotations

import msgspec

from graphvis.analysis.diagnosing.regions import Region
from graphvis.model import Change, Conflict


class Overwritten(msgspec.Struct, frozen=True, kw_only=True):
    """A conflict, with what a comparison must put back to know its effect.

    Attributes:
        conflict: what is told of it.
        call: the call that saved; None where it was not seen.
        readers: autograd's sequence numbers of the nodes that read it in backward: the one that saved it, or all of a
            checkpoint, which runs again on it.
        storage: the memory that the saved tensor lies in, in the trace's numbers; None where it is not known.
        region: its bytes there.
        writes: the later calls that wrote there, or where it lay before, without being counted for it, and those that
            gave it other memory; ascending.
        change: how it is known that another library wrote there, if it did.
    """

    conflict: Conflict
    call: int | None = None
    readers: tuple[int, ...] = ()
    storage: int | None = None
    region: Region | None = None
    writes: tuple[int, ...] = ()
    change: Change | None = None
