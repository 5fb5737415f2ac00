"""Where boxes, ways and words are."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import pytest

from graphvis.picture import svg
from graphvis.picture.curves import pieces, point_at
from graphvis.picture.geometry import Place
from graphvis.picture.layout import Placement, lay_out
from graphvis.picture.layout.placing import HALF, MARGIN
from graphvis.picture.measure import Measured, measure
from graphvis.picture.scene import Box, Face, Half, Link, Scene, Wire
from tests.unit.picture import scenes

LAID = {name: (m := measure(build()), lay_out(m)) for name, build in scenes.EVERY.items()}
every = pytest.mark.parametrize(("measured", "placement"), LAID.values(), ids=LAID)


def meet(one: Place, other: Place, air: float = 0.0) -> bool:
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2 + air
        and abs(one.y - other.y) < (one.height + other.height) / 2 + air
    )


def points(placement: Placement, i: int) -> list[tuple[float, float]]:
    return [point_at(piece, k / 20) for piece in pieces(placement.tracks[i].points) for k in range(21)]


@every
def test_boxes_have_their_size_and_stand_apart(measured: Measured, placement: Placement) -> None:
    for box, place in placement.boxes.items():
        assert (place.width, place.height) == (measured.sizes[box].width, measured.sizes[box].height)
        assert place.left >= -0.1
        assert place.right <= placement.width + 0.1
        assert place.top >= -0.1
        assert place.bottom <= placement.height + 0.1
    assert not [pair for pair in combinations(placement.boxes.values(), 2) if meet(*pair)]


@every
def test_ways_lead_from_tail_to_head_and_through_no_other_box(measured: Measured, placement: Placement) -> None:
    for i, link in enumerate(measured.scene.links):
        tail, head = placement.boxes[link.tail], placement.boxes[link.head]
        way = points(placement, i)
        if link.kind != "storage":
            assert abs(way[0][0] - tail.x) <= tail.width / 2
            assert abs(way[0][1] - tail.bottom) < tail.height / 2 + 1
            assert abs(way[-1][0] - head.x) <= head.width / 2
            assert abs(way[-1][1] - head.top) < head.height / 2 + 1
        halves = {h for h, wire in enumerate(link.wires) if wire}
        others = [
            placement.boxes[b.id]
            for b in measured.scene.boxes
            if b.id not in (link.tail, link.head) and halves & {h for h, face in enumerate(b.faces) if face}
        ]
        assert not [o for o in others for x, y in way if meet(Place(x, y, 0, 0), o, -1)]


@every
def test_words_of_cuts_stand_free(measured: Measured, placement: Placement) -> None:
    labels = {i: track.label for i, track in placement.tracks.items() if track.label}
    assert labels.keys() == measured.labels.keys()
    for label in labels.values():
        assert not [place for place in placement.boxes.values() if meet(place, label)]
    assert not [pair for pair in combinations(labels.values(), 2) if meet(*pair)]


@pytest.mark.parametrize("name", ["detach_zero", "data_zero", "detach_"])
def test_the_article_s_pictures_fit_a_half(name: str) -> None:
    assert LAID[name][1].width <= HALF - 2 * MARGIN


def test_lanes_of_the_article_s_pictures_run_straight_down() -> None:
    measured, placement = LAID["detach_"]
    for i, link in enumerate(measured.scene.links):
        assert len({round(x, 3) for x, _ in placement.tracks[i].points}) == 1, link


def test_slots_enter_in_the_order_in_which_their_tensors_stand() -> None:
    _measured, placement = LAID["detach_"]
    m, w = placement.boxes["n2"], placement.boxes["n3"]
    entries = [placement.tracks[i].points[-1][0] for i in (2, 3)]
    assert (m.x < w.x) == (entries[0] < entries[1])
    assert abs(entries[0] - entries[1]) >= 20


def test_the_same_scene_is_laid_out_the_same_way() -> None:
    assert lay_out(measure(scenes.hostile())) == LAID["hostile"][1]


def test_a_cluster_s_boxes_stand_in_its_frame_and_no_others() -> None:
    measured, placement = LAID["diagnosis"]
    frame = placement.frames[scenes.BLOCK]
    inside = {box for box, place in placement.boxes.items() if meet(place, frame)}
    assert inside == {box.id for box in measured.scene.boxes if box.cluster}


def test_nested_clusters_nest() -> None:
    face = (Face(look="module", heading="m"),)
    boxes = tuple(Box(id=f"n{i}", faces=face, cluster=path) for i, path in enumerate(("", "a", "a.b", "a.b.c.d", "e")))
    links = tuple(Link(tail=f"n{i}", head=f"n{i + 1}", wires=(Wire(gradient="flow"),)) for i in range(4))
    frames = lay_out(measure(Scene(name="s", halves=(Half(),), boxes=boxes, links=links))).frames
    assert set(frames) == {"a", "a.b", "a.b.c.d", "e"}
    for outer, inner in (("a", "a.b"), ("a.b", "a.b.c.d")):
        assert frames[outer].left < frames[inner].left
        assert frames[inner].right < frames[outer].right
    assert not meet(frames["a"], frames["e"])


@pytest.mark.parametrize(("after", "lanes"), [(None, 1), (Wire(value="flow", gradient="flow"), 2)])
def test_links_that_are_never_there_together_share_a_way(after: Wire | None, lanes: int) -> None:
    face = Face(look="function", heading="SomeBackward0")
    flow = Wire(value="flow", gradient="flow")
    boxes = (Box(id="a", faces=(face, face)), Box(id="b", faces=(face, face)))
    links = (Link(tail="a", head="b", wires=(flow, after)), Link(tail="a", head="b", wires=(None, flow)))
    tracks = lay_out(measure(Scene(name="s", halves=(Half(), Half()), boxes=boxes, links=links))).tracks
    assert len({round(tracks[i].points[0][0]) for i in (0, 1)}) == lanes


def test_an_empty_scene_has_no_layout_and_no_engine() -> None:
    placement = lay_out(measure(Scene(name="s", halves=(Half(),), boxes=(), links=())), "no-such-engine")
    assert (placement.width, placement.height) == (0, 0)


def test_a_box_that_feeds_itself_is_left_alone() -> None:
    box = Box(id="a", faces=(Face(look="function", heading="F"),))
    links = (Link(tail="a", head="a", wires=(Wire(gradient="flow"),)),)
    assert lay_out(measure(Scene(name="s", halves=(Half(),), boxes=(box,), links=links))).tracks == {}


@pytest.mark.parametrize("nodes", [1000, 1600])
def test_a_big_plain_graph_is_laid_out_whole(nodes: int) -> None:
    placement = lay_out(measure(scenes.plain(nodes)))
    assert len(placement.boxes) == nodes
    assert math.isfinite(placement.width)
    assert placement.tracks.keys() == set(range(len(scenes.plain(nodes).links)))


def round_of_a_loop() -> Scene:
    """Three boxes of a loop's round, drawn once, cut off from the next round, and one of them from itself."""
    face = (Face(look="module", heading="a longer name"),)
    cut = (Wire(value="flow", gradient="cut", label=("detach() ×9", "loop.py:7")),)
    flow = (Wire(value="flow", gradient="flow"),)
    return Scene(
        name="loop",
        halves=(Half(),),
        boxes=tuple(Box(id=f"n{i}", faces=face, sheets=2) for i in range(3)),
        links=(
            Link(tail="n0", head="n1", wires=flow),
            Link(tail="n1", head="n2", wires=flow),
            Link(tail="n2", head="n0", wires=cut, returns=True),
            Link(tail="n1", head="n1", wires=cut, returns=True),
        ),
    )


def test_a_loop_leads_back_beside_its_boxes_and_the_order_stays() -> None:
    placement = lay_out(measure(round_of_a_loop()))
    tops = [placement.boxes[f"n{i}"].top for i in range(3)]
    assert tops == sorted(tops)
    back = points(placement, 2)
    assert back[0][1] > back[-1][1]
    middle = placement.boxes["n1"]
    assert not [p for p in back if middle.left < p[0] < middle.right and middle.top < p[1] < middle.bottom]
    itself = points(placement, 3)
    assert max(x for x, _ in itself) > middle.right + 10
    labels = [placement.tracks[i].label for i in (2, 3)]
    assert all(label is not None for label in labels)


def test_a_row_that_is_too_wide_is_staggered() -> None:
    faces = (Face(look="module", heading="a box with a long name"),)
    flow = (Wire(gradient="flow"),)
    boxes = [Box(id=f"n{i}", faces=faces) for i in range(5)]
    scene = Scene(
        name="fan",
        halves=(Half(),),
        boxes=tuple(boxes),
        links=tuple(Link(tail="n0", head=box.id, wires=flow) for box in boxes[1:]),
    )
    placement = lay_out(measure(scene))
    assert placement.width <= 2 * (HALF - MARGIN)
    assert len({placement.boxes[box.id].top for box in boxes[1:]}) == 2


def test_words_of_one_call_into_one_box_are_said_once() -> None:
    faces = (Face(look="module", heading="x"),)
    cut = (Wire(value="flow", gradient="cut", label=("torch.tensor()", "line 3")),)
    boxes = tuple(Box(id=f"n{i}", faces=faces) for i in range(4))
    links = tuple(Link(tail=tail, head=head, wires=cut) for tail, head in (("n0", "n2"), ("n1", "n2"), ("n1", "n3")))
    measured = measure(Scene(name="words", halves=(Half(),), boxes=boxes, links=links))
    assert set(measured.labels) == {0, 2}


def beside_long_ways(cuts: int) -> Scene:
    """A row of boxes between links so long that a word fits between two of few points of one."""
    faces = (Face(look="module", heading="a box"),)
    flow, cut = (Wire(value="flow", gradient="flow"),), (Wire(value="flow", gradient="cut", label=CUT),)
    row = [f"n{i}" for i in range(12)]
    ends = [f"e{i}" for i in range(3)]
    links = [
        Link(tail=one, head=other, wires=cut if i % 2 < cuts else flow) for i, (one, other) in enumerate(pairwise(row))
    ]
    links += [Link(tail="n0", head=end, wires=flow) for end in ends] + [
        Link(tail="n11", head=end, wires=flow) for end in ends
    ]
    links += [Link(tail="n0", head="n11", wires=flow), Link(tail="n2", head="n10", wires=cut)]
    return Scene(
        name="long",
        halves=(Half(),),
        boxes=tuple(Box(id=one, faces=faces) for one in [*row, *ends]),
        links=tuple(links),
    )


CUT = ("a_function_of_somebody()", "a_file_of_somebody.py:1234")


@pytest.mark.parametrize("cuts", [0, 1])
def test_no_way_runs_through_words_however_long_it_is(cuts: int) -> None:
    placement = lay_out(measure(beside_long_ways(cuts)))
    assert any(track.label for track in placement.tracks.values())
    for i, track in placement.tracks.items():
        if track.label is None or track.covered:
            continue
        for k, other in placement.tracks.items():
            way = [point_at(piece, at / 500) for piece in pieces(other.points) for at in range(501)]
            assert k == i or not [p for p in way if meet(Place(*p, 0, 0), track.label)]


def test_words_that_find_no_free_place_have_a_ground_of_their_own() -> None:
    boxes = tuple(Box(id=f"n{i}", faces=(Face(look="module", heading="x"),)) for i in range(9))
    cut = (Wire(value="flow", gradient="cut", label=CUT),)
    links = tuple(Link(tail=f"n{i}", head=f"n{k}", wires=cut) for i in range(3) for k in range(3, 9))
    scene = Scene(name="crowd", halves=(Half(),), boxes=boxes, links=links)
    placement = lay_out(measure(scene))
    covered = [i for i, track in placement.tracks.items() if track.covered]
    assert covered
    drawn = svg.write(scene, placement)
    assert drawn.count('rx="4"') == len(covered)
    assert drawn.index('rx="4"') > max(
        drawn.index(f'id="crowd-only-e{i}"') for i in range(len(links)) if i not in covered
    )
