"""Which tensors show the memory of one that nobody was seen to make of them."""

from __future__ import annotations

from itertools import islice
from typing import Any

from graphvis.live.recorder.exposures import Exposures, region_of
from graphvis.live.recorder.identity import Identities
from graphvis.live.recorder.raw import RawTensor, RawWrite

_MOST_TENSORS = 256  # of one memory that are looked at, the newest, and the first
_MOST_CALLS = 10_000  # that are looked at for the last that handed out a tensor


class Showing:
    """Finds them among those that a recording has seen."""

    def __init__(self, identities: Identities, exposures: Exposures, calls: list[tuple[Any, ...]]) -> None:
        """For a recording whose calls are gathered in `calls`, each as RawCall has it."""
        self.identities, self.exposures, self.calls = identities, exposures, calls

    def under(self, number: int) -> tuple[tuple[int, ...], int]:
        """The tensors that show the memory of one, the newest, and several only where none shows all; their flags."""
        found = self._held(number) if number in self.identities.held else self._showing(number)
        flags = 0
        for place, other in enumerate(found):
            flags |= self.said(other) << 2 * place
        return tuple(found), flags

    def through(self, writes: tuple[RawWrite, ...]) -> tuple[RawWrite, ...]:
        """What was written, by these writes, to the tensors that those written to compute with."""
        held = self.identities.held
        return tuple((inner, False, None) for number, *_ in writes if number in held for inner in self._held(number))

    def _held(self, number: int) -> list[int]:
        """The newest tensors in the memory that one without any computes with."""
        windows, known_in = self.identities.windows, self.exposures.known_in
        known = [known_in(windows.get(storage, (storage, 0))[0]) for storage in self.identities.held[number]]
        return [numbers[-1] for numbers in known if numbers]

    def _showing(self, number: int) -> list[int]:
        start, stop = self._span(number)
        base = self._base(number)[0]
        known = self.exposures.known_in(base)
        found: list[int] = []
        first_of_many = known[:1] if len(known) > _MOST_TENSORS else []
        for other in [*first_of_many, *known[-_MOST_TENSORS:]][::-1]:
            first, last = self._span(other)
            if other != number and max(start, first) < min(stop, last):
                found.append(other)
                if first <= start and stop <= last:
                    found = [other]
                    break
        holder = self.identities.holders.get(base, -1)
        return [holder] if holder > max(found, default=-1) else found

    def _base(self, number: int) -> tuple[int, int]:
        storage = int(self.identities.tensors[number][3])
        return self.identities.windows.get(storage, (storage, 0))

    def _span(self, number: int) -> tuple[int, int]:
        """The first byte of a tensor in the memory that it lies in, and one past the last."""
        raw = RawTensor._make(self.identities.tensors[number])
        region = region_of(raw)
        shift = self._base(number)[1]
        return region.start + shift, region.stop + shift

    def said(self, number: int) -> int:
        """The flags of a tensor after the last call that handed it out."""
        for raw in islice(reversed(self.calls), _MOST_CALLS):
            _, _, _, outputs, results, *_ = raw
            if number in outputs:
                return int(results >> 2 * outputs.index(number) & 3)
        return int(self.identities.tensors[number][2])
