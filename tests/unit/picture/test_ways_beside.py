"""Which lanes a way beside the graph meets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graphvis.picture.layout.placement import Track, sample_closely
from graphvis.picture.layout.storage import _CLEAR, _Lanes

POINTS = st.tuples(st.floats(-40, 40), st.floats(-40, 40))
TRACKS = st.lists(st.tuples(POINTS, POINTS, POINTS, POINTS).map(Track), max_size=6)


@given(tracks=TRACKS, late=TRACKS, points=st.lists(POINTS, max_size=12))
def test_lanes_met_are_those_with_a_point_near(
    tracks: list[Track], late: list[Track], points: list[tuple[float, float]]
) -> None:
    lanes = _Lanes(dict(enumerate(tracks)))
    for lane, track in enumerate(late, len(tracks)):
        lanes.add(lane, track)
    assert lanes.met(points) == {
        lane
        for lane, track in enumerate([*tracks, *late])
        for x, y in points
        for u, v in sample_closely(track)
        if abs(x - u) < _CLEAR and abs(y - v) < _CLEAR
    }
