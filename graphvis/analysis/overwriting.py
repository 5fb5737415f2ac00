"""Saved tensors that were overwritten, where PyTorch's version counter did or did not notice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from graphvis.model import Graph, Moment, Saved


def refused(graph: Graph) -> Iterator[tuple[int, Saved]]:
    """Nodes with a saved tensor that backward refuses: its counter moved, or ``detach_()`` took its history."""
    for node, saved in graph.saved.items():
        for one in saved:
            if one.state in ("overwritten", "detached"):
                yield node, one


def written_unseen(graph: Graph) -> Iterator[tuple[int, Saved]]:
    """Nodes with a saved tensor whose storage was written through another counter, as through ``.data``.

    Told from the counters: another tensor on the same storage counts more writes than the saved one.
    """
    newest: dict[int, int] = {}
    for info in graph.tensors.values():
        if info.storage is not None and info.version is not None:
            newest[info.storage] = max(newest.get(info.storage, 0), info.version)
    for node, saved in graph.saved.items():
        for one in saved:
            now = -1 if one.version is None or one.storage is None else newest.get(one.storage, -1)
            if one.state == "intact" and one.version is not None and now > one.version:
                yield node, one


def changed_unseen(before: Graph, after: Graph) -> Iterator[tuple[int, Saved]]:
    """Nodes with a saved tensor whose value another moment of one run shows to be another, and whose counter does not.

    So is a write through NumPy told, which leaves no counter that could have seen it.
    """
    earlier = {info.trace_number: info for info in before.tensors.values() if info.trace_number is not None}
    written = set()
    for info in after.tensors.values():
        was = None if info.trace_number is None else earlier.get(info.trace_number)
        if was is None or info.storage is None or was.value is None or info.value is None:
            continue
        if was.value != info.value and was.version == info.version:
            written.add(info.storage)
    for node, saved in after.saved.items():
        for one in saved:
            if one.state == "intact" and one.storage in written:
                yield node, one


def silently_wrong(before: Moment, after: Moment) -> dict[str, str]:
    """Leaves whose gradient an unseen write has changed, with the right one.

    Both moments must come from one run: then the same recorded computation gave one gradient before the
    write and another after it, though no leaf changed. Without an unseen write nothing is claimed.
    """
    if before.outcome is None or after.outcome is None or before.outcome.error or after.outcome.error:
        return {}
    unseen = (written_unseen(after.graph), changed_unseen(before.graph, after.graph))
    if next(chain.from_iterable(unseen), None) is None:
        return {}
    leaves = {info.name: info for info in before.graph.tensors.values()}
    found = {}
    for info in after.graph.tensors.values():
        name = info.name or ""
        right, now = before.outcome.grads.get(name), after.outcome.grads.get(name)
        if right is not None and now is not None and right != now and info.value == leaves[name].value:
            found[name] = right
    return found
