"""A backward that reaches into a graph which an earlier one has freed: through which tensor, and which one that was."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from graphvis.model import Conflict, Graph, Location, Trace

BACKWARD = frozenset({"Tensor.backward", "torch.autograd.backward", "torch.autograd.grad"})
_MOST = 16  # of the backwards that ran, the latest first, that are looked at


def find_freed(graph: Graph, trace: Trace, calls: Mapping[int, int], stop: int | None, due: bool) -> Iterator[Conflict]:
    """The tensors that carry a graph which was freed into this one, each once.

    Args:
        graph: a walk with the saved tensors' states.
        trace: the run that built it.
        calls: which call made each node.
        stop: look at the calls before this one only; None for all.
        due: whether a backward is about to run, so that it does even if all of the graph was freed by the one before;
            else that is what the one before was for.
    """
    freed = [node for node in graph.reached if any(one.state == "freed" for one in graph.saved.get(node, ()))]
    if not freed:
        return
    leading = _leading_to(graph, freed)
    ran = [i for i, call in enumerate(trace.calls[:stop]) if call.function in BACKWARD]
    if due and ran and ran[-1] == len(trace.calls[:stop]) - 1:
        ran.pop()  # the one that is about to run
    for backward in reversed(ran[-_MOST:]):
        covered = _covered(trace, backward)
        if not any(calls.get(node) in covered for node in freed):
            continue
        again = [root for root in graph.roots if _made_by(graph, calls, root) in covered]
        if again:
            if due:
                yield from _whole(graph, trace, calls, again[0], backward)
            return
        yield from _carried(graph, trace, calls, covered, leading, backward)
        return


def _leading_to(graph: Graph, nodes: list[int]) -> set[int]:
    """The nodes from which a gradient goes on to one of `nodes`, these included."""
    users: list[list[int]] = [[] for _ in graph.kinds]
    for source, target in zip(graph.sources, graph.targets, strict=True):
        if target >= 0:
            users[target].append(source)
    found, stack = set(nodes), list(nodes)
    while stack:
        for user in users[stack.pop()]:
            if user not in found:
                found.add(user)
                stack.append(user)
    return found


def _covered(trace: Trace, backward: int) -> set[int]:
    """The calls that a backward went through."""
    wanted = set(trace.calls[backward].inputs)
    found: set[int] = set()
    for index in range(backward - 1, -1, -1):
        call = trace.calls[index]
        if not any(output in wanted and result for output, result in zip(call.outputs, call.results, strict=False)):
            continue
        found.add(index)
        wanted.update(number for number, edge in zip(call.inputs, call.connected, strict=False) if edge)
    return found


def _made_by(graph: Graph, calls: Mapping[int, int], root: int) -> int | None:
    """The call that made a root, which is a tensor or its node."""
    if graph.kinds[root] == "function":
        return calls.get(root)
    return next((calls.get(graph.targets[edge]) for edge in graph.slots_of(root) if graph.targets[edge] >= 0), None)


def _whole(graph: Graph, trace: Trace, calls: Mapping[int, int], root: int, backward: int) -> Iterator[Conflict]:
    """The conflict of a backward from what one has already gone through."""
    made = _made_by(graph, calls, root)
    node = next((graph.targets[edge] for edge in graph.slots_of(root) if graph.targets[edge] >= 0), root)
    info = graph.tensors.get(root)
    yield _conflict(graph, trace, node, made, backward, (info.name if info else None) or "", None)


def _carried(
    graph: Graph, trace: Trace, calls: Mapping[int, int], covered: set[int], leading: set[int], backward: int
) -> Iterator[Conflict]:
    """The conflicts of tensors of a freed graph that calls outside of it took."""
    # By the call that made it and the tensors that were taken of it: the taker, and a node.
    first: dict[tuple[int, tuple[int, ...]], tuple[int, int]] = {}
    for source, target in zip(graph.sources, graph.targets, strict=True):
        taker, maker = calls.get(source), calls.get(target)
        if taker is None or maker is None or taker in covered or maker not in covered or target not in leading:
            continue
        made = trace.calls[maker].outputs
        taken = tuple(number for number in trace.calls[taker].inputs if number in made)
        known = first.get((maker, taken))
        if known is None or taker < known[0]:
            first[maker, taken] = (taker, target)
    for (maker, taken), (taker, node) in sorted(first.items()):
        yield _conflict(graph, trace, node, maker, backward, _name(trace, maker, taken), taker)


def _name(trace: Trace, maker: int, taken: tuple[int, ...]) -> str:
    """What the program calls some results of a call: a variable's name, or what the line that made them assigns."""
    names = [name for number in taken if (name := trace.tensors[number].name)]
    if names:
        return ", ".join(names)
    made = trace.calls[maker]
    for call in trace.calls[maker + 1 :]:
        if call.location != made.location or call.caller != made.caller:
            break
        if any(number in call.inputs for number in taken):
            return ""  # not what the statement comes to
    where = trace.locations[made.location if made.caller is None else made.caller]
    try:
        (statement,) = ast.parse(where.text).body
    except (SyntaxError, ValueError):
        return ""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return ast.unparse(statement.targets[0])
    return ""


def _conflict(
    graph: Graph, trace: Trace, node: int, made: int | None, backward: int, name: str, taker: int | None
) -> Conflict:
    kept = next((one for one in graph.saved.get(node, ()) if one.state == "freed"), None)

    def at(call: int | None, caller: bool = False) -> Location | None:
        if call is None:
            return None
        place = trace.calls[call].caller if caller else trace.calls[call].location
        return None if place is None else trace.locations[place]

    return Conflict(
        effect="raises",
        node=graph.names[node],
        saved="" if kept is None else kept.name,
        saved_at=at(made),
        saved_by=at(made, caller=True),
        modified_at=at(backward),
        modified_by=at(backward, caller=True),
        function=trace.calls[backward].function,
        carrier=name,
        carried_at=at(taker),
        carried_by=at(taker, caller=True),
        index=node,
    )
