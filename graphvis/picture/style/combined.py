"""Forward and backward in one view: each call beside its backward node, and what is kept between them."""

from __future__ import annotations

from collections.abc import Iterator

from graphvis.analysis.keeping import kept_by_module
from graphvis.errors import FormatError
from graphvis.model import Graph, Moment, Saved
from graphvis.picture.scene import Box, Face, Half, Link, Row, Scene, Span, Wire
from graphvis.picture.style.side import Side, standing
from graphvis.picture.style.words import shape_words, source_line

_GONE = {"overwritten": "overwritten", "detached": "detached in place", "freed": "freed", "unknown": "not looked at"}


def scene_of_both(graph: Graph, name: str = "combined") -> Scene:
    """What is shown of a recorded graph, forward calls at the left, backward nodes at the right.

    Args:
        graph: a walk joined with the recording of its run, unfolded.
        name: fit for ids.

    Raises:
        FormatError: if there is no recording in it.
    """
    if not graph.calls:
        raise FormatError(
            "forward and backward can be shown together only where the run was recorded",
            "Draw a scenario, or what graphvis.diagnose(loss, trace) gives.",
        )
    both = _Both(graph)
    kept = sum(row.nbytes for row in kept_by_module(graph))
    title = f"Forward and backward: {kept:,} bytes are kept until backward has run"
    return Scene(
        name=name,
        title=title,
        description=f"{title}. Each forward call stands beside its backward node, which says what it keeps.",
        halves=(Half(),),
        boxes=tuple(both.boxes()),
        links=tuple(dict.fromkeys(both.links())),
    )


class _Both:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.side = Side(Moment(graph=graph))

    def _drawn(self) -> Iterator[int]:
        return (node for node in range(len(self.graph.kinds)) if node not in self.side.hidden)

    def forward(self, node: int) -> str:
        """The box that a node has among the calls: its call's, or its own where it is a tensor."""
        call = self.graph.calls.get(node)
        return f"n{node}" if self.graph.kinds[node] != "function" else f"f{node}" if call is None else f"c{call}"

    def boxes(self) -> Iterator[Box]:
        """Calls, backward nodes, tensors, and where backward starts."""
        graph = self.graph
        seen: set[str] = set()
        for node in self._drawn():
            box = self.forward(node)
            if graph.kinds[node] != "function":
                yield Box(id=box, faces=(self._tensor(node),))
                continue
            if box not in seen:
                seen.add(box)
                yield Box(id=box, faces=(self._call(node),))
            if node not in graph.ghosts:
                yield Box(id=f"n{node}", faces=(self._backward(node),))
        for root in graph.roots:
            yield Box(id=f"s{root}", faces=(Face(look="start", heading=".backward()"),))

    def _call(self, node: int) -> Face:
        graph = self.graph
        name = graph.names[node]
        words = name if node in graph.ghosts else _forward_name(name)
        return Face(look="module", heading=words, tooltip=source_line(graph.locations.get(node)))

    def _backward(self, node: int) -> Face:
        caption = [
            Span(_words(saved), "plain" if saved.state == "intact" else "bad")
            for saved in self.graph.saved.get(node, ())
        ]
        pale = not self.side.reaches(node)
        return Face(
            look="function",
            pale=pale,
            heading=self.graph.names[node],
            caption=(*caption, *((Span("no gradient"),) if pale else ())),
            tooltip=source_line(self.graph.locations.get(node)),
        )

    def _tensor(self, node: int) -> Face:
        info = self.graph.tensors[node]
        leaf = self.graph.kinds[node] == "leaf"
        kind = "parameter, " if info.is_parameter else "leaf, " if leaf else ""
        rows = (Row("", info.value),) if info.value is not None else ()
        return Face(
            look="leaf" if leaf else "tensor" if self.side.connected(node) else "constant",
            heading=info.name or "unnamed",
            aside=f"{kind}{shape_words(info.shape)}",
            rows=rows,
            tooltip=source_line(self.graph.locations.get(node)),
        )

    def links(self) -> Iterator[Link]:
        """The value from call to call, the gradient from node to node, and what is kept between them."""
        graph, side = self.graph, self.side
        for tail, head, lane, edge in side.lanes():
            yield from self._value(self.forward(tail), self.forward(head))
            if graph.kinds[head] == "function":
                target = graph.targets[edge]
                above = side.stand_in(target, -1)  # through the function itself, not the tensor that stands for it
                yield Link(tail=f"n{above}", head=f"n{head}", wires=(Wire(gradient=lane),))
        for value in graph.values:
            if value.source not in side.hidden and value.target not in side.hidden:
                yield from self._value(self.forward(side.stand_in(value.source)), self.forward(value.target))
        for node in self._drawn():
            if graph.kinds[node] == "function" and node not in graph.ghosts and graph.saved.get(node):
                yield Link(tail=self.forward(node), head=f"n{node}", kind="saved", wires=(Wire(),))
        for root in graph.roots:
            for edge in graph.slots_of(root):
                node = graph.targets[edge]
                yield Link(tail=f"n{node}", head=f"s{root}", kind="start", wires=(Wire(gradient="flow"),))
            if not len(graph.slots_of(root)):
                yield Link(
                    tail=f"n{standing(side, root)}", head=f"s{root}", kind="start", wires=(Wire(gradient="flow"),)
                )

    def _value(self, tail: str, head: str) -> Iterator[Link]:
        if tail != head:
            yield Link(tail=tail, head=head, wires=(Wire(value="flow"),))


def _forward_name(node: str) -> str:
    """``Sigmoid`` for ``SigmoidBackward0``."""
    return node.rstrip("0123456789").removesuffix("Backward") or node


def _words(saved: Saved) -> str:
    state = "" if saved.state == "intact" else f", {_GONE[saved.state]}"
    size = f", {saved.nbytes:,} bytes" if saved.nbytes else ""
    return f"{saved.name} {shape_words(saved.shape)}{size}{state}"
