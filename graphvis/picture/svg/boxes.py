"""Boxes: one function for each shape, all from a face and a place."""

from __future__ import annotations

import math

from graphvis.picture import palette
from graphvis.picture.layout import Place
from graphvis.picture.measure import Size, fonts, width
from graphvis.picture.measure.boxes import (
    CAPTION_PITCH,
    HEADER,
    PADDING,
    ROW_PITCH,
    SHEET,
    SPAN_GAP,
    caption_font,
    caption_lines,
)
from graphvis.picture.scene import Box, Face, Row, Span
from graphvis.picture.svg import marks
from graphvis.picture.svg.element import Element, child, group, text

_CONFLICT_STROKE = 2.2
_BADGE = 0.84  # of an ellipse's half width


def draw(parent: Element, box: Box, face: Face, place: Place, size: Size, prefix: str) -> None:
    """Draw one box of a half; ids begin with `prefix`."""
    classes = f"node {face.look} {box.state}" + (" pale" if face.pale else "")
    made = group(parent, classes, face.tooltip or face.heading, id=f"{prefix}-{box.id}")
    made.set("data-node", box.id)
    for sheet in range(box.sheets, 0, -1):
        _outline(made, face, _behind(place, sheet), size, 0.9)
    if size.shape == "bare":
        text(made, place.x, place.y + 4, face.heading, fonts.FUNCTION, palette.GRADIENT, "middle")
        return
    _outline(made, face, place, size, _stroke(face))
    if size.shape == "rectangle":
        _fill_rectangle(made, face, place, size)
    else:
        _fill_middle(made, face, place)
    if face.badge:
        _badge(made, place, size)


def _badge(parent: Element, place: Place, size: Size) -> None:
    """The octagon on the upper right of the outline, clear of the text."""
    across, up = (_BADGE, math.sqrt(1 - _BADGE**2)) if size.shape == "ellipse" else (1.0, 1.0)
    marks.octagon(parent, place.x + across * place.width / 2 - 6, place.y - up * place.height / 2 - 10)


def _behind(place: Place, sheet: int) -> Place:
    """A sheet that looks out at the right, so that arrows still meet the front one."""
    return Place(place.x + sheet * SHEET, place.y, place.width, place.height - 5 * sheet)


def _stroke(face: Face) -> float:
    if face.pale:
        return 1.0
    return {"conflict": _CONFLICT_STROKE, "constant": 1.0}.get(face.look, 1.2)


def _colours(face: Face) -> tuple[str, str]:
    """Ground and outline."""
    if face.pale:
        return palette.PAGE, palette.PALE
    return {
        "leaf": (palette.LEAF_GROUND, palette.GRADIENT),
        "tensor": (palette.PAGE, palette.INK),
        "constant": (palette.PAGE, palette.VALUE),
        "function": (palette.FUNCTION_GROUND, palette.MUTED),
        "module": (palette.FUNCTION_GROUND, palette.MUTED),
        "conflict": (palette.RED_GROUND, palette.RED),
    }[face.look]


def _outline(parent: Element, face: Face, place: Place, size: Size, stroke: float) -> None:
    ground, colour = _colours(face)
    if size.shape == "ellipse":
        child(
            parent, "ellipse", cx=place.x, cy=place.y, rx=place.width / 2, ry=place.height / 2,
            fill=ground, stroke=colour, stroke_width=stroke,
        )  # fmt: skip
        return
    corner = 10.0 if size.shape == "rounded" else None
    outer = palette.PAGE if face.look == "leaf" else ground
    _rectangle(parent, place, corner, fill=outer, stroke=colour, stroke_width=stroke)
    if face.look == "leaf":
        inner = Place(place.x, place.y, place.width - 2 * size.inset, place.height - 2 * size.inset)
        _rectangle(parent, inner, None, fill=ground, stroke=colour, stroke_width=stroke)


def _rectangle(parent: Element, place: Place, corner: float | None, **paint: str | float) -> None:
    child(parent, "rect", x=place.left, y=place.top, width=place.width, height=place.height, rx=corner, **paint)


def _fill_rectangle(parent: Element, face: Face, place: Place, size: Size) -> None:
    left, right = place.left + size.inset, place.right - size.inset
    ink, muted = (palette.PALE_INK,) * 2 if face.pale else (palette.INK, palette.MUTED)
    top = place.top + size.inset
    text(parent, left + PADDING, top + 16, face.heading, fonts.NAME, ink)
    if face.aside:
        text(parent, right - PADDING, top + 16, face.aside, fonts.ASIDE, muted, "end")
    top += HEADER
    _grounds(parent, face.rows, left, right, top)
    for row in face.rows:
        _row(parent, row, left + PADDING, right - PADDING, top + 12, ink, muted)
        top += ROW_PITCH
    for line in caption_lines(face):
        _line(parent, line, left + PADDING, top + 12, face.pale)
        top += ROW_PITCH


def _grounds(parent: Element, rows: tuple[Row, ...], left: float, right: float, top: float) -> None:
    """Tinted grounds, one for each run of rows with the same mark, so that no seam shows."""
    i = 0
    while i < len(rows):
        end = i + 1
        while end < len(rows) and rows[end].mark == rows[i].mark:
            end += 1
        y, high = top + i * ROW_PITCH, (end - i) * ROW_PITCH
        if rows[i].mark != "plain":
            ground = palette.CHANGED_GROUND if rows[i].mark == "changed" else palette.RED_GROUND
            child(parent, "rect", x=left + 0.6, y=y, width=right - left - 1.2, height=high, fill=ground)
        if rows[i].mark == "changed":
            child(parent, "rect", x=left + 0.6, y=y, width="3", height=high, fill=palette.INK)
        i = end


def _row(parent: Element, row: Row, left: float, right: float, baseline: float, ink: str, muted: str) -> None:
    if row.mark == "changed":
        ink = muted = palette.INK
    elif row.mark == "bad":
        ink = muted = palette.RED
    font = fonts.ROW if row.mark == "plain" else fonts.ROW_BOLD
    if not row.label:
        text(parent, left, baseline, row.value, font, ink)
        return
    text(parent, left, baseline, row.label, fonts.ROW, muted)
    if row.value:
        text(parent, right, baseline, row.value, font, ink, "end")


def _fill_middle(parent: Element, face: Face, place: Place) -> None:
    lines = caption_lines(face)
    ink = palette.PALE_INK if face.pale else palette.INK
    baseline = place.y + 4 - len(lines) * CAPTION_PITCH / 2
    text(parent, place.x, baseline, face.heading, fonts.FUNCTION, ink, "middle")
    for i, line in enumerate(lines, start=1):
        wide = sum(width(s.text, caption_font(s)) for s in line) + SPAN_GAP * (len(line) - 1)
        _line(parent, line, place.x - wide / 2, baseline + 0.5 + i * CAPTION_PITCH, face.pale)


def _line(parent: Element, line: tuple[Span, ...], left: float, baseline: float, pale: bool) -> None:
    """The pieces of a caption, each placed by itself so that one in another direction stays in its place."""
    for span in line:
        colour = palette.RED if span.mark == "bad" else palette.PALE_INK if pale else palette.MUTED
        wide = width(span.text, caption_font(span))
        text(parent, left + wide / 2, baseline, span.text, caption_font(span), colour, "middle")
        left += wide + SPAN_GAP
