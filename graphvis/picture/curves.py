"""Offset curves: the two lanes of a link run beside the way that the engine found.

A curve is a tuple of cubic pieces, each of four points. Offsetting follows Tiller and Hanson:
the control polygon's legs move sideways and meet again, on pieces that turn too little for the
error to show.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from graphvis.picture.geometry import Place, Point

Cubic = tuple[Point, Point, Point, Point]
Curve = tuple[Cubic, ...]
Inside = Callable[[Point], bool]

_MOST_TURN = math.radians(25)
_MOST_SPLITS = 5
_SAMPLES = 10
_NEAR = 1e-6


def pieces(points: tuple[Point, ...]) -> Curve:
    """The cubic pieces of 1 + 3 n control points."""
    return tuple((points[i], points[i + 1], points[i + 2], points[i + 3]) for i in range(0, len(points) - 3, 3))


def point_at(piece: Cubic, t: float) -> Point:
    """The point of a piece at parameter `t` from 0 to 1."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = piece
    s = 1 - t
    a, b, c, d = s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t
    return a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy


def split(piece: Cubic, t: float) -> tuple[Cubic, Cubic]:
    """The two parts of a piece before and after parameter `t` (de Casteljau)."""
    a, b, c, d = piece
    ab, bc, cd = _mix(a, b, t), _mix(b, c, t), _mix(c, d, t)
    abc, bcd = _mix(ab, bc, t), _mix(bc, cd, t)
    middle = _mix(abc, bcd, t)
    return (a, ab, abc, middle), (middle, bcd, cd, d)


def direction(piece: Cubic, end: bool) -> Point:
    """Unit vector along the piece at its start or end; downwards for a piece without length."""
    order = (piece[3], piece[2], piece[1], piece[0]) if end else piece
    for other in order[1:]:
        x, y = other[0] - order[0][0], other[1] - order[0][1]
        length = math.hypot(x, y)
        if length > _NEAR:
            return (-x / length, -y / length) if end else (x / length, y / length)
    return (0.0, 1.0)


def offset(curve: Curve, distance: float) -> Curve:
    """The curve that runs `distance` to the left of it, for one who walks along it with y downwards."""
    return tuple(_shift(part, distance) for piece in curve for part in _gentle(piece, _MOST_SPLITS))


def _gentle(piece: Cubic, splits: int) -> tuple[Cubic, ...]:
    """Parts of a piece that turn so little that their offset can be built from their legs."""
    if splits == 0 or _turn(piece) <= _MOST_TURN:
        return (piece,)
    first, second = split(piece, 0.5)
    return (*_gentle(first, splits - 1), *_gentle(second, splits - 1))


def _turn(piece: Cubic) -> float:
    """How much the control polygon turns in all, in radians."""
    angles = [math.atan2(q[1] - p[1], q[0] - p[0]) for p, q in pairwise(piece) if math.dist(p, q) > _NEAR]
    return sum(abs(_between(a, b)) for a, b in pairwise(angles))


def _between(a: float, b: float) -> float:
    return math.remainder(b - a, 2 * math.pi)


def _shift(piece: Cubic, distance: float) -> Cubic:
    start, end = direction(piece, end=False), direction(piece, end=True)
    first = _beside(piece[0], start, distance)
    last = _beside(piece[3], end, distance)
    chord = math.dist(piece[0], piece[3])
    if chord < _NEAR:
        return (first, first, last, last)
    # The legs keep their directions; their lengths shrink or grow as the chord does.
    scale = math.dist(first, last) / chord
    leg, foot = math.dist(piece[0], piece[1]) * scale, math.dist(piece[2], piece[3]) * scale
    return (
        first,
        (first[0] + start[0] * leg, first[1] + start[1] * leg),
        (last[0] - end[0] * foot, last[1] - end[1] * foot),
        last,
    )


def _beside(point: Point, along: Point, distance: float) -> Point:
    return point[0] + along[1] * distance, point[1] - along[0] * distance


def within(place: Place, ellipse: bool, gap: float) -> Inside:
    """Whether a point lies inside a box's outline, widened by `gap`."""
    half_width, half_height = place.width / 2 + gap, place.height / 2 + gap
    if ellipse:
        return lambda p: ((p[0] - place.x) / half_width) ** 2 + ((p[1] - place.y) / half_height) ** 2 < 1
    return lambda p: abs(p[0] - place.x) < half_width and abs(p[1] - place.y) < half_height


def between(curve: Curve, tail: Inside, head: Inside, reach: float = 40.0) -> Curve:
    """The part of a curve from where it leaves the tail's outline to where it enters the head's.

    Both ends are first prolonged by up to `reach`, so that a lane which the engine's own clipping
    left short still comes to the outline.
    """
    return _reverse(_leave(_reverse(_leave(curve, tail, reach)), head, reach))


def _reverse(curve: Curve) -> Curve:
    return tuple((p[3], p[2], p[1], p[0]) for p in reversed(curve))


def _leave(curve: Curve, inside: Inside, reach: float) -> Curve:
    """The part after the curve leaves the outline for the first time; all of it where it never is inside."""
    along = direction(curve[0], end=False)
    back = (curve[0][0][0] - along[0] * reach, curve[0][0][1] - along[1] * reach)
    whole = (_line(back, curve[0][0]), *curve) if reach else curve
    was_inside = False
    for i, piece in enumerate(whole):
        for k in range(_SAMPLES + 1):
            is_inside = inside(point_at(piece, k / _SAMPLES))
            if was_inside and not is_inside:
                t = _crossing(piece, inside, (k - 1) / _SAMPLES if k else 0.0, k / _SAMPLES)
                return (split(piece, t)[1], *whole[i + 1 :])
            was_inside = is_inside
    return curve


def _crossing(piece: Cubic, inside: Inside, low: float, high: float) -> float:
    """The parameter at which a piece leaves an outline, between one inside and one outside."""
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(point_at(piece, middle)) else (low, middle)
    return high


def _line(start: Point, end: Point) -> Cubic:
    return start, _mix(start, end, 1 / 3), _mix(start, end, 2 / 3), end


def length(curve: Curve) -> float:
    """Length along the curve, to about 1%."""
    return sum(math.dist(p, q) for piece in curve for p, q in _steps(piece))


def _steps(piece: Cubic) -> list[tuple[Point, Point]]:
    points = [point_at(piece, k / _SAMPLES) for k in range(_SAMPLES + 1)]
    return list(pairwise(points))


def shorten_end(curve: Curve, by: float) -> Curve:
    """The curve without its last `by` units, measured from the end point as the crow flies."""
    tip = curve[-1][3]
    cut = _leave(_reverse(curve), lambda p: math.dist(p, tip) < by, 0.0)
    return _reverse(cut)


def nearest(curve: Curve, height: float) -> tuple[Point, Point]:
    """The point of a curve whose y is nearest to `height`, and the unit vector along the curve there."""
    best = (math.inf, curve[0], 0.0)
    for piece in curve:
        for k in range(_SAMPLES + 1):
            away = abs(point_at(piece, k / _SAMPLES)[1] - height)
            if away < best[0] - 1e-3:
                best = (away, piece, k / _SAMPLES)
    _, piece, t = best
    if t in (0.0, 1.0):
        return point_at(piece, t), direction(piece, end=t == 1.0)
    return point_at(piece, t), direction(split(piece, t)[1], end=False)


def path(curve: Curve) -> str:
    """The curve as an SVG path; straight where it is."""
    written = [f"M{_point(curve[0][0])}"]
    for piece in curve:
        if _straight(piece):
            written.append(f"L{_point(piece[3])}")
        else:
            written.append("C" + " ".join(_point(p) for p in piece[1:]))
    return "".join(written)


def _straight(piece: Cubic) -> bool:
    (ax, ay), (dx, dy) = piece[0], piece[3]
    long = math.hypot(dx - ax, dy - ay)
    return all(abs((dx - ax) * (y - ay) - (dy - ay) * (x - ax)) < 0.08 * long + _NEAR for x, y in piece[1:3])


def _point(point: Point) -> str:
    return f"{number(point[0])},{number(point[1])}"


def number(value: float) -> str:
    """A coordinate at one decimal, without a needless one and without a negative zero."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _mix(a: Point, b: Point, t: float) -> Point:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t
