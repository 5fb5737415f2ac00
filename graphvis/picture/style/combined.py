"""Forward and backward in one view: each call beside its backward node, and what is kept between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from graphvis.analysis.folding import Folded, graphs_of, unfolded
from graphvis.analysis.keeping import kept_by_module, kept_by_node
from graphvis.errors import FormatError
from graphvis.model import Comparison, Drawable, Graph, Moment, Saved
from graphvis.picture.scene import Box, Face, Half, Link, Row, Scene, Span, Wire
from graphvis.picture.style.side import Side, standing
from graphvis.picture.style.words import fold_words, shape_words, some_of, source_line

_GONE = {"overwritten": "overwritten", "detached": "detached in place", "freed": "freed", "unknown": "not looked at"}
_Key = tuple[str, str, str]
"""Tail, head and kind of a link."""


def scene_of_both(drawable: Drawable, folded: Folded[Drawable] | None = None, name: str = "combined") -> Scene:
    """What is shown of something recorded, forward calls at the left, backward nodes at the right.

    Args:
        drawable: a Graph, Moment, Comparison or Diagnosis; of a comparison both moments are shown.
        folded: the same folded; None to show every call.
        name: fit for ids.

    Raises:
        FormatError: if there is no recording in it.
    """
    wholes, shown = graphs_of(drawable), folded or unfolded(drawable)
    if not any(graph.calls for graph in wholes):
        raise FormatError(
            "forward and backward can be shown together only where the run was recorded",
            "Draw a scenario, or what graphvis.diagnose(loss, trace) gives.",
        )
    places = _places(shown.drawable)
    halves = [
        _Half(graph, kept_by_node(whole, nodes), place)
        for whole, graph, nodes, place in zip(wholes, graphs_of(shown.drawable), shown.nodes, places, strict=True)
    ]
    title = f"Forward and backward: {_kept_words(wholes)}"
    return Scene(
        name=name,
        title=title,
        description=f"{title}. Each forward call stands beside its backward node, which says what it keeps.",
        halves=tuple(_words_of(drawable, len(halves))),
        boxes=tuple(_boxes(halves)),
        links=tuple(_links(halves)),
    )


def _places(drawable: Drawable) -> list[Sequence[int]]:
    """For each graph the number that each node's boxes are called by: the same in both moments for the same node."""
    if not isinstance(drawable, Comparison) or drawable.before is None:
        return [range(len(graph.kinds)) for graph in graphs_of(drawable)]
    found = [[0] * len(graph.kinds) for graph in graphs_of(drawable)]
    for place, pair in enumerate(drawable.nodes):
        for half, node in enumerate((pair.before, pair.after)):
            if node is not None:
                found[half][node] = place
    return list(found)


def _kept_words(wholes: Sequence[Graph]) -> str:
    sums = [sum(row.nbytes for row in kept_by_module(graph)) for graph in wholes]
    if len(sums) == 1:
        return f"{sums[0]:,} bytes are kept until backward has run"
    return f"{sums[0]:,} bytes are kept for backward before, {sums[1]:,} after"


def _words_of(drawable: Drawable, halves: int) -> Iterator[Half]:
    if halves == 1 or not isinstance(drawable, Comparison):
        yield Half()
        return
    for title, moment in (("BEFORE", drawable.before), ("AFTER", drawable.after)):
        yield Half(title=title, code=tuple(moment.code.splitlines()) if moment else ())


def _boxes(halves: Sequence[_Half]) -> Iterator[Box]:
    faces = [half.faces() for half in halves]
    for box in dict.fromkeys(box for half in faces for box in half):
        node = next(half.nodes[box] for half, there in zip(halves, faces, strict=True) if box in there)
        graph = next(half.graph for half, there in zip(halves, faces, strict=True) if box in there)
        fold = graph.folds.get(node)
        yield Box(
            id=box,
            faces=tuple(there.get(box) for there in faces),
            sheets=min(fold.times - 1, 2) if fold else 0,
            cluster="" if box.startswith("s") else graph.clusters.get(node, ""),
        )


def _links(halves: Sequence[_Half]) -> Iterator[Link]:
    wires = [half.wires() for half in halves]
    for key in dict.fromkeys(key for half in wires for key in half):
        tail, head, kind = key
        looks = tuple(there.get(key) for there in wires)
        yield Link(tail=tail, head=head, kind=kind, wires=looks)  # type: ignore[arg-type]


class _Half:
    """One moment's boxes and links, by id.

    Args:
        graph: what is drawn, folded or not.
        kept: the bytes and saved tensors of each node, where it keeps some.
        places: the number that each node's boxes are called by.
    """

    def __init__(self, graph: Graph, kept: dict[int, tuple[int, int]], places: Sequence[int]) -> None:
        self.graph = graph
        self.side = Side(Moment(graph=graph))
        self.nodes: dict[str, int] = {}
        self._kept = kept
        self._places = places
        firsts: dict[int, int] = {}
        for node in self._drawn():
            if (call := graph.calls.get(node)) is not None and node not in graph.folds:
                firsts.setdefault(call, places[node])
        self._calls = {
            node: firsts[call] for node, call in graph.calls.items() if call in firsts and node not in graph.folds
        }

    def _drawn(self) -> Iterator[int]:
        return (node for node in range(len(self.graph.kinds)) if node not in self.side.hidden)

    def _is_alone(self, node: int) -> bool:
        """Whether it is no call: a tensor, or parameters without what takes them."""
        fold = self.graph.folds.get(node)
        return self.graph.kinds[node] != "function" or (fold is not None and not fold.functions)

    def _back(self, node: int) -> str:
        return f"n{self._places[node]}"

    def _forward(self, node: int) -> str:
        """The box that a node has among the calls: its call's, or its own where it is no call."""
        return self._back(node) if self._is_alone(node) else f"f{self._calls.get(node, self._places[node])}"

    def faces(self) -> dict[str, Face]:
        """Calls, backward nodes, tensors, and where backward starts."""
        graph, found = self.graph, dict[str, Face]()

        def put(box: str, node: int, face: Face) -> None:
            if box not in found:
                found[box] = face
                self.nodes[box] = node

        for node in self._drawn():
            if self._is_alone(node):
                put(self._back(node), node, self._lone(node))
                continue
            put(self._forward(node), node, self._call(node))
            if node not in graph.ghosts:
                put(self._back(node), node, self._backward(node))
        for root in graph.roots:
            put(f"s{self._places[root]}", root, Face(look="start", heading=".backward()"))
        return found

    def _call(self, node: int) -> Face:
        graph = self.graph
        name = graph.names[node]
        fold = graph.folds.get(node)
        if fold is not None:
            told = fold_words(fold)
            caption = (Span(told),) if told else ()
            return Face(look="module", heading=name, caption=caption, tooltip=some_of(fold.modules))
        words = name if node in graph.ghosts else _forward_name(name)
        return Face(look="module", heading=words, tooltip=source_line(graph.locations.get(node)))

    def _backward(self, node: int) -> Face:
        graph, pale = self.graph, not self.side.reaches(node)
        fold = graph.folds.get(node)
        if fold is not None:
            nbytes, tensors = self._kept.get(node, (0, 0))
            told = f"keeps {tensors} tensor{'s' if tensors > 1 else ''}, {nbytes:,} bytes" if tensors else "keeps none"
            caption = [Span(told)]
        else:
            caption = [
                Span(_words(saved), "plain" if saved.state == "intact" else "bad")
                for saved in graph.saved.get(node, ())
            ]
        return Face(
            look="function",
            pale=pale,
            heading=f"{graph.names[node]} backward" if fold else graph.names[node],
            caption=(*caption, *((Span("no gradient"),) if pale else ())),
            tooltip=", ".join(fold.operations) if fold else source_line(graph.locations.get(node)),
        )

    def _lone(self, node: int) -> Face:
        fold = self.graph.folds.get(node)
        if fold is not None:
            heading = self.graph.names[node]
            return Face(
                look="module", heading=heading, caption=(Span(fold_words(fold)),), tooltip=some_of(fold.modules)
            )
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

    def wires(self) -> dict[_Key, Wire]:
        """The value from call to call, the gradient from node to node, and what is kept between them."""
        graph, side, found = self.graph, self.side, dict[_Key, Wire]()
        for tail, head, wire, kind in (*self._lanes(), *self._values()):
            if tail != head:
                found.setdefault((tail, head, kind), wire)
        for node in self._drawn():
            keeps = graph.saved.get(node) or (node in graph.folds and node in self._kept)
            if keeps and not self._is_alone(node) and node not in graph.ghosts:
                found[self._forward(node), self._back(node), "saved"] = Wire()
        for root in graph.roots:
            ends = [graph.targets[edge] for edge in graph.slots_of(root) if graph.kinds[root] == "tensor"]
            for node in ends or [standing(side, root)]:
                end = self._forward(node) if node in graph.ghosts else self._back(node)
                found[end, f"s{self._places[root]}", "start"] = Wire(gradient="flow")
        return found

    def _lanes(self) -> Iterable[tuple[str, str, Wire, str]]:
        graph, side = self.graph, self.side
        for tail, head, lane, edge in side.lanes():
            yield self._forward(tail), self._forward(head), Wire(value="flow"), "lanes"
            if graph.kinds[head] == "function":
                # Through the function itself, not the tensor that stands for it.
                above = side.stand_in(graph.targets[edge], -1)
                yield self._back(above), self._back(head), Wire(gradient=lane), "lanes"

    def _values(self) -> Iterable[tuple[str, str, Wire, str]]:
        for value in self.graph.values:
            if value.source not in self.side.hidden and value.target not in self.side.hidden:
                source = self.side.stand_in(value.source)
                yield self._forward(source), self._forward(value.target), Wire(value="flow"), "lanes"


def _forward_name(node: str) -> str:
    """``Sigmoid`` for ``SigmoidBackward0``."""
    return node.rstrip("0123456789").removesuffix("Backward") or node


def _words(saved: Saved) -> str:
    state = "" if saved.state == "intact" else f", {_GONE[saved.state]}"
    size = f", {saved.nbytes:,} bytes" if saved.nbytes else ""
    return f"{saved.name} {shape_words(saved.shape)}{size}{state}"
