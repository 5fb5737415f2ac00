"""Keeps a deep graph that was looked at from crashing the process when it is freed.

PyTorch frees a graph that Python never saw in a loop. A node that Python did see has a wrapper
which lives as long as the node, and a graph of such nodes is freed by recursion, in C, along its
longest path: some 50,000 nodes deep, a stack of 8 MiB overflows and the process dies. A walk makes
every node such a node, so it has to undo the danger.

The cure: on every path, at least each 20th node keeps its own ``next_functions`` in its
``metadata``. When that node dies, its edges go first and free nothing, because the kept tuple still
holds what lies below. Then the tuple goes, and tuples are what CPython does not free by unbounded
recursion: past a nesting of about 50 it puts them aside until the stack has unwound. Nothing lives
longer than before, since a node's edges hold the same nodes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, chain
from typing import Any

from graphvis.live.walker.structure import Structure

BELOW = "graphvis.below"
GUARDED = "graphvis.guarded"
SPACING = 20  # times the 50 of tuples: some 1,000 nodes deep at most, which fits a stack of 128 KiB
SHALLOW = 1000  # a path of so many needs no cure


def guard(structure: Structure, tops: Iterable[Any]) -> None:
    """Make what was walked safe to free, in any order, by whoever holds the last of it.

    Also for a walk that was broken off: then the edges that it saw are those that count. Which
    nodes keep what lies below depends on what lies below alone, so walking a graph again after it
    has grown chooses the same ones.

    Args:
        structure: the walk.
        tops: the autograd nodes that it began from; empty if it was broken off. A later walk from
            the same ones has nothing to do, because a node's edges never change.
    """
    if structure.depth <= SHALLOW:
        return
    marks = [top.metadata for top in tops]
    if marks and all(GUARDED in mark for mark in marks):
        return
    sources, targets = structure.sources, structure.targets
    if all(source < target for source, target in zip(sources, targets, strict=True) if target >= 0):
        edges: Iterable[tuple[int, int]] = zip(reversed(sources), reversed(targets), strict=True)
    else:
        edges = _from_below(structure)
    _keep(structure, edges)
    for mark in marks:
        mark[GUARDED] = True


def _keep(structure: Structure, edges: Iterable[tuple[int, int]]) -> None:
    """Have nodes keep what lies below them, in the right distances.

    Args:
        structure: the walk.
        edges: source and target of each edge, those of a node one after the other, each node after all that its
            edges lead to.
    """
    live, kinds = structure.live, structure.kinds
    gaps = [0] * len(live)  # the longest path below a node to the next one that keeps, or to the end
    node, gap = -1, 0
    for source, target in chain(edges, [(-1, -1)]):
        if source != node:
            if gap >= SPACING and kinds[node] == "function":
                live[node].metadata[BELOW] = live[node].next_functions
                gap = 0
            gaps[node] = gap
            node, gap = source, 0
        if target >= 0 and gaps[target] >= gap:
            gap = gaps[target] + 1


def _from_below(structure: Structure) -> Iterable[tuple[int, int]]:
    """Source and target of each edge, those of each node after those of all that its edges lead to."""
    starts, targets = _starts(structure), structure.targets
    order = _from_above(starts, targets)
    order.reverse()
    return [(node, target) for node in order for target in targets[starts[node] : starts[node + 1]]]


def _starts(structure: Structure) -> list[int]:
    """For each node the index of its first edge, and one more for the end."""
    starts = [0] * (len(structure.live) + 1)
    for source in structure.sources:
        starts[source + 1] += 1
    return list(accumulate(starts))


def _from_above(starts: list[int], targets: list[int]) -> list[int]:
    """The nodes, each before all that its edges lead to."""
    waiting = [0] * (len(starts) - 1)
    for target in targets:
        if target >= 0:
            waiting[target] += 1
    order = [node for node, count in enumerate(waiting) if not count]
    for node in order:  # which grows meanwhile
        for target in targets[starts[node] : starts[node + 1]]:
            if target >= 0:
                waiting[target] -= 1
                if not waiting[target]:
                    order.append(target)
    return order
