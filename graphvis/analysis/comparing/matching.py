"""Which node after is which node before.

Each function returns a mapping from node indices before to node indices after, one to one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence

from graphvis.analysis.comparing.aligning import align
from graphvis.model import Graph, Trace


def match_by_identity(
    before: Graph, after: Graph, tokens_before: Sequence[Hashable], tokens_after: Sequence[Hashable]
) -> dict[int, int]:
    """Match nodes of two walks in one run: the same token, the same node.

    What was built anew for each moment (the ``sum`` that backward starts from) matches by structure, and
    what only the recording knows by its call, for both recordings begin alike.

    Args:
        before: the walk before.
        after: the walk after.
        tokens_before: a token for each node before; None for what has no identity of its own.
        tokens_after: the same for each node after.
    """
    places = {token: index for index, token in enumerate(tokens_after) if token is not None}
    pairs = {index: places[token] for index, token in enumerate(tokens_before) if token is not None and token in places}
    _match_roots(before, after, pairs)
    _match_down(before, after, pairs)
    taken = set(pairs.values())
    nodes_after = _nodes_by_call(after)
    for call, nodes in _nodes_by_call(before).items():
        left = [node for node in nodes_after.get(call, ()) if node not in taken]
        pairs.update(zip((node for node in nodes if node not in pairs), left, strict=False))
    return pairs


def match_by_calls(before: Graph, after: Graph, trace_before: Trace, trace_after: Trace) -> dict[int, int]:
    """Match nodes of two runs of nearly the same program by their place in the recorded calls.

    A call that only one run made (the ``detach``) shifts the others; the two sequences are aligned
    first. Tensors match by name, outputs by their order.
    """
    pairs: dict[int, int] = {}
    nodes_after = _nodes_by_call(after)
    nodes_before = _nodes_by_call(before)
    functions = ([call.function for call in trace.calls] for trace in (trace_before, trace_after))
    for call_before, call_after in align(*functions).items():
        made = zip(nodes_before.get(call_before, ()), nodes_after.get(call_after, ()), strict=False)
        pairs.update(made)
    _match_results(before, after, pairs)
    _add(pairs, _match_names(before, after))
    _match_roots(before, after, pairs)
    _match_down(before, after, pairs)
    return pairs


def match_by_structure(before: Graph, after: Graph) -> dict[int, int]:
    """Match nodes of two graphs of which nothing else is known.

    From the outputs down, slot by slot, as long as the names agree; then from the leaves of the
    same name up, where only one consumer fits.
    """
    pairs = _match_names(before, after)
    _match_roots(before, after, pairs)
    _match_down(before, after, pairs)
    _match_up(before, after, pairs)
    return pairs


def _match_results(before: Graph, after: Graph, pairs: dict[int, int]) -> None:
    """Tensors with a name in common that matched functions made: an in-place call may have moved a name to them."""
    made_after = {edge: tensor for tensor, edge in _makers(after)}
    for tensor, (maker, output_nr) in _makers(before):
        other = made_after.get((pairs.get(maker, -1), output_nr))
        if other is not None and _names(before, tensor) & _names(after, other):
            pairs[tensor] = other


def _makers(graph: Graph) -> Iterator[tuple[int, tuple[int, int]]]:
    """Each tensor node that a function made, with that function and which of its outputs it is."""
    for tensor in graph.tensors:
        if graph.kinds[tensor] == "tensor":
            for edge in graph.slots_of(tensor):
                yield tensor, (graph.targets[edge], graph.output_nrs[edge])


def _names(graph: Graph, tensor: int) -> set[str]:
    info = graph.tensors[tensor]
    return {name for name in (info.name, *info.aliases) if name}


def _add(pairs: dict[int, int], more: Mapping[int, int]) -> None:
    """Add pairs neither of whose ends is matched yet."""
    taken = set(pairs.values())
    pairs.update({one: other for one, other in more.items() if one not in pairs and other not in taken})


def _match_names(before: Graph, after: Graph) -> dict[int, int]:
    """Leaves and tensors of the same name, where the name is not used twice."""
    others = _unique_names(after)
    return {index: others[name] for name, index in _unique_names(before).items() if name in others}


def _unique_names(graph: Graph) -> dict[str, int]:
    found: dict[str, int] = {}
    twice = set()
    for index in graph.tensors:
        name = graph.names[index]
        if name in found:
            twice.add(name)
        found[name] = index
    return {name: index for name, index in found.items() if name and name not in twice}


def _match_roots(before: Graph, after: Graph, pairs: dict[int, int]) -> None:
    taken = set(pairs.values())
    for one, other in zip(before.roots, after.roots, strict=False):
        if one not in pairs and other not in taken and before.kinds[one] == after.kinds[other]:
            pairs[one] = other
            taken.add(other)


def _match_down(before: Graph, after: Graph, pairs: dict[int, int]) -> None:
    """Follow the slots of matched nodes down to where names differ."""
    taken = set(pairs.values())
    queue = deque(pairs.items())
    while queue:
        one, other = queue.popleft()
        for edge_before, edge_after in zip(before.slots_of(one), after.slots_of(other), strict=False):
            down, across = before.targets[edge_before], after.targets[edge_after]
            if down < 0 or across < 0 or down in pairs or across in taken:
                continue
            if before.names[down] == after.names[across] and before.kinds[down] == after.kinds[across]:
                pairs[down] = across
                taken.add(across)
                queue.append((down, across))


def _match_up(before: Graph, after: Graph, pairs: dict[int, int]) -> None:
    """Follow consumers of matched nodes up, where name and slot leave one choice on both sides."""
    up_before, up_after = _consumers(before), _consumers(after)
    taken = set(pairs.values())
    queue = deque(sorted(pairs.items()))
    while queue:
        one, other = queue.popleft()
        for key, candidates in up_before.get(one, {}).items():
            others = up_after.get(other, {}).get(key, [])
            if len(candidates) == len(others) == 1 and candidates[0] not in pairs and others[0] not in taken:
                pairs[candidates[0]] = others[0]
                taken.add(others[0])
                queue.append((candidates[0], others[0]))


def _consumers(graph: Graph) -> dict[int, dict[tuple[str, int], list[int]]]:
    found: dict[int, dict[tuple[str, int], list[int]]] = {}
    for source, slot, target in zip(graph.sources, graph.slots, graph.targets, strict=True):
        if target >= 0:
            found.setdefault(target, {}).setdefault((graph.names[source], slot), []).append(source)
    return found


def _nodes_by_call(graph: Graph) -> dict[int, list[int]]:
    """Function nodes of each call, the one made last first: it is the one whose output is the call's."""
    found: dict[int, list[int]] = {}
    for node, call in graph.calls.items():
        found.setdefault(call, []).append(node)
    order = graph.sequence_nrs
    for nodes in found.values():
        nodes.sort(key=lambda node: -(order[node] if node < len(order) else -1))
    return found
