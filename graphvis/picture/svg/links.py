"""Links: two lanes beside the engine's way, scissors, stubs, dotted lines."""

from __future__ import annotations

from graphvis.picture import curves, palette
from graphvis.picture.curves import Curve
from graphvis.picture.layout import Placement, Point, Track
from graphvis.picture.measure import Measured, fonts, width
from graphvis.picture.measure.boxes import LABEL_START
from graphvis.picture.scene import Link, Wire
from graphvis.picture.svg import marks
from graphvis.picture.svg.element import Element, child, group, text

LANE = 3.6
"""How far each lane runs beside the middle."""
GAP = 2.5
_VALUE_HEAD = (7.0, 2.5)
_GRADIENT_HEAD = (7.5, 3.0)
_START_HEAD = (8.0, 3.5)
_FONTS = (fonts.CUT, fonts.CUT_PLACE)


def draw(parent: Element, measured: Measured, placement: Placement, i: int, half: int, prefix: str) -> None:
    """Draw link `i` of a half, where it is there and has a way."""
    link = measured.scene.links[i]
    wire, track = link.wires[half], placement.tracks.get(i)
    if wire is None or track is None:
        return
    state = link.kind if link.kind != "lanes" else wire.gradient or "value"
    made = group(parent, f"edge {state}", wire.tooltip, id=f"{prefix}-e{i}")
    if link.dotted:
        _draw_storage(made, _clip(measured, placement, link, curves.pieces(track.points), 1.0))
    elif link.kind == "start":
        _draw_start(made, _clip(measured, placement, link, curves.pieces(track.points), GAP))
    else:
        _draw_lanes(made, measured, placement, link, wire, track)


def _clip(measured: Measured, placement: Placement, link: Link, curve: Curve, gap: float) -> Curve:
    insides = [
        curves.within(placement.boxes[box], measured.sizes[box].shape == "ellipse", gap)
        for box in (link.tail, link.head)
    ]
    return curves.between(curve, insides[0], insides[1])


def _draw_storage(parent: Element, curve: Curve) -> None:
    child(
        parent, "path", d=curves.path(curve), fill="none", stroke=palette.MUTED, stroke_width="2",
        stroke_dasharray="0.1 5", stroke_linecap="round",
    )  # fmt: skip


def _draw_start(parent: Element, curve: Curve) -> None:
    _arrow(parent, _reverse(curve), palette.GRADIENT, "2", _START_HEAD)


def _reverse(curve: Curve) -> Curve:
    return tuple((p[3], p[2], p[1], p[0]) for p in reversed(curve))


def has_two_lanes(link: Link) -> bool:
    """Whether any half knows both where the value went and what the gradient does."""
    wires = [wire for wire in link.wires if wire is not None]
    return any(wire.value for wire in wires) and any(wire.gradient for wire in wires)


def _draw_lanes(
    parent: Element, measured: Measured, placement: Placement, link: Link, wire: Wire, track: Track
) -> None:
    middle = curves.pieces(track.points)
    aside = LANE if has_two_lanes(link) else 0.0
    if wire.value is not None:
        lane = _clip(measured, placement, link, curves.offset(middle, -aside), GAP)
        _arrow(parent, lane, palette.VALUE if wire.value == "flow" else palette.PALE, "1.2", _VALUE_HEAD)
    lane = _clip(measured, placement, link, curves.offset(middle, aside), GAP)
    if wire.gradient == "flow":
        _arrow(parent, _reverse(lane), palette.GRADIENT, "2", _GRADIENT_HEAD)
    elif wire.gradient == "never":
        _arrow(parent, _reverse(lane), palette.PALE, "1.4", _GRADIENT_HEAD, hollow=True)
    elif wire.gradient == "stub":
        tip, back = lane[-1][3], curves.direction(lane[-1], end=True)
        marks.none_sign(parent, tip, (-back[0], -back[1]))
    elif wire.gradient == "cut":
        child(
            parent, "path", d=curves.path(lane), fill="none", stroke=palette.RED, stroke_width="2",
            stroke_dasharray="5 3",
        )  # fmt: skip
        _draw_cut(parent, wire, track, lane)


def _arrow(
    parent: Element, curve: Curve, colour: str, stroke: str, size: tuple[float, float], hollow: bool = False
) -> None:
    tip = curve[-1][3]
    body = curves.shorten_end(curve, size[0] - 0.5)
    base = body[-1][3]
    along = _unit(base, tip) or curves.direction(curve[-1], end=True)
    child(
        parent, "path", d=curves.path(body), fill="none", stroke=colour, stroke_width=stroke,
        stroke_dasharray="5 3" if hollow else None,
    )  # fmt: skip
    marks.head(parent, tip, along, colour, size, hollow)


def _unit(start: Point, end: Point) -> Point | None:
    x, y = end[0] - start[0], end[1] - start[1]
    long = (x * x + y * y) ** 0.5
    return (x / long, y / long) if long > 0.5 else None


def _draw_cut(parent: Element, wire: Wire, track: Track, lane: Curve) -> None:
    """Scissors on the lane, and the words in the room that was kept for them."""
    room = track.label
    height = room.y if room is not None else (lane[0][0][1] + lane[-1][3][1]) / 2
    at, along = curves.nearest(lane, height)
    marks.scissors(parent, at, along)
    at_left = room is not None and room.right < at[0]
    x = room.right - 4 if room is not None and at_left else max(at[0] + 20, room.left + LABEL_START if room else 0.0)
    baseline = height + (-3 if len(wire.label) > 1 else 4)
    if track.covered and room is not None:
        wide = max(width(line, font) for line, font in zip(wire.label, _FONTS, strict=False)) + 4
        left = x - wide + 2 if at_left else x - 2
        child(parent, "rect", x=left, y=room.top, width=wide, height=room.height, rx="4", fill=palette.PAGE)
    for k, (line, font) in enumerate(zip(wire.label, _FONTS, strict=False)):
        text(parent, x, baseline + 16 * k, line, font, palette.RED, "end" if at_left else None)
