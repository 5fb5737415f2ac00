"""Offset curves, against the definition: every point lies at the distance from the middle."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphvis.picture import curves
from graphvis.picture.geometry import Place

coordinate = st.floats(0, 200).map(lambda x: round(x, 1))


@st.composite
def swings(draw: st.DrawFn) -> curves.Curve:
    """A way as links have it: from above to below with vertical ends."""
    x0, x1, high = draw(coordinate), draw(coordinate), draw(st.floats(30, 200))
    middle = high / 2
    return (((x0, 0.0), (x0, middle), (x1, middle), (x1, high)),)


def distance(point: tuple[float, float], curve: curves.Curve) -> float:
    return min(math.dist(point, curves.point_at(piece, k / 300)) for piece in curve for k in range(301))


@given(swings(), st.sampled_from([-3.6, 3.6]))
def test_an_offset_curve_keeps_its_distance(curve: curves.Curve, aside: float) -> None:
    for piece in curves.offset(curve, aside):
        for k in range(9):
            away = distance(curves.point_at(piece, k / 8), curve)
            # Inside a bend that is tighter than the distance no curve can keep it.
            assert away <= abs(aside) + 0.35
            if abs(curve[0][0][0] - curve[0][3][0]) < curve[0][3][1]:
                assert away >= abs(aside) - 0.35


@given(swings())
def test_the_two_lanes_never_meet(curve: curves.Curve) -> None:
    left, right = curves.offset(curve, 3.6), curves.offset(curve, -3.6)
    if abs(curve[0][0][0] - curve[0][3][0]) < curve[0][3][1]:
        points = [curves.point_at(piece, k / 8) for piece in left for k in range(9)]
        assert min(distance(point, right) for point in points) > 6.5


def test_left_is_east_for_one_who_walks_down() -> None:
    down = curves.pieces(((0.0, 0.0), (0.0, 10.0), (0.0, 20.0), (0.0, 30.0)))
    assert curves.offset(down, 3.6)[0][0] == pytest.approx((3.6, 0.0))


@pytest.mark.parametrize("ellipse", [False, True])
def test_a_clipped_curve_begins_and_ends_at_the_outlines(ellipse: bool) -> None:
    tail, head = Place(0, 0, 80, 40), Place(30, 120, 80, 40)
    curve = curves.pieces(((0.0, 20.0), (0.0, 60.0), (30.0, 60.0), (30.0, 100.0)))
    insides = curves.within(tail, ellipse, 2.5), curves.within(head, ellipse, 2.5)
    lane = curves.between(curves.offset(curve, 3.6), *insides)
    for end, inside in ((lane[0][0], insides[0]), (lane[-1][3], insides[1])):
        assert not inside(end)
        assert any(inside((end[0] + x, end[1] + y)) for x, y in ((0, 0.2), (0, -0.2), (0.2, 0), (-0.2, 0)))


def test_shortening_takes_from_the_end_only() -> None:
    curve = curves.pieces(((0.0, 0.0), (0.0, 10.0), (0.0, 20.0), (0.0, 30.0)))
    short = curves.shorten_end(curve, 7)
    assert short[0][0] == (0, 0)
    assert short[-1][3] == pytest.approx((0, 23), abs=0.05)


def test_a_straight_piece_is_written_as_a_line() -> None:
    straight = curves.pieces(((0.0, 0.0), (0.0, 10.0), (0.0, 20.0), (0.0, 30.0)))
    assert curves.path(straight) == "M0,0L0,30"
    assert "C" in curves.path(curves.pieces(((0.0, 0.0), (0.0, 10.0), (9.0, 20.0), (9.0, 30.0))))
