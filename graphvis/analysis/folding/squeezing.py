"""Boxes that say too little by themselves go into others; where there are too many, more of them do."""

from __future__ import annotations

from collections.abc import Iterable

from graphvis.analysis.folding.boxes import Box, Boxes
from graphvis.analysis.folding.breadth import ranks_of
from graphvis.model.graph import FoldKind


def tidy(boxes: Boxes) -> None:
    """Put what only moves values to what uses it, or to what it comes from."""
    silent = [number for number, box in enumerate(boxes.boxes) if box is not None and box.silent and not box.fixed]
    if not silent:
        return
    flows = _Flows(boxes)
    for number in silent:
        box = boxes.boxes[number]
        assert box is not None
        into = flows.only_consumer(number)
        if into is None or not fits(box, boxes.boxes[into]):
            into = flows.only_producer(number)
        if into is not None and fits(box, boxes.boxes[into]):
            flows.merge(number, into, silently=True)
    boxes.settle()


def squeeze(boxes: Boxes, most: int) -> None:
    """Merge neighbours of one module, the smallest first, until there are at most `most` boxes or findings forbid it.

    First what stands in a row, then what stands side by side between the same boxes, then whatever follows each other.
    """
    if boxes.count <= most:
        return
    flows = _Flows(boxes)
    flows.contract(most)
    flows.gather(most)
    flows.bundle(most)
    boxes.settle()


def join_parameters(boxes: Boxes) -> None:
    """Put parameters together that the same box takes, and nothing else."""
    _Flows(boxes).gather(1, "parameters")
    boxes.settle()


def join_peers(boxes: Boxes) -> None:
    """Put boxes together that do the same at the same height, then what stands side by side between the same others."""
    places: dict[object, int] = {}
    joined = False
    for number, rank in ranks_of(boxes).items():
        box = boxes.boxes[number]
        assert box is not None
        # What is at one height has no way from one to the other, so that no cut comes to be inside of a box.
        if not box.held:
            key = (box.home, box.mask, box.times, box.kind, box.fixed, tuple(dict.fromkeys(box.names)), rank)
            first = places.setdefault(key, number)
            if first != number:
                boxes.merge(number, first)
                joined = True
    if joined:
        boxes.settle()
    _Flows(boxes).gather(1)
    boxes.settle()


def fits(one: Box, other: Box | None) -> bool:
    """Whether two boxes may be one: in one module, and a gradient reaches both or neither."""
    if other is None or one.fixed or other.fixed or one.home != other.home or one.times != other.times:
        return False
    return not (one.mask and other.mask) or one.mask == other.mask


class _Flows:
    """The boxes with their neighbours, kept right while boxes merge."""

    def __init__(self, boxes: Boxes) -> None:
        self._boxes = boxes
        self._onward, self._back = boxes.flows()
        self._count = boxes.count

    def only_consumer(self, number: int) -> int | None:
        return next(iter(self._onward[number])) if len(self._onward[number]) == 1 else None

    def only_producer(self, number: int) -> int | None:
        """The only box that it comes from, if that goes nowhere else."""
        if len(self._back[number]) != 1:
            return None
        found = next(iter(self._back[number]))
        return found if len(self._onward[found]) == 1 else None

    def merge(self, one: int, into: int, *, silently: bool = False) -> None:
        self._boxes.merge(one, into, silently=silently)
        self._count -= 1
        for ends, opposite in ((self._onward, self._back), (self._back, self._onward)):
            for other in ends[one]:
                opposite[other].discard(one)
                if other != into:
                    opposite[other].add(into)
                    ends[into].add(other)
            ends[into].discard(one)
            ends[one] = set()

    def contract(self, most: int) -> None:
        """Put a box to the only one that takes its values."""
        rounds = True
        while self._count > most and rounds:
            rounds = False
            for number in self._by_size():
                box, into = self._boxes.boxes[number], self.only_consumer(number)
                if self._count <= most:
                    return
                if box is not None and into is not None and fits(box, self._boxes.boxes[into]):
                    self.merge(number, into)
                    rounds = True

    def gather(self, most: int, kind: FoldKind | None = None) -> None:
        """Put boxes together that stand between the same others; only those of a kind, where one is given."""
        places: dict[object, int] = {}
        for number, box in enumerate(self._boxes.boxes):
            if self._count <= most or box is None or box.fixed or (kind is not None and box.kind != kind):
                continue
            key = (box.home, box.mask, box.times, frozenset(self._onward[number]), frozenset(self._back[number]))
            first = places.setdefault(key, number)
            if first != number and fits(box, self._boxes.boxes[first]):
                self.merge(number, first)

    def bundle(self, most: int) -> None:
        """Put boxes together that follow each other in one module."""
        rows: dict[object, list[int]] = {}
        for number, box in enumerate(self._boxes.boxes):
            if box is not None and not box.fixed:
                rows.setdefault((box.home, box.mask, box.times), []).append(number)
        longest = sorted(rows.values(), key=lambda row: (-len(row), row))
        spare = sum(len(row) for row in longest)
        fixed = self._count - spare
        for row in longest:
            if self._count <= most:
                return
            share = max(1, (most - fixed) * len(row) // spare)
            size = -(-len(row) // share)
            for start in range(0, len(row), size):
                for number in row[start + 1 : start + size]:
                    self.merge(number, row[start])

    def _by_size(self) -> Iterable[int]:
        alive = ((box.size, number) for number, box in enumerate(self._boxes.boxes) if box is not None)
        return [number for _, number in sorted(alive)]
