"""From a scene to the size of its boxes, with every text made to fit."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from graphvis.picture.measure import fonts
from graphvis.picture.measure.text import Font, clean, shorten, shorten_numbers, shorten_path, width
from graphvis.picture.scene import Box, Face, Link, Row, Scene, Span, Wire

Shape = Literal["rectangle", "ellipse", "rounded", "bare"]

SHAPES: dict[str, Shape] = {
    "leaf": "rectangle", "tensor": "rectangle", "constant": "rectangle", "function": "ellipse",
    "conflict": "ellipse", "module": "rounded", "start": "bare",
}  # fmt: skip

PADDING = 8.0
INSET = 4.0  # from a leaf's outer border to its inner one
HEADER = 22.0
ROW_PITCH = 17.0
FOOT = 6.0
COLUMN_GAP = 12.0
SPAN_GAP = 12.0
SHEET = 4.0
CAPTION_PITCH = 14.0
# A box must leave room for a neighbour in a half of 360, or fill it alone.
WIDEST_TEXT = 236.0
MOST_CAPTION_LINES = 3


class Size(msgspec.Struct, frozen=True):
    """A box's outline, in SVG units.

    Attributes:
        width: outer width, without the sheets behind it.
        height: outer height, likewise.
        shape: what the engine clips edges at.
        inset: how far the text's own rectangle lies inside: a leaf's second border.
        behind: room for the sheets at the right.
    """

    width: float
    height: float
    shape: Shape
    inset: float = 0.0
    behind: float = 0.0


class Label(msgspec.Struct, frozen=True):
    """Room that a cut's scissors and words take at the right of the gradient lane."""

    width: float
    height: float


class Measured(msgspec.Struct, frozen=True):
    """A scene whose every text fits, and the room that it takes.

    Attributes:
        scene: the scene with texts cleaned and shortened; what was lost is in the tooltips.
        sizes: by box id.
        labels: by index into the scene's links; absent where a link has none.
    """

    scene: Scene
    sizes: dict[str, Size]
    labels: dict[int, Label]


def measure(scene: Scene) -> Measured:
    """Make every text of the scene fit and say how large each box is."""
    boxes = tuple(_fit_box(box) for box in scene.boxes)
    links = _said_once([_fit_link(link) for link in scene.links])
    fitted = msgspec.structs.replace(scene, boxes=boxes, links=links)
    labels = {i: label for i, link in enumerate(links) if (label := _label(link)) is not None}
    return Measured(fitted, {box.id: _size(box) for box in boxes}, labels)


def _fit_box(box: Box) -> Box:
    faces = tuple(face and _fit_face(face) for face in box.faces)
    return msgspec.structs.replace(box, faces=faces, cluster=clean(box.cluster))


def _fit_face(face: Face) -> Face:
    shape = SHAPES[face.look]
    heading_font = fonts.NAME if shape == "rectangle" else fonts.FUNCTION
    heading, aside = clean(face.heading), clean(face.aside)
    aside = shorten(aside, WIDEST_TEXT / 2, fonts.ASIDE)
    room = WIDEST_TEXT - (width(aside, fonts.ASIDE) + COLUMN_GAP if aside else 0)
    short = shorten_path(heading, room, heading_font)
    rows = tuple(_fit_row(row) for row in face.rows)
    caption = tuple(Span(shorten(clean(s.text), WIDEST_TEXT, fonts.CAPTION_BOLD), s.mark) for s in face.caption)
    lost = [full for full, kept in ((heading, short), (clean(face.aside), aside)) if full != kept]
    lost += [f"{r.label} {r.value}".strip() for r, kept in zip(face.rows, rows, strict=True) if _is_cut(r, kept)]
    lost += [s.text for s, kept in zip(face.caption, caption, strict=True) if clean(s.text) != kept.text]
    tooltip = "\n".join([*lost, face.tooltip] if face.tooltip else lost)
    return msgspec.structs.replace(
        face, heading=short, aside=aside, rows=rows, caption=caption, tooltip=clean(tooltip, keep="\n\t")
    )


def _is_cut(full: Row, kept: Row) -> bool:
    return (clean(full.label), clean(full.value)) != (kept.label, kept.value)


def _fit_row(row: Row) -> Row:
    label = shorten(clean(row.label), WIDEST_TEXT / 2, fonts.ROW_BOLD)
    room = WIDEST_TEXT - (width(label, fonts.ROW_BOLD) + COLUMN_GAP if label else 0)
    return Row(label, shorten_numbers(clean(row.value), room, fonts.ROW_BOLD), row.mark)


def _fit_link(link: Link) -> Link:
    return msgspec.structs.replace(link, wires=tuple(wire and _fit_wire(wire) for wire in link.wires))


def _fit_wire(wire: Wire) -> Wire:
    full = [clean(line) for line in wire.label[:2]]
    label = tuple(shorten(line, 150, _label_font(i)) for i, line in enumerate(full))
    lost = [line for line, kept in zip(full, label, strict=True) if line != kept]
    tooltip = "\n".join([*lost, wire.tooltip] if wire.tooltip else lost)
    return msgspec.structs.replace(wire, label=label, tooltip=clean(tooltip, keep="\n\t"))


def _said_once(links: list[Link]) -> tuple[Link, ...]:
    """Links without words that another one to the same box says already: both are cut by one call."""
    said: set[object] = set()
    found = []
    for link in links:
        words = tuple(wire.label if wire else () for wire in link.wires)
        if any(words) and (link.head, words) in said:
            link = msgspec.structs.replace(link, wires=tuple(wire and _silent(wire) for wire in link.wires))
        said.add((link.head, words))
        found.append(link)
    return tuple(found)


def _silent(wire: Wire) -> Wire:
    return msgspec.structs.replace(wire, label=())


def _label_font(line: int) -> Font:
    return fonts.CUT if line == 0 else fonts.CUT_PLACE


def _label(link: Link) -> Label | None:
    texts = [wire.label for wire in link.wires if wire is not None and wire.label]
    if not texts:
        return None
    widest = max(width(line, _label_font(i)) for text in texts for i, line in enumerate(text))
    return Label(math.ceil(LABEL_START + widest + 4), LABEL_HEIGHT)


LABEL_START = 24.0  # from the middle between the lanes to the words, across the scissors
LABEL_HEIGHT = 34.0


def _size(box: Box) -> Size:
    faces = [face for face in box.faces if face is not None]
    behind = SHEET * box.sheets
    shapes = [SHAPES[face.look] for face in faces] or ["bare"]
    # A box that changes its kind between the halves takes the shape that holds the most.
    shape: Shape = next(s for s in ("rectangle", "ellipse", "rounded", "bare") if s in shapes)
    if shape == "rectangle":
        inset = INSET if any(face.look == "leaf" for face in faces) else 0.0
        wide = max(_rectangle_width(face) for face in faces) + 2 * inset
        high = max(_rectangle_height(face) for face in faces) + 2 * inset
        return Size(math.ceil(wide), math.ceil(high), shape, inset, behind)
    sizes = [_inner_size(face, shape) for face in faces] or [(8.0, 8.0)]
    return Size(math.ceil(max(w for w, _ in sizes)), math.ceil(max(h for _, h in sizes)), shape, 0.0, behind)


def _rectangle_width(face: Face) -> float:
    widths = [width(face.heading, fonts.NAME) + (COLUMN_GAP + width(face.aside, fonts.ASIDE) if face.aside else 0)]
    for row in face.rows:
        label = width(row.label, fonts.ROW) + COLUMN_GAP if row.label else 0
        widths.append(label + width(row.value, fonts.ROW_BOLD))
    widths += [_line_width(line) for line in caption_lines(face)]
    return max(*widths, 36.0) + 2 * PADDING


def _rectangle_height(face: Face) -> float:
    lines = len(face.rows) + len(caption_lines(face))
    return HEADER + lines * ROW_PITCH + (FOOT if lines else 5.0)


def _inner_size(face: Face, shape: Shape) -> tuple[float, float]:
    lines = caption_lines(face)
    heading = width(face.heading, fonts.FUNCTION)
    if shape == "bare":
        return heading + 8, 20.0
    if shape == "rounded":
        return max([heading, *map(_line_width, lines)]) + 28, 26.0 + CAPTION_PITCH * len(lines) - (2 if lines else 0)
    if not lines:
        return max(heading / 0.93 + 18, 34.0), 34.0 if heading < 20 else 36.0
    # Each line must lie inside the ellipse at its own height.
    high = 45.0 + CAPTION_PITCH * (len(lines) - 1)
    top = -(len(lines) * CAPTION_PITCH + 14) / 2
    reach = [heading / _chord(high, top + 2)]
    for i, line in enumerate(lines, start=1):
        reach.append(_line_width(line) / _chord(high, top + 14 + i * CAPTION_PITCH - 3))
    return max(reach) + (36 if face.badge else 14), high


def _chord(high: float, y: float) -> float:
    """Width of an ellipse at height `y` from its middle, as a share of its full width."""
    return math.sqrt(max(1 - (2 * y / high) ** 2, 0.2))


def _line_width(line: tuple[Span, ...]) -> float:
    return sum(width(span.text, caption_font(span)) for span in line) + SPAN_GAP * (len(line) - 1)


def caption_font(span: Span) -> Font:
    """What a piece of a caption is set in."""
    return fonts.CAPTION_BOLD if span.mark == "bad" else fonts.CAPTION


def caption_lines(face: Face) -> list[tuple[Span, ...]]:
    """The caption's pieces, in lines that are not too wide; what does not fit becomes an ellipsis."""
    lines: list[tuple[Span, ...]] = []
    for span in face.caption:
        joined = (*lines[-1], span) if lines else (span,)
        if lines and _line_width(joined) <= 170:
            lines[-1] = joined
        elif len(lines) < MOST_CAPTION_LINES:
            lines.append((span,))
        else:
            lines[-1] = (*lines[-1][:-1], Span("…"))
            break
    return lines
