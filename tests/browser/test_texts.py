"""Every text stands in its box and touches no other, nor a line, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from graphvis.picture import palette, svg
from graphvis.picture.layout import lay_out
from graphvis.picture.measure import measure
from tests.unit.picture import scenes

OUT = sorted((Path(__file__).parents[2] / "out").glob("*.svg"))
VARIANTS = {"pair": {}, "narrow": {"narrow": True}, "before": {"half": 0}}

READ = """() => {
    const box = element => { const r = element.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] }
    const texts = [...document.querySelectorAll('svg text')].filter(t => t.textContent.trim()).map(t => {
        const node = t.closest('g.node')
        const outline = node && [...node.children].filter(c => c.matches('rect[stroke], ellipse')).pop()
        const strip = t.closest('g.strip') || t.closest('g.finding.bad')
        const own = outline || (strip && strip.querySelector('rect'))
        return {text: t.textContent, at: box(t), own: own && box(own), round: !!outline && outline.matches('ellipse'),
                free: !node}
    })
    const lines = [...document.querySelectorAll('g.edge > path')].map(p => {
        const matrix = p.getScreenCTM(), long = p.getTotalLength(), points = []
        for (let at = 0; at <= long; at += 2) {
            const point = p.getPointAtLength(at).matrixTransform(matrix)
            points.push([point.x, point.y])
        }
        return points
    })
    for (const frame of document.querySelectorAll('g.frame > rect')) {
        const [left, top, right, bottom] = box(frame), points = []
        for (let x = left; x <= right; x += 2) points.push([x, top], [x, bottom])
        for (let y = top; y <= bottom; y += 2) points.push([left, y], [right, y])
        lines.push(points)
    }
    const outlines = [...document.querySelectorAll('g.node')].map(n => [...n.children].find(
        c => c.matches('rect[stroke], ellipse'))).filter(o => o).map(box)
    return {texts, lines, outlines, page: box(document.querySelector('svg'))}
}"""


def drawings() -> dict[str, str]:
    """Every scene built by hand, in every variant."""
    made = {}
    for name, build in scenes.EVERY.items():
        scene = build()
        placement = lay_out(measure(scene))
        for variant, options in VARIANTS.items():
            if variant == "pair" or len(scene.halves) > 1 or options.get("narrow"):
                made[f"{name}.{variant}"] = svg.write(scene, placement, **options)
    return made


DRAWN = drawings()


def read(page: Page, source: str) -> dict[str, list]:
    page.set_content(f"<!doctype html><body style='margin:0'>{source}")
    return page.evaluate(READ)


def ink(at: list[float]) -> tuple[float, float, float, float]:
    """A text's box without the air that a font has above and below its letters."""
    left, top, right, bottom = at
    air = (bottom - top) * 0.2
    return left + 0.5, top + air, right - 0.5, bottom - air


def complaints(found: dict[str, list]) -> list[str]:
    """What is wrong, in words."""
    return [*_outside(found), *_touching(found), *_crossed(found)]


def _outside(found: dict[str, list]) -> list[str]:
    said = []
    for text in found["texts"]:
        left, top, right, bottom = ink(text["at"])
        if text["round"]:
            x0, y0, x1, y1 = text["own"]
            across = max(abs(left - (x0 + x1) / 2), abs(right - (x0 + x1) / 2)) / ((x1 - x0) / 2)
            down = abs((top + bottom) / 2 - (y0 + y1) / 2) / ((y1 - y0) / 2)
            if across**2 + down**2 > 1:
                said.append(f"{text['text']!r} leaves its ellipse")
        for name, outer in (("its box", text["own"]), ("the page", found["page"])):
            if outer and (left < outer[0] or right > outer[2] or top < outer[1] or bottom > outer[3]):
                said.append(f"{text['text']!r} leaves {name}: {text['at']} not in {outer}")
    return said


def _touching(found: dict[str, list]) -> list[str]:
    boxes = [(text["text"], ink(text["at"])) for text in found["texts"]]
    return [
        f"{one!r} touches {other!r}"
        for i, (one, a) in enumerate(boxes)
        for other, b in boxes[i + 1 :]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


def _crossed(found: dict[str, list]) -> list[str]:
    said = []
    for text in found["texts"]:
        left, top, right, bottom = ink(text["at"])
        if any(left < x < right and top < y < bottom for line in found["lines"] for x, y in line):
            said.append(f"a line runs through {text['text']!r}")
        if text["free"] and any(
            left < o[2] and o[0] < right and top < o[3] and o[1] < bottom for o in found["outlines"]
        ):
            said.append(f"{text['text']!r} stands on a box")
    return said


@pytest.mark.parametrize("name", DRAWN)
def test_texts_of_hand_built_scenes_stand_free(page: Page, name: str) -> None:
    found = read(page, DRAWN[name])
    assert len(found["texts"]) > 3
    assert complaints(found) == []


@pytest.mark.parametrize("path", OUT, ids=lambda path: path.stem)
def test_texts_of_the_gallery_stand_free(page: Page, path: Path) -> None:
    assert complaints(read(page, path.read_text())) == []


def test_a_name_in_a_wider_font_is_seen_to_leave_its_box(page: Page) -> None:
    wider = DRAWN["detach_zero.pair"].replace('font-size="11"', 'font-size="16"')
    said = complaints(read(page, wider))
    assert any("leaves its box" in words for words in said)
    assert any("touches" in words for words in said)


def test_the_dark_scheme_changes_every_colour_and_nothing_else(page: Page) -> None:
    source = DRAWN["detach_zero.pair"]
    fills = """() => [...document.querySelectorAll('svg [fill]:not([fill=none])')].map(
        e => [e.getAttribute('fill'), getComputedStyle(e).fill])"""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = read(page, source)
        assert complaints(found) == []
        for light, shown in page.evaluate(fills):
            wanted = palette.DARK[light] if scheme == "dark" else light
            assert shown == "rgb({}, {}, {})".format(*(int(wanted[i : i + 2], 16) for i in (1, 3, 5)))


def test_a_page_that_reads_from_right_to_left_moves_no_text(page: Page) -> None:
    page.set_content(f"<!doctype html><html dir=rtl><body style='margin:0'>{DRAWN['detach_zero.pair']}")
    assert complaints(page.evaluate(READ)) == []


def test_hostile_names_run_nothing(page: Page) -> None:
    fired: list[str] = []
    page.on("dialog", lambda dialog: (fired.append(dialog.message), dialog.dismiss()))
    read(page, DRAWN["hostile.pair"])
    page.wait_for_timeout(50)
    assert not fired
    assert page.locator("svg script, svg b, svg foreignObject").count() == 0
