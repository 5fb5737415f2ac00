"""Leaves behind reentrant checkpoints: backward runs these again, and may come to nothing where an edge leads on.

So it does where an input lost its history since, for it runs again on what that is now; and where what the checkpoint
runs cuts the gradient of an input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphvis.analysis.cutting import is_checkpoint, short
from graphvis.model import Graph, Trace

CHECKPOINT = "CheckpointFunctionBackward"
"""The name of a reentrant checkpoint's node."""
# From a node to another, and the call that severed what lies between; None for most.
_Ways = dict[int, list[tuple[int, int | None]]]


def find_withdrawn(graph: Graph, trace: Trace, calls: Mapping[int, int]) -> dict[int, int]:
    """The leaves to which edges lead only through an input that was ``detach_()``ed since, each with a call that did.

    Args:
        graph: a walk from the outputs.
        trace: the run that built it.
        calls: which call made each node.
    """
    severed = _severed(trace)
    dead = dict(_dead(trace, calls, severed)) if severed else {}
    if not dead:
        return {}
    return _leaves_behind(graph, dead)


def find_checkpointed(graph: Graph, trace: Trace, calls: Mapping[int, int]) -> dict[int, tuple[int, ...]]:
    """The leaves to which edges lead only out of reentrant checkpoints, each with the arguments by which they do.

    Of several checkpoints one after the other, those of the one that is next to the leaf.

    Args:
        graph: a walk from the outputs.
        trace: the run that built it.
        calls: which call made each node.
    """
    checkpoints = {node: calls[node] for node, name in enumerate(graph.names) if name == CHECKPOINT and node in calls}
    if not checkpoints:
        return {}
    edges = [
        (node, edge)
        for node in checkpoints
        for edge in graph.slots_of(node)
        if graph.targets[edge] >= 0 and graph.slots[edge] < len(trace.calls[checkpoints[node]].inputs)
    ]
    dead = {(node, graph.slots[edge]): checkpoints[node] for node, edge in edges}
    found: dict[int, tuple[int, ...]] = dict.fromkeys(_leaves_behind(graph, dead), ())
    for node, edge in edges if found else ():
        argument = trace.calls[checkpoints[node]].inputs[graph.slots[edge]]
        for leaf in graph.behind([graph.targets[edge]], checkpoints) & found.keys():
            found[leaf] = (*found[leaf], argument)
    return found


def _leaves_behind(graph: Graph, dead: Mapping[tuple[int, int], int]) -> dict[int, int]:
    """The leaves to which edges lead only along some that are dead, each a node and a slot, with the call to blame."""
    ways: _Ways = {}
    for source, slot, target in zip(graph.sources, graph.slots, graph.targets, strict=True):
        if target >= 0:
            ways.setdefault(source, []).append((target, dead.get((source, slot))))
    alive, behind = _reach(ways, graph.roots)
    return {node: call for node, call in behind.items() if node not in alive and graph.kinds[node] == "leaf"}


def _severed(trace: Trace) -> dict[int, int]:
    """The tensors that have lost their history for good, each with the call that took it."""
    found: dict[int, int] = {}
    for index, call in enumerate(trace.calls):
        name = short(call)
        if name == "detach_" and any(call.connected):
            found.setdefault(call.inputs[0], index)
        elif name == "requires_grad_" and any(call.results):  # then it is run with a gradient again
            found.pop(call.inputs[0], None)
    return found


def _dead(trace: Trace, calls: Mapping[int, int], severed: Mapping[int, int]) -> Iterator[tuple[tuple[int, int], int]]:
    """The edges of checkpoints, each a node and a slot, along which no gradient goes, and the call that is to blame."""
    for node, made in calls.items():
        apply = trace.calls[made]
        if is_checkpoint(apply):
            for slot, number in enumerate(apply.inputs[: len(apply.inputs) - apply.forwarded]):
                if severed.get(number, -1) > made:
                    yield (node, slot), severed[number]


def _reach(ways: _Ways, roots: tuple[int, ...]) -> tuple[set[int], dict[int, int]]:
    """The nodes that a gradient reaches, and those behind what was severed, each with a call that did it."""
    alive, behind = set(roots), dict[int, int]()
    stack = list(alive)
    while stack:
        for target, call in ways.get(stack.pop(), ()):
            if call is not None:
                behind.setdefault(target, call)
            elif target not in alive:
                alive.add(target)
                stack.append(target)
    stack = list(behind)
    while stack:
        node = stack.pop()
        for target, _ in ways.get(node, ()):
            if target not in behind:
                behind[target] = behind[node]
                stack.append(target)
    return alive, behind
