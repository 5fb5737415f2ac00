"""The published DOT: one statement a line, plain Graphviz means, true in every tool that reads it.

The arrow head at an edge's head is the value's, the one at its tail the gradient's. An edge whose
gradient does not come is dashed; so is, and pale, what only the half before has, and bold what only
the half after has. ``class`` holds what a thing is and what became of it.
"""

from __future__ import annotations

import re

import graphviz

from graphvis.picture import palette
from graphvis.picture.measure import clean, wrap
from graphvis.picture.measure.fonts import NOTE
from graphvis.picture.measure.text import is_wide
from graphvis.picture.scene import Box, Face, Half, Link, Scene, Wire
from graphvis.picture.union import Fate, face_of, fate_of, fates_of, wire_of

_LINE = 11.0
_ENTITY = re.compile(r"&(?=#?\w+;)")
_BROAD = 460.0
_LOOKS: dict[Fate, str] = {"gone": "pale and dashed: only before", "new": "bold: only after"}


def write(scene: Scene, half: int | None = None) -> str:
    """DOT source.

    Args:
        scene: what is shown.
        half: only this one; None for the union: each thing as it is after, or was before it went, with its state.
    """
    name = scene.name if half is None or len(scene.halves) == 1 else f"{scene.name}_{('before', 'after')[half]}"
    graph = graphviz.Digraph(graphviz.escape(clean(name)))
    graph.attr("graph", rankdir="TB", labelloc="t", labeljust="l", fontname="Helvetica", label=_heading(scene, half))
    graph.attr("node", shape="box", style="filled", fontname="Courier", fontsize="11", fontcolor=palette.INK)
    graph.attr("edge", fontname="Courier", fontsize="11", arrowsize="0.7", fontcolor=palette.RED)
    clusters: dict[str, graphviz.Digraph] = {}
    for box in scene.boxes:
        face = face_of(box, half)
        if face is None:
            continue
        target = graph
        if box.cluster:
            target = clusters.setdefault(box.cluster, _frame(box.cluster))
        target.node(box.id, **_box(box, face, fate_of(box, half)))
    for cluster in clusters.values():
        graph.subgraph(cluster)
    drawn = {box.id for box in scene.boxes if face_of(box, half) is not None}
    for link in scene.links:
        wire = wire_of(link, half)
        if wire is not None and link.tail in drawn and link.head in drawn:
            graph.edge(link.tail, link.head, **_link(link, wire, fate_of(link, half)))
    return str(graph.source)


def _text(*lines: str) -> str:
    """Lines as a plain label, to the left: nothing in them is an escape, none is taken for HTML."""
    label: str = graphviz.nohtml("".join(f"{_literal(line)}\\l" for line in lines))
    return label


def _centred(*lines: str) -> str:
    label: str = graphviz.nohtml("\\n".join(map(_literal, lines)))
    return label


def _literal(line: str) -> str:
    """Graphviz reads backslashes as escapes and entities as characters."""
    return _ENTITY.sub("&amp;", graphviz.escape(clean(line)))


def _heading(scene: Scene, half: int | None) -> str:
    lines = list(wrap(scene.title, _BROAD, NOTE)) if scene.title else []
    for i, words in enumerate(scene.halves):
        if half is None or i == half:
            lines += _words(words)
    told = [_LOOKS[fate] for fate in fates_of(scene, half)]
    if told:
        lines.append("; ".join(told))
    return _text(*lines)


def _words(half: Half) -> list[str]:
    said = [f"{half.title}: {'; '.join(half.code)}" if half.title else "; ".join(half.code)]
    if half.strip is not None:
        said.append(half.strip.headline)
        said += [piece for line in half.strip.lines for piece in wrap(line.text, _BROAD, NOTE)]
    return [line for line in said if line and line != ": "]


def _frame(path: str) -> graphviz.Digraph:
    frame = graphviz.Digraph(graphviz.escape(f"cluster_{clean(path)}"))
    frame.attr(label=_text(path), style="rounded", color=palette.FRAME, fontname="Courier", fontsize="11")
    return frame


def _box(box: Box, face: Face, fate: Fate) -> dict[str, str]:
    attributes = {"id": box.id, "class": f"{face.look} {box.state}" + (" pale" if face.pale else "")}
    if face.tooltip:
        attributes["tooltip"] = _centred(*face.tooltip.split("\n"))
    if face.look == "start":
        attributes |= {"label": _centred(face.heading), "shape": "plaintext", "style": ""}
        return attributes | {"fontcolor": palette.PALE_INK if face.pale else palette.GRADIENT}
    lines = _lines(face)
    left = face.look in ("leaf", "tensor", "constant")
    attributes["label"] = _text(*lines) if left else _centred(*lines)
    attributes |= _look(face)
    if fate == "gone":
        attributes["style"] = f"{attributes.get('style', 'filled')},dashed"
    elif fate == "new":
        attributes["penwidth"] = "2.2"
    if box.sheets:
        attributes["peripheries"] = "3"
    if any(is_wide(char) for line in lines for char in line):
        # Graphviz counts a wide character as 0.83 em at most, and the text would leave its box.
        broadest = max(sum(1.0 if is_wide(char) else 0.6 for char in line) for line in lines)
        attributes["width"] = f"{broadest * _LINE / 72 + 16 / 72:.2f}"
    return attributes


def _lines(face: Face) -> list[str]:
    table = [(face.heading, face.aside), *((row.label, row.value) for row in face.rows)]
    broadest = max(len(left) + len(right) + 2 for left, right in table)
    lines = [f"{left}{right:>{broadest - len(left)}}" if left and right else left or right for left, right in table]
    if face.caption:
        lines.append("   ".join(span.text for span in face.caption))
    return lines


def _look(face: Face) -> dict[str, str]:
    look = {
        "leaf": {"color": palette.GRADIENT, "fillcolor": palette.LEAF_GROUND, "peripheries": "2"},
        "tensor": {"color": palette.INK, "fillcolor": palette.PAGE},
        "constant": {"color": palette.VALUE, "fillcolor": palette.PAGE},
        "function": {"color": palette.MUTED, "fillcolor": palette.FUNCTION_GROUND, "shape": "ellipse"},
        "module": {"color": palette.MUTED, "fillcolor": palette.FUNCTION_GROUND, "style": "rounded,filled"},
        "conflict": {"color": palette.RED, "fillcolor": palette.RED_GROUND, "shape": "ellipse", "penwidth": "2.2"},
    }[face.look]
    if face.pale:
        look |= {"color": palette.PALE, "fillcolor": palette.PAGE, "fontcolor": palette.PALE_INK}
    return look


def _link(link: Link, wire: Wire, fate: Fate) -> dict[str, str]:
    what = "gone" if fate == "gone" else wire.gradient or link.kind
    attributes = {"class": f"{what} {link.state}"}
    if wire.tooltip:
        attributes["tooltip"] = _centred(*wire.tooltip.split("\n"))
    if link.returns or link.dotted:
        attributes["constraint"] = "false"
    if fate == "gone":
        head = "forward" if wire.value else "none"
        return attributes | {"style": "dotted" if link.dotted else "dashed", "dir": head, "color": palette.PALE}
    if link.dotted:
        return attributes | {"style": "dotted", "dir": "none", "color": palette.MUTED}
    if link.kind == "start":
        return attributes | {"dir": "back", "color": palette.GRADIENT, "penwidth": "2"}
    if wire.label:
        attributes["label"] = _text(*wire.label)
    if fate == "new":
        attributes["penwidth"] = "2.2"
    return attributes | _lanes(wire)


def _lanes(wire: Wire) -> dict[str, str]:
    value = {"flow": palette.VALUE, "pale": palette.PALE}.get(wire.value or "")
    gradient = {"flow": palette.GRADIENT, "never": palette.PALE, "cut": palette.RED}.get(wire.gradient or "")
    lanes = {"color": ":".join(lane for lane in (value, gradient) if lane) or palette.RED}
    comes_back = wire.gradient in ("flow", "never")
    lanes["dir"] = "both" if value and comes_back else "forward" if value else "back" if comes_back else "none"
    if wire.gradient in ("never", "cut"):
        lanes["style"] = "dashed"
    if wire.gradient == "never":
        lanes["arrowtail"] = "empty"
    if wire.gradient == "stub":
        lanes |= {"labelangle": "-30", "labeldistance": "4"}
        lanes["headlabel"] = "None" if wire.slot is None else f"slot {wire.slot}: None"
        if not value:
            lanes["style"] = "dashed"
    return lanes
