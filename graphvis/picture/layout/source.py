"""The private DOT that the engine lays out: boxes of fixed size, nothing to see."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import graphviz
import msgspec

from graphvis.picture.measure import Measured, Size, fonts, width
from graphvis.picture.scene import Link, frame_name

POINTS = 72.0
MANY = 1500
"""Boxes above which the engine is told to search less."""


_LONGER = 2


class Spacing(msgspec.Struct, frozen=True):
    """Room between boxes, in SVG units.

    Attributes:
        across: between neighbours.
        down: between ranks.
        longer: links that pass more ranks than they must, by index, so that not all of a row stand side by side.
    """

    across: float = 22.0
    down: float = 34.0
    longer: frozenset[int] = frozenset()


class Ports(msgspec.Struct, frozen=True):
    """Where links touch their boxes.

    Attributes:
        below: by link index, how far right of the tail's middle a link leaves it.
        above: by link index, how far right of the head's middle it enters it.
    """

    below: Mapping[int, float] = {}
    above: Mapping[int, float] = {}


def write(
    measured: Measured, spacing: Spacing, ports: Ports, reserved: Collection[int] = (), splines: str = "true"
) -> str:
    """DOT for the engine; nodes are named ``b0``, ``b1``, ... and edges numbered in ``comment``.

    Args:
        measured: the boxes and links.
        spacing: room between them.
        ports: where links touch their boxes.
        reserved: the links for whose labels the engine shall make room.
        splines: Graphviz's own attribute.
    """
    scene = measured.scene
    graph = graphviz.Digraph("scene", graph_attr=_graph_attributes(len(scene.boxes), spacing, splines))
    graph.attr("node", label="", fixedsize="true", shape="box", margin="0")
    graph.attr("edge", dir="none", label="", fontname="Courier", fontsize="11")
    names = {box.id: f"b{i}" for i, box in enumerate(scene.boxes)}
    tree = _nest({box.cluster for box in scene.boxes if box.cluster})
    holes = {box.id: _cells(measured, box.id, ports) for box in scene.boxes} if ports.below else {}
    _write_boxes(graph, measured, names, holes, tree)
    for i in touching(scene.links):
        if scene.links[i].tail in names and scene.links[i].head in names:
            _write_link(graph, measured, names, ports, i, i in reserved, _LONGER if i in spacing.longer else 0)
    return str(graph.source)


def _graph_attributes(boxes: int, spacing: Spacing, splines: str) -> dict[str, str]:
    attributes = {
        "rankdir": "TB", "splines": splines, "pad": "0", "outputorder": "nodesfirst",
        "nodesep": f"{spacing.across / POINTS:.4f}", "ranksep": f"{spacing.down / POINTS:.4f}",
        "fontname": "Courier", "fontsize": "11",
    }  # fmt: skip
    if boxes > MANY:
        # All three together: one of them alone makes the picture several times wider.
        attributes |= {"nslimit": "0.1", "nslimit1": "0.1", "mclimit": "0.1"}
    return attributes


def _nest(clusters: set[str]) -> dict[str, str]:
    """Each cluster's parent among the clusters, by dotted path; empty for none."""

    def parent(path: str) -> str:
        while "." in path:
            path = path.rpartition(".")[0]
            if path in clusters:
                return path
        return ""

    return {path: parent(path) for path in sorted(clusters)}


def _write_boxes(
    graph: graphviz.Digraph, measured: Measured, names: dict[str, str], holes: dict[str, str], tree: dict[str, str]
) -> None:
    """The boxes of a cluster, and its inner clusters, in scene order."""
    open_graphs = {"": graph}
    order = clusters(measured)
    for path in sorted(tree, key=lambda p: (p.count("."), order.index(p))):
        open_graphs[path] = graphviz.Digraph(f"cluster_{order.index(path)}")
        label_room = width(frame_name(path, tree), fonts.FRAME_NAME)
        open_graphs[path].attr(label=_room(label_room, 14.0), labeljust="l", margin="10")
    for box in measured.scene.boxes:
        attributes = _box_attributes(measured.sizes[box.id])
        if holes.get(box.id):
            attributes["label"] = holes[box.id]
        open_graphs[box.cluster].node(names[box.id], **attributes)
    for path in sorted(tree, key=lambda p: -p.count(".")):
        open_graphs[tree[path]].subgraph(open_graphs[path])


def _box_attributes(size: Size) -> dict[str, str]:
    return {
        "width": f"{(size.width + size.behind) / POINTS:.4f}",
        "height": f"{size.height / POINTS:.4f}",
        "shape": "ellipse" if size.shape == "ellipse" else "box",
    }


def _cells(measured: Measured, box: str, ports: Ports) -> str:
    """A table as large as the box with a narrow cell for each port; empty where one in the middle will do."""
    size = measured.sizes[box]
    above = [(x, f"i{i}") for i, x in ports.above.items() if measured.scene.links[i].head == box]
    below = [(x, f"o{i}") for i, x in ports.below.items() if measured.scene.links[i].tail == box]
    if not above and not below:
        return ""
    wide, high = int(size.width + size.behind), int(size.height)
    rows = [_row(sorted(above), wide, high // 2), _row(sorted(below), wide, high - high // 2)]
    return (
        f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE" WIDTH="{wide}"'
        f' HEIGHT="{high}"><TR><TD>{rows[0]}</TD></TR><TR><TD>{rows[1]}</TD></TR></TABLE>>'
    )


def _room(wide: float, high: float) -> str:
    """A label that shows nothing and takes room."""
    return f'<<TABLE BORDER="0" FIXEDSIZE="TRUE" WIDTH="{wide:.0f}" HEIGHT="{high:.0f}"><TR><TD></TD></TR></TABLE>>'


def _row(cells: list[tuple[float, str]], wide: int, high: int) -> str:
    def cell(columns: int, port: str = "") -> str:
        name = f' PORT="{port}"' if port else ""
        return f'<TD{name} FIXEDSIZE="TRUE" WIDTH="{columns}" HEIGHT="{high}"></TD>' if columns > 0 else ""

    written, at = [], 0
    for offset, port in cells:
        start = round(wide / 2 + offset) - 1
        written += [cell(start - at), cell(2, port)]
        at = max(start, at) + 2
    written.append(cell(wide - at))
    return (
        f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE" WIDTH="{wide}"'
        f' HEIGHT="{high}"><TR>{"".join(written)}</TR></TABLE>'
    )


def _write_link(
    graph: graphviz.Digraph,
    measured: Measured,
    names: dict[str, str],
    ports: Ports,
    i: int,
    reserved: bool,
    longer: int,
) -> None:
    link = measured.scene.links[i]
    attributes = {"comment": str(i)}
    label = measured.labels.get(i)
    if label is not None and reserved:
        attributes["label"] = _room(label.width, label.height)
    elif label is not None:
        # The words need the height of two gaps; where they go is seen later.
        attributes["minlen"] = "3" if _crosses_a_frame(measured, link) else "2"
    if longer:
        attributes["minlen"] = str(int(attributes.get("minlen", "1")) + longer)
    if i in ports.below:
        attributes |= {"tailport": f"o{i}:s", "headport": f"i{i}:n"}
    graph.edge(names[link.tail], names[link.head], **attributes)


def _crosses_a_frame(measured: Measured, link: Link) -> bool:
    """Whether a frame's line runs between tail and head, and needs its own height."""
    return len({box.cluster for box in measured.scene.boxes if box.id in (link.tail, link.head)}) > 1


def clusters(measured: Measured) -> list[str]:
    """The clusters in the order of their numbers: names of people's modules are not put into DOT."""
    return list(dict.fromkeys(box.cluster for box in measured.scene.boxes))


def touching(links: tuple[Link, ...]) -> Iterator[int]:
    """The indices of the links that leave a box below and enter one above."""
    return (i for i, link in enumerate(links) if not link.beside and link.tail != link.head)
