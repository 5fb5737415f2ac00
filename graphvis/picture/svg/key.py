"""The key line: only what occurs in the picture."""

from __future__ import annotations

from graphvis.picture import palette
from graphvis.picture.measure import fonts, width
from graphvis.picture.scene import Scene
from graphvis.picture.svg import marks
from graphvis.picture.svg.element import Element, child, group, text

ENTRIES = {
    "value": "value goes on",
    "gradient": "gradient comes back",
    "cut": "gradient cut",
    "never": "never reached",
    "stub": "slot holds None",
    "storage": "same storage",
    "saved": "kept for backward",
    "changed": "changed",
}
ROW = 22.0
_SWATCH = 24.0
_WORDS = 30.0
_BETWEEN = 14.0
_MARGIN = 16.0


def occurring(scene: Scene, halves: tuple[int, ...]) -> tuple[str, ...]:
    """Which entries the drawn halves need, in the order of :data:`ENTRIES`."""
    found: set[str] = set()
    for link in scene.links:
        for half in halves:
            wire = link.wires[half]
            if wire is None:
                continue
            if link.dotted:
                found.add(link.kind)
            elif link.kind == "start":
                found.add("gradient")
            if wire.value is not None and link.kind == "lanes":
                found.add("value")
            if wire.gradient is not None and link.kind == "lanes":
                found.add({"flow": "gradient"}.get(wire.gradient, wire.gradient))
    faces = [face for box in scene.boxes for half in halves if (face := box.faces[half]) is not None]
    if any(row.mark == "changed" for face in faces for row in face.rows):
        found.add("changed")
    return tuple(entry for entry in ENTRIES if entry in found)


def rows(entries: tuple[str, ...], wide: float) -> list[list[tuple[float, str]]]:
    """The entries in rows that fit, each with its x."""
    placed: list[list[tuple[float, str]]] = []
    x = 0.0
    for entry in entries:
        need = _WORDS + width(ENTRIES[entry], fonts.KEY)
        if not placed or x + need > wide - _MARGIN:
            placed.append([])
            x = _MARGIN
        placed[-1].append((x, entry))
        x += need + _BETWEEN
    return placed


def height(entries: tuple[str, ...], wide: float) -> float:
    """Height of the key in a picture of width `wide`; 0 without entries."""
    return len(rows(entries, wide)) * ROW + 8 if entries else 0.0


def draw(parent: Element, entries: tuple[str, ...], wide: float, top: float) -> None:
    """Draw the key below `top`."""
    made = group(parent, "key")
    for row in rows(entries, wide):
        for x, entry in row:
            _swatch(made, entry, x, top + 15)
            text(made, x + _WORDS, top + 19, ENTRIES[entry], fonts.KEY, palette.MUTED)
        top += ROW


def _swatch(parent: Element, entry: str, x: float, y: float) -> None:
    end = x + _SWATCH
    if entry == "value":
        _line(parent, x, end - 6, y, palette.VALUE, "1.2")
        marks.head(parent, (end, y), (1.0, 0.0), palette.VALUE, (7.0, 2.5))
    elif entry == "gradient":
        _line(parent, x + 7, end, y, palette.GRADIENT, "2")
        marks.head(parent, (x, y), (-1.0, 0.0), palette.GRADIENT, (7.5, 3.0))
    elif entry == "cut":
        _line(parent, x, end, y, palette.RED, "2", "5 3")
    elif entry == "never":
        _line(parent, x + 7, end, y, palette.PALE, "1.4", "5 3")
        marks.head(parent, (x, y), (-1.0, 0.0), palette.PALE, (7.5, 3.0), hollow=True)
    elif entry == "stub":
        marks.none_sign(parent, (x + 4, y), (1.0, 0.0))
    elif entry in ("storage", "saved"):
        _line(parent, x, end, y, palette.MUTED, "2", "0.1 5", "round")
    else:
        child(parent, "rect", x=x + 3, y=y - 7, width="19", height="13", fill=palette.CHANGED_GROUND)
        child(parent, "rect", x=x + 3, y=y - 7, width="3", height="13", fill=palette.INK)


def _line(
    parent: Element, start: float, end: float, y: float, colour: str, stroke: str,
    dash: str | None = None, cap: str | None = None,
) -> None:  # fmt: skip
    child(
        parent, "path", d=f"M{start:.1f} {y:.1f}H{end:.1f}", fill="none", stroke=colour, stroke_width=stroke,
        stroke_dasharray=dash, stroke_linecap=cap,
    )  # fmt: skip
