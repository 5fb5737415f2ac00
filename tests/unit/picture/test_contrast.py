"""Contrast of every text with what it stands on, computed from the file, light and dark."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from graphvis.picture import palette, svg
from graphvis.picture.layout import lay_out
from graphvis.picture.measure import measure
from graphvis.picture.palette import contrast
from tests.unit.picture import scenes

SVG = "{http://www.w3.org/2000/svg}"
OUT = sorted((Path(__file__).parents[3] / "out").glob("*.svg"))
LEAST = 4.5
LEAST_PALE = 4.9


def pairs(source: str) -> set[tuple[str, str]]:
    """Each colour of a text with the colour below it, in light values."""
    found: set[tuple[str, str]] = set()
    shapes: list[tuple[str, tuple[float, float, float, float], str]] = []

    def visit(element: ElementTree.Element, x: float, y: float) -> None:
        moved = re.match(r"translate\((-?[\d.]+) (-?[\d.]+)\)", element.get("transform", ""))
        if moved:
            x, y = x + float(moved[1]), y + float(moved[2])
        tag = element.tag.removeprefix(SVG)
        fill = element.get("fill", "none")
        if tag in ("rect", "ellipse") and fill != "none":
            shapes.append((tag, _bounds(element, x, y), fill))
        if tag == "text":
            below = _below(shapes, x + float(element.get("x", 0)), y + float(element.get("y", 0)) - 3)
            found.update((part.get("fill", fill), below) for part in element.iter() if (part.text or "").strip())
        for child in element:
            visit(child, x, y)

    visit(ElementTree.fromstring(source), 0.0, 0.0)
    return found


def _bounds(element: ElementTree.Element, x: float, y: float) -> tuple[float, float, float, float]:
    if element.tag == f"{SVG}rect":
        left, top = x + float(element.get("x", 0)), y + float(element.get("y", 0))
        return left, top, left + float(element.get("width", 0)), top + float(element.get("height", 0))
    cx, cy, rx, ry = (float(element.get(key, 0)) for key in ("cx", "cy", "rx", "ry"))
    return x + cx - rx, y + cy - ry, x + cx + rx, y + cy + ry


def _below(shapes: list[tuple[str, tuple[float, float, float, float], str]], x: float, y: float) -> str:
    return next(fill for _, (a, b, c, d), fill in reversed(shapes) if a <= x <= c and b <= y <= d)


def complaints(source: str) -> list[str]:
    said = []
    for ink, ground in sorted(pairs(source)):
        least = LEAST_PALE if ink == palette.PALE_INK else LEAST
        for one, other in ((ink, ground), (palette.DARK[ink], palette.DARK[ground])):
            if contrast(one, other) < least:
                said.append(f"{one} on {other}: {contrast(one, other):.2f}")
    return said


@pytest.mark.parametrize("name", scenes.EVERY)
def test_hand_built_scenes_are_legible(name: str) -> None:
    scene = scenes.EVERY[name]()
    placement = lay_out(measure(scene))
    for narrow in (False, True):
        source = svg.write(scene, placement, narrow=narrow)
        assert complaints(source) == []
    if name == "detach_zero":
        assert {palette.RED_GROUND, palette.CHANGED_GROUND, palette.LEAF_GROUND} <= {
            ground for _, ground in pairs(source)
        }


def test_the_gallery_is_legible() -> None:
    assert {path.name: said for path in OUT if (said := complaints(path.read_text()))} == {}


def test_black_on_white_is_21_to_1() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_weak_pair_is_found() -> None:
    scene = scenes.row_four()
    source = svg.write(scene, lay_out(measure(scene))).replace(palette.MUTED, palette.FRAME)
    assert complaints(source)


def test_the_pale_line_stays_visible() -> None:
    for theme in (lambda c: c, palette.DARK.__getitem__):
        assert contrast(theme(palette.PALE), theme(palette.PAGE)) >= 3
