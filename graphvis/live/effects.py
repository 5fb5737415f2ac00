"""Whether what was overwritten makes a gradient wrong, measured: backward runs on what is there and on what was saved.

A node reads what it saved while it runs, and never else. So the old bytes lie in place only from right before a node
runs until right after: nodes that saved the same memory at different times each find what they saved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from graphvis.analysis.diagnosing import Overwritten
from graphvis.analysis.diagnosing.regions import overlap, runs
from graphvis.live.probe import leaves_of, nodes_behind
from graphvis.live.recorder.images import bytes_of
from graphvis.live.recorder.keeping import Keeping, Old
from graphvis.live.unchanged import undisturbed
from graphvis.live.unwatched import unwatched
from graphvis.live.walker.outputs import find_outputs

MOST_RUNS = 32
"""How many backwards tell the conflicts apart; beyond that those of one write are judged together."""

Gradients = list[torch.Tensor | None]


class _Memory:
    """What a node saved at one place, and how it is put back.

    Attributes:
        nodes: the live nodes that read it.
        places: which of the conflicts it is, more than one where a node saved the same memory twice.
        line: that wrote.
    """

    def __init__(self, nodes: list[Any], place: int, line: object, old: Old) -> None:
        self.nodes = nodes
        self.places = [place]
        self.line = line
        self._storage, self._region, self._images = old
        self._now: torch.Tensor | None = None

    def shares(self, nodes: list[Any], old: Old) -> bool:
        """Whether another conflict is about the same bytes of the same nodes."""
        return nodes == self.nodes and old.storage is self._storage and overlap(self._region, old.region)

    def keep(self) -> None:
        """Remember what is there."""
        self._now = self._bytes().clone()

    def put_back(self) -> None:
        """Write what was there when it was saved."""
        assert self._now is not None, "kept before"
        start = self._region.start
        then = self._now.clone()
        for image in self._images:
            first, last = max(start, image.start), min(self._region.stop, image.stop)
            if first < last:
                then[first - start : last - start] = image.values[first - image.start : last - image.start]
        self._write(then)

    def undo(self) -> None:
        """Write what is there really."""
        if self._now is not None:
            self._write(self._now)
            self._now = None

    def holds(self, tensor: torch.Tensor | None) -> bool:
        """Whether a gradient lies in the same memory, as one does that a Function hands on from what it saved."""
        return tensor is not None and tensor.layout is torch.strided and tensor.untyped_storage() is self._storage

    def _bytes(self) -> torch.Tensor:
        return bytes_of(self._storage, self._region.start, self._region.stop)

    def _write(self, values: torch.Tensor) -> None:
        alias, start = self._bytes(), self._region.start
        for first, last in runs(self._region):
            alias[first - start : last - start] = values[first - start : last - start]


def measure(
    outputs: Any, leaves: Sequence[torch.Tensor], conflicts: Sequence[Overwritten], keeping: Keeping
) -> list[bool | None]:
    """Say of each conflict whether it makes a gradient of `leaves` wrong.

    Backward runs as it would now, and as it would if nothing had been overwritten; then without one write after the
    other put right, because a conflict may hide behind another. Hooks of tensors run each time. The values, the version
    counters, ``.grad`` and the random numbers are afterwards what they were.

    Args:
        outputs: what backward starts from.
        leaves: whose gradients are compared.
        conflicts: what may be wrong.
        keeping: what the recording kept of what was overwritten.

    Returns:
        True where a gradient differs, False where none does, None where that could not be measured: the old values are
        not known, or backward raises or does not give the same twice.
    """
    roots = [root for root in find_outputs(outputs) if isinstance(root, torch.Tensor) and root.requires_grad]
    with unwatched():
        memories = _memories(roots, conflicts, keeping)
    found: list[bool | None] = [None] * len(conflicts)
    if memories:
        for memory, differs in zip(memories, _Comparing(roots, leaves, memories).judge(), strict=True):
            for place in memory.places:
                found[place] = differs
    return found


def _memories(roots: Sequence[Any], conflicts: Sequence[Overwritten], keeping: Keeping) -> list[_Memory]:
    known: dict[int, Any] = {}
    for node in nodes_behind(roots):
        known[node._sequence_nr()] = None if node._sequence_nr() in known else node  # threads count each for itself
    found: list[_Memory] = []
    for place, one in enumerate(conflicts):
        nodes, old = [known.get(number) for number in one.readers], keeping.before(one)
        if not nodes or None in nodes or old is None:
            continue
        for memory in found:
            if memory.shares(nodes, old):
                memory.places.append(place)
                break
        else:
            found.append(_Memory(nodes, place, one.conflict.modified_at, old))
    return found


class _Comparing:
    """Backwards of one graph with some memories put back."""

    def __init__(self, roots: Sequence[torch.Tensor], leaves: Sequence[torch.Tensor], memories: list[_Memory]) -> None:
        self._roots = roots
        self._leaves = [leaf for leaf in leaves if leaf.requires_grad]
        self._memories = memories
        # A reentrant checkpoint allows only a whole backward, and hides the leaves inside it from any other.
        self._whole = any(type(node).__name__ == "CheckpointFunctionBackward" for node in nodes_behind(roots))
        self._scalars = all(root.numel() == 1 for root in roots)
        self._steady: list[bool] = []

    def judge(self) -> list[bool | None]:
        """For each memory whether leaving it as it is changes a gradient; see :func:`measure`."""
        everything = range(len(self._memories))
        unknown: list[bool | None] = [None for _ in everything]
        now, right, again = self._run(()), self._run(everything), self._run(everything)
        if now is None or right is None or again is None:
            return unknown
        self._steady = [_equal(one, other) for one, other in zip(right, again, strict=True)]
        if not self._differ(now, right):
            return [False for _ in everything] if self._is_telling() else unknown
        groups = self._groups()
        if len(groups) == 1:
            return [True for _ in everything]
        found = list(unknown)
        for group in groups[:MOST_RUNS]:
            without = self._run([place for place in everything if place not in group])
            for place in group:
                found[place] = None if without is None else self._differ(without, right)
        if not any(found):  # each alone does no harm, and together they do
            return [True for _ in everything]
        return [None if differs is False and not self._is_telling() else differs for differs in found]

    def _is_telling(self) -> bool:
        """Whether equal gradients mean anything: of another seed, or where chance plays a part, they might differ."""
        return self._scalars and all(self._steady)

    def _groups(self) -> list[list[int]]:
        """What is judged together."""
        if len(self._memories) <= MOST_RUNS:
            return [[place] for place in range(len(self._memories))]
        by_write: dict[object, list[int]] = {}
        for place, memory in enumerate(self._memories):
            by_write.setdefault(memory.line, []).append(place)
        return list(by_write.values())

    def _differ(self, one: Gradients, other: Gradients) -> bool:
        pairs = zip(self._steady, one, other, strict=True)
        return any(steady and not _equal(mine, theirs) for steady, mine, theirs in pairs)

    def _run(self, back: Collection[int]) -> Gradients | None:
        """The gradients with some of the memories put back; None where backward raises."""
        seeds = [torch.ones_like(root) for root in self._roots]
        try:
            with (
                undisturbed((*self._leaves, *leaves_of(self._roots))),
                _put_back([self._memories[place] for place in back]),
            ):
                if not self._whole:
                    return list(
                        torch.autograd.grad(self._roots, self._leaves, seeds, retain_graph=True, allow_unused=True)
                    )
                torch.autograd.backward(self._roots, seeds, retain_graph=True)
                return [leaf.grad for leaf in self._leaves]
        except RuntimeError:
            return None


@contextmanager
def _put_back(memories: Sequence[_Memory]) -> Iterator[None]:
    """Have nodes find what they saved, each while it runs."""
    by_node: dict[Any, list[_Memory]] = {}
    for memory in memories:
        for node in memory.nodes:
            by_node.setdefault(node, []).append(memory)
    handles: list[Any] = []
    try:
        for node, kept in by_node.items():
            before, after = _hooks(kept)
            handles += [node.register_prehook(before), node.register_hook(after)]
        yield
    finally:
        for handle in handles:
            handle.remove()
        for memory in memories:  # of a node that raised
            memory.undo()


def _hooks(memories: list[_Memory]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def apart(gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(g.clone() if any(memory.holds(g) for memory in memories) else g for g in gradients)

    def before(came: tuple[Any, ...]) -> tuple[Any, ...]:
        with torch.no_grad(), unwatched():
            came = apart(came)
            for memory in memories:
                memory.keep()
            for memory in memories:
                memory.put_back()
        return came

    def after(handed_on: tuple[Any, ...], _: tuple[Any, ...]) -> tuple[Any, ...]:
        with torch.no_grad(), unwatched():
            handed_on = apart(handed_on)
            for memory in memories:
                memory.undo()
        return handed_on

    return before, after


def _equal(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    """Whether two gradients are the same numbers; what is not a number is equal to itself."""
    if one is None or other is None:
        return one is other
    one, other = (each if each.layout is torch.strided else each.to_dense() for each in (one, other))
    return one.shape == other.shape and bool(((one == other) | ((one != one) & (other != other))).all())
