"""Which call of a trace made which node of a graph."""

from __future__ import annotations

from graphvis.model import Graph, Trace


def calls_of_nodes(graph: Graph, trace: Trace) -> dict[int, int]:
    """For each function node of a graph the innermost call that made it, where one is known."""
    spans = sorted(
        (call.sequence[0], -call.sequence[1], index)
        for index, call in enumerate(trace.calls)
        if call.sequence[0] < call.sequence[1]
    )
    nodes = sorted(
        (number, node)
        for node, number in enumerate(graph.sequence_nrs)
        if number >= 0 and graph.kinds[node] == "function"
    )
    found: dict[int, int] = {}
    around: list[tuple[int, int]] = []  # the calls that the number lies in, innermost last
    place = 0
    for number, node in nodes:
        while place < len(spans) and spans[place][0] <= number:
            start, minus_stop, index = spans[place]
            while around and around[-1][0] <= start:
                around.pop()
            around.append((-minus_stop, index))
            place += 1
        while around and around[-1][0] <= number:
            around.pop()
        if around:
            found[node] = around[-1][1]
    return dict(sorted(found.items()))
