"""How wide a picture will be, guessed before it is laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphvis.analysis.folding.boxes import Box, Boxes
from graphvis.analysis.folding.whole import Whole
from graphvis.analysis.folding.words import title

_LETTER = 7.8
_PADDING = 30.0
_NARROWEST = 120.0
"""A fold says how many it holds on a second line."""
_FACTS = 120.0
"""What a leaf says behind its name."""
_APART = 24.0
_LANE = 30.0
"""Room that a link takes where it passes boxes."""
_PAGE = 720.0


def breadth(boxes: Boxes, onward: Sequence[set[int]], back: Sequence[set[int]]) -> float:
    """The width of the widest rank in SVG units, about: its boxes, and the links that pass it."""
    ranks = _ranks(boxes, onward, back)
    if not ranks:
        return 0.0
    deepest = max(ranks.values())
    widths = _filled(boxes, ranks, deepest)
    change = [0] * (deepest + 2)
    for number, rank in ranks.items():
        for other in onward[number]:
            low, high = sorted((rank, ranks[other]))
            if high - low > 1:
                change[low + 1] += 1
                change[high] -= 1
    passing = 0
    for rank in range(deepest + 1):
        passing += change[rank]
        widths[rank] += passing * _LANE
    return max(widths)


def is_wide(whole: Whole, order: Sequence[int]) -> bool:
    """Whether so many leaves belong to one function that a picture of the whole is wider than a page."""
    return any(
        sum(_LETTER * len(whole.names[one]) + _PADDING + _FACTS for one in set(inputs) if _is_leaf(whole, one)) > _PAGE
        for inputs in map(whole.inputs.__getitem__, order)
    )


def _is_leaf(whole: Whole, unit: int) -> bool:
    return unit >= 0 and whole.kinds[unit] == "leaf"


def _filled(boxes: Boxes, ranks: Mapping[int, int], deepest: int) -> list[float]:
    """For each rank the width of its boxes; a frame is as wide at each of its ranks as at the widest."""
    widths = [0.0] * (deepest + 1)
    frames: dict[str, dict[int, float]] = {}
    for number, rank in ranks.items():
        box = boxes.boxes[number]
        assert box is not None
        row = frames.setdefault(box.frame, {})
        row[rank] = row.get(rank, 0.0) + _width(box) + _APART
    for frame, rows in frames.items():
        for rank in range(min(rows), max(rows) + 1):
            widths[rank] += max(rows.values()) if frame else rows.get(rank, 0.0)
    return widths


def _width(box: Box) -> float:
    told = _LETTER * len(title(box.names)) + _PADDING
    if box.size == 1 and box.kind == "parameters":
        return told + _FACTS
    return max(told, _NARROWEST)


def ranks_of(boxes: Boxes) -> dict[int, int]:
    """How many boxes lie before each, at most; links that close a circle do not count."""
    onward, back = boxes.flows()
    return _longest([number for number, box in enumerate(boxes.boxes) if box is not None], onward, back)


def _ranks(boxes: Boxes, onward: Sequence[set[int]], back: Sequence[set[int]]) -> dict[int, int]:
    """The rank of each box, about as the engine has it: a source stands right above the first that takes from it."""
    ranks = _longest([number for number, box in enumerate(boxes.boxes) if box is not None], onward, back)
    for number, rank in list(ranks.items()):
        if not back[number] and onward[number]:
            ranks[number] = max(rank, min(ranks[other] for other in onward[number]) - 1)
    return ranks


def _longest(present: Sequence[int], onward: Sequence[set[int]], back: Sequence[set[int]]) -> dict[int, int]:
    ranks = dict.fromkeys(present, 0)
    # Depth first, as the engine breaks circles; what is finished first comes last.
    state: dict[int, int] = {}
    order: list[int] = []
    closing: set[tuple[int, int]] = set()
    for start in sorted(present, key=lambda number: bool(back[number])):
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(sorted(onward[start])))]
        while stack:
            number, rest = stack[-1]
            for other in rest:
                if state.get(other) == 1:
                    closing.add((number, other))
                elif other not in state:
                    state[other] = 1
                    stack.append((other, iter(sorted(onward[other]))))
                    break
            else:
                state[number] = 2
                order.append(number)
                stack.pop()
    for number in reversed(order):
        for other in onward[number]:
            if (number, other) not in closing:
                ranks[other] = max(ranks[other], ranks[number] + 1)
    return ranks
