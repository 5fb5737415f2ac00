"""A graph as a tree of text lines, from backward() up to the leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphvis.model import Graph, Moment, Saved

MOST_LINES = 80
"""A tree is for small graphs; of a larger one the part next to backward() is told."""


def tree_of(moment: Moment) -> Iterator[str]:
    """The lines of the tree.

    A node that several consumers share is told where it is met first, and named again at the others.
    """
    graph = moment.graph
    yield moment.start
    seen: set[int] = set()
    lines = 0
    # (what stands before the branch, the branch, the node or None for an empty slot, what to say of the slot)
    stack: list[tuple[str, bool, int | None, str]] = []
    stack.extend(reversed([("", last, root, "") for root, last in _with_last(graph.roots)]))
    while stack:
        margin, last, node, slot = stack.pop()
        if lines == MOST_LINES:
            yield f"{margin}... graphvis render draws the rest"
            return
        lines += 1
        again = node is not None and node in seen and bool(graph.slots_of(node))
        yield f"{margin}{'└─ ' if last else '├─ '}{slot}{_told(graph, node)}{' (see above)' if again else ''}"
        if node is None or again:
            continue
        seen.add(node)
        inner = f"{margin}{'   ' if last else '│  '}"
        edges = graph.slots_of(node)
        below = [
            (inner, end, None if (target := graph.targets[edge]) < 0 else target, _slot(graph, edge, len(edges)))
            for edge, end in _with_last(edges)
        ]
        stack.extend(reversed(below))
    yield from _lost(graph)


def _lost(graph: Graph) -> Iterator[str]:
    """What the tree does not hold: the cuts, and the leaves behind them."""
    for edge in graph.values:
        if edge.cut is not None:
            cut = graph.cuts[edge.cut]
            place = f"{Path(cut.location.file).name}:{cut.location.line}"
            came, went = (graph.names[end] or "a tensor without a name" for end in (edge.source, edge.target))
            yield f"cut by {cut.kind} at {place}: the value of {came} goes on into {went}, no gradient comes back"
    lost = [graph.names[i] for i, kind in enumerate(graph.kinds) if kind == "leaf" and i not in graph.reached]
    if lost:
        yield f"no gradient reaches {', '.join(name or 'a leaf without a name' for name in lost)}"


def _with_last(items: Sequence[int]) -> Iterator[tuple[int, bool]]:
    """Each item, and whether it is the last."""
    return ((item, i == len(items) - 1) for i, item in enumerate(items))


def _slot(graph: Graph, edge: int, siblings: int) -> str:
    """Which slot it is, where there are several."""
    return f"slot {graph.slots[edge]}: " if siblings > 1 else ""


def _told(graph: Graph, node: int | None) -> str:
    if node is None:
        return "None"
    tensor = graph.tensors.get(node)
    name = graph.names[node] or "a result without a name"
    if tensor is not None:
        return f"{name}  {'leaf, ' if tensor.is_leaf else ''}{list(tensor.shape)}"
    stale = [saved for saved in graph.saved.get(node, ()) if saved.state in ("overwritten", "freed")]
    return name if not stale else f"{name}  {'; '.join(map(_of_saved, stale))}"


def _of_saved(saved: Saved) -> str:
    if saved.state == "freed":
        return f"saved {saved.name} is freed"
    if saved.saved_version is None or saved.version is None:
        return f"saved {saved.name} is overwritten"
    return f"saved {saved.name} at version {saved.saved_version}, now at {saved.version}"
