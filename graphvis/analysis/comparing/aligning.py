"""Two sequences side by side: what is the same in both, in the same order."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

_FARTHEST = 256
"""Items left over at which the way until there is kept and a new one begun: what is unlike is not compared for ever."""


def align(before: Sequence[Hashable], after: Sequence[Hashable]) -> dict[int, int]:
    """Pairs of places that hold equal items, in the same order in both, so that as few items as can be are left over.

    This is the greedy algorithm of Myers, "An O(ND) difference algorithm and its variations" (1986): the time it takes
    grows with what differs, and not with how often an item comes again, as each does in a loop or in alike layers.
    """
    pairs: dict[int, int] = {}
    one = other = 0
    while one < len(before) and other < len(after):
        found = _advance(before, after, one, other)
        pairs.update((one + x, other + y) for x, y in found.pairs)
        one, other = one + found.x, other + found.y
    return pairs


class _Way:
    """A way through both from two places on, by steps in one of them and by equal items in both.

    Attributes:
        x, y: how far it comes in each.
        pairs: the places of equal items.
    """

    def __init__(self, reached: Sequence[Mapping[int, int]], diagonal: int) -> None:
        self.x = x = reached[-1][diagonal]
        self.y = x - diagonal
        self.pairs: list[tuple[int, int]] = []
        for before in reached[-2::-1]:
            start = _start(before, diagonal)
            self.pairs += [(place, place - diagonal) for place in range(x - 1, start - 1, -1)]
            down = before.get(diagonal - 1, -1) + 1 == start
            x, diagonal = (start - 1, diagonal - 1) if down else (start, diagonal + 1)
        self.pairs.reverse()


def _advance(before: Sequence[Hashable], after: Sequence[Hashable], one: int, other: int) -> _Way:
    width, height = len(before) - one, len(after) - other
    reach: dict[int, int] = {}  # how far in `before`, by diagonal: by how much that is more than in `after`
    reached = [reach]  # with none left over, one, two, ...
    for left_over in range(_FARTHEST + 1):
        reach = dict(reach)
        farthest = best = -1
        for diagonal in range(-left_over, left_over + 1, 2):
            x = _start(reached[-1], diagonal)
            while x < width and x - diagonal < height and before[one + x] == after[other + x - diagonal]:
                x += 1
            reach[diagonal] = x
            if farthest < 2 * x - diagonal and x <= width and x - diagonal <= height:
                farthest, best = 2 * x - diagonal, diagonal
        reached.append(reach)
        if farthest == width + height:
            break
    return _Way(reached, best)


def _start(reach: Mapping[int, int], diagonal: int) -> int:
    """Where a diagonal is entered: from the one on either side, whichever has come further."""
    return max(reach.get(diagonal - 1, -1) + 1, reach.get(diagonal + 1, 0))
