"""Numbers for what is met, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Numbers(dict[Any, int]):
    """The number of each key, in the order in which they were met.

    What comes in a row and is new as a whole is only held against a set, which takes a fraction of what a dict takes:
    most rows are leaves, and nobody asks for their numbers again. It must be settled before it is read as a dict.

    Attributes:
        rows: the rows that are not yet in the dict, each with the number of its first key.
    """

    def __init__(self, known: dict[Any, int] | None = None) -> None:
        super().__init__(known or {})
        self.rows: list[tuple[Sequence[Any], int]] = []
        self._waiting: set[Any] = set()

    def settle(self) -> None:
        """Take the rows into the dict."""
        for keys, first in self.rows:
            self.update(zip(keys, range(first, first + len(keys)), strict=True))
        self.rows.clear()
        self._waiting.clear()

    def find(self, key: Any) -> int | None:
        """The number of a key, settled or not; None for one that was not met."""
        if key in self._waiting:
            self.settle()
        return self.get(key)

    @property
    def count(self) -> int:
        """How many keys were met."""
        return len(self) + len(self._waiting)

    def number_all(self, keys: Sequence[Any], first: int) -> tuple[Sequence[int], Sequence[int]]:
        """Look up the number of each of `keys`, and give those that have none the next ones, in their order.

        Args:
            keys: what is met; some may come twice.
            first: the first number that is free; all numbers that were given are less.

        Returns:
            The number of each key; and the places in `keys` of those that were new.
        """
        new = set(keys)
        if len(new) == len(keys) and new.isdisjoint(self._waiting) and self.keys().isdisjoint(new):
            self.rows.append((keys, first))
            if self._waiting:
                self._waiting |= new
            else:
                self._waiting = new
            return range(first, first + len(keys)), range(len(keys))
        self.settle()
        found: list[int] = []
        places: list[int] = []
        for place, key in enumerate(keys):
            number = self.get(key)
            if number is None:
                number = self[key] = first + len(places)
                places.append(place)
            found.append(number)
        return found, places
