"""Numbers for what is met, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def number_all(numbers: dict[Any, int], keys: Sequence[Any], first: int) -> tuple[list[int], Sequence[int]]:
    """Look up the number of each of `keys`, and give those that have none the next ones, in their order.

    Args:
        numbers: those that are given; it takes up the new ones. All are less than `first`.
        keys: what is met; some may come twice.
        first: the first number that is free.

    Returns:
        The number of each key; and the places in `keys` of those that were new.
    """
    known = len(numbers)
    found = list(map(numbers.setdefault, keys, range(first, first + len(keys))))
    if len(numbers) == known + len(keys):
        return found, range(len(keys))
    # Not all were new, or some came twice: those that are new move up.
    new: dict[Any, int] = {}
    places = []
    for place, key in enumerate(keys):
        if numbers[key] >= first and key not in new:
            new[key] = first + len(new)
            places.append(place)
    numbers.update(new)
    return list(map(numbers.__getitem__, keys)), places
