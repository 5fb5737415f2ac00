"""Where a cut lies between parameter and output, in a few names, and what takes its value."""

from __future__ import annotations

from collections import deque

from graphvis.model import Cut, Graph


def consumer(graph: Graph | None, cut: Cut) -> tuple[int, int | None] | None:
    """The node that takes the value behind a cut, and its slot that holds None.

    Only a node that the gradient reaches: there the missing edge can be seen. None where the graph shows no such node.
    """
    if graph is None:
        return None
    for edge in graph.values:
        if edge.cut is None or not _same(graph.cuts[edge.cut], cut) or graph.kinds[edge.target] != "function":
            continue
        if edge.target in graph.reached and edge.target not in graph.ghosts:
            empty = [graph.slots[i] for i in graph.slots_of(edge.target) if graph.targets[i] < 0]
            slot = edge.slot if edge.slot in empty else empty[0] if len(empty) == 1 else None
            return edge.target, slot
    return None


def route(graph: Graph | None, cut: Cut, parameter: str, most: int = 3) -> list[str]:
    """``parameter``, ..., the cut tensor, its consumer, ..., the output, as names; empty where the graph has none."""
    taken = consumer(graph, cut)
    if graph is None or taken is None or not graph.roots:
        return []
    down = _down(graph, taken[0])
    names = [label for node in down if (label := _label(graph, node))]
    names = [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]]
    if len(names) > most:
        names = [*names[: most - 1], "...", names[-1]]
    tensor = [cut.tensor] if cut.tensor and " " not in cut.tensor and cut.tensor != parameter else []
    return [parameter, "...", *tensor, f"[{cut.kind}]", *names]


def _same(one: Cut, other: Cut) -> bool:
    return one.kind == other.kind and one.call == other.call and one.location == other.location


def _down(graph: Graph, node: int) -> list[int]:
    """The nodes from `node` to the nearest root, in the order of the value."""
    came: dict[int, int] = {}
    waiting = deque(graph.roots)
    seen = set(graph.roots)
    while waiting:
        at = waiting.popleft()
        if at == node:
            break
        for edge in graph.slots_of(at):
            target = graph.targets[edge]
            if target >= 0 and target not in seen:
                seen.add(target)
                came[target] = at
                waiting.append(target)
    path = [node]
    while path[-1] in came:
        path.append(came[path[-1]])
    return path


def _label(graph: Graph, node: int) -> str:
    """The module in which a node ran, else what it is called; backward nodes outside modules only at the ends."""
    module = graph.modules.get(node, "")
    if module:
        return module
    return graph.names[node] or ("output" if node in graph.roots else "")
