"""Sizes of boxes and labels."""

from __future__ import annotations

import msgspec
import pytest

from graphvis.picture.measure import measure
from graphvis.picture.measure.boxes import WIDEST_TEXT
from graphvis.picture.scene import Box, Face, Half, Link, Row, Scene, Span, Wire
from tests.unit.picture import scenes


def scene_of(*boxes: Box, links: tuple[Link, ...] = ()) -> Scene:
    return Scene(name="s", halves=(Half(),) * len(boxes[0].faces), boxes=boxes, links=links)


def test_a_box_has_room_for_the_larger_of_its_faces() -> None:
    small = Face(look="tensor", heading="m", rows=(Row("", "1."),))
    large = Face(
        look="leaf", heading="m", aside="leaf, [3]", rows=(Row("grad_fn", "MulBackward0"), Row("_version", "0"))
    )
    sizes = [measure(scene_of(Box(id="n0", faces=faces))).sizes["n0"] for faces in ((small,), (large,), (small, large))]
    assert sizes[2].width >= max(sizes[0].width, sizes[1].width)
    assert sizes[2].height == sizes[1].height > sizes[0].height
    assert (sizes[0].inset, sizes[2].inset) == (0, 4)


def test_a_long_name_is_shortened_and_whole_in_the_tooltip() -> None:
    name = "x" * 200
    face = Face(look="tensor", heading=name, rows=(Row("grad_fn", name),), caption=(Span(name),), tooltip="t.py:3")
    measured = measure(scene_of(Box(id="n0", faces=(face,))))
    fitted = measured.scene.boxes[0].faces[0]
    assert fitted is not None
    assert "…" in fitted.heading
    assert "…" in fitted.rows[0].value
    assert "…" in fitted.caption[0].text
    assert fitted.tooltip.split("\n")[0] == name
    assert fitted.tooltip.endswith("t.py:3")
    assert measured.sizes["n0"].width <= WIDEST_TEXT + 16


def test_only_a_link_with_words_takes_room_for_them() -> None:
    face = (Face(look="function", heading="F"),) * 2
    boxes = (Box(id="a", faces=face), Box(id="b", faces=face))
    links = (
        Link(tail="a", head="b", wires=(Wire(value="flow", gradient="flow"), None)),
        Link(tail="a", head="b", wires=(None, Wire(gradient="cut", label=("detach()", "demo.py:3")))),
    )
    assert list(measure(scene_of(*boxes, links=links)).labels) == [1]


def test_measuring_twice_changes_nothing() -> None:
    once = measure(scenes.hostile())
    again = measure(once.scene)
    assert again.sizes == once.sizes
    faces = [msgspec.structs.replace(f, tooltip="") for b in once.scene.boxes for f in b.faces if f]
    assert [msgspec.structs.replace(f, tooltip="") for b in again.scene.boxes for f in b.faces if f] == faces


@pytest.mark.parametrize("name", scenes.EVERY)
def test_every_box_has_a_size(name: str) -> None:
    measured = measure(scenes.EVERY[name]())
    assert all(size.width > 0 and size.height > 0 for size in measured.sizes.values())
    assert measured.sizes.keys() == {box.id for box in measured.scene.boxes}
