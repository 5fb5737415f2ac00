"""From a scene and a placement to one SVG document."""

from __future__ import annotations

import re

import msgspec

from graphvis.picture import palette
from graphvis.picture.curves import number
from graphvis.picture.layout import Place, Placement
from graphvis.picture.layout.placing import HALF
from graphvis.picture.layout.placing import MARGIN as AROUND
from graphvis.picture.measure import Measured, clean, fonts, measure, wrap
from graphvis.picture.palette import Theme
from graphvis.picture.scene import Scene
from graphvis.picture.svg import boxes, key, links, page
from graphvis.picture.svg.element import ROOT_CLASS, SANS, Element, child, group, legal, serialise, style_sheet, text

_ABOVE_GRAPH = 10.0
_BELOW_GRAPH = 14.0
_NAMES = ("before", "after")


class _Half(msgspec.Struct, frozen=True):
    """What is drawn of one half, and where.

    Attributes:
        index: into the scene's halves.
        left: x of its left side.
        top: y of its upper side.
        head: its words above the graph.
        verdict: its words below; None without a strip.
    """

    index: int
    left: float
    top: float
    head: page.Head
    verdict: page.Verdict | None


class _Sheet(msgspec.Struct, frozen=True):
    """The measures that the halves of a document share."""

    wide: float
    high: float
    half_wide: float
    head_high: float
    strip_high: float
    title: tuple[str, ...]
    entries: tuple[str, ...]
    halves: tuple[_Half, ...]


def write(
    scene: Scene, placement: Placement, *, theme: Theme = "auto", narrow: bool = False, half: int | None = None
) -> str:
    """Write one SVG document.

    Args:
        scene: what is shown.
        placement: where, as laid out for the same scene.
        theme: ``auto`` follows the reader's colour scheme.
        narrow: halves below each other, 360 wide where the graph allows.
        half: only this one, at the same coordinates; None for all.
    """
    measured = measure(scene)
    sheet = _arrange(measured, placement, narrow, half)
    name = _fit_for_id(scene.name) + ("" if half is None or len(scene.halves) == 1 else f"-{_NAMES[half]}")
    root = _root(measured.scene, sheet, name, theme)
    _draw_page(root, sheet)
    for part in sheet.halves:
        _draw_half(root, measured, placement, sheet, part, name)
    _draw_hairlines(root, sheet)
    if sheet.entries:
        key.draw(root, sheet.entries, sheet.wide, sheet.high - key.height(sheet.entries, sheet.wide))
    return serialise(root, theme)


def _fit_for_id(name: str) -> str:
    return re.sub(r"[^\w-]", "_", name, flags=re.ASCII) or "picture"


def _arrange(measured: Measured, placement: Placement, narrow: bool, half: int | None) -> _Sheet:
    scene = measured.scene
    indices = tuple(range(len(scene.halves))) if half is None else (half,)
    need = placement.width + 2 * AROUND
    plain = len(scene.halves) == 1 and not scene.title and scene.halves[0].strip is None
    least = 0.0 if plain else HALF
    beside = len(indices) == 2 and not narrow and need <= HALF
    half_wide = max(need, least)
    wide = 2 * half_wide if beside else half_wide
    if len(indices) == 2 and not beside and not narrow:
        wide = half_wide = max(need, 2 * HALF)
    heads = [page.head(scene.halves[i], half_wide) for i in indices]
    strips = [scene.halves[i].strip for i in indices]
    verdicts = [page.verdict(strip, half_wide) if strip is not None else None for strip in strips]
    title = wrap(scene.title, wide - 2 * page.MARGIN, fonts.TITLE) if scene.title else ()
    top = 21.0 + 19 * len(title) if title else 0.0
    head_high = max(h.height for h in heads)
    strip_high = max([v.height for v in verdicts if v is not None], default=0.0)
    graph_high = placement.height + _ABOVE_GRAPH + _BELOW_GRAPH
    parts = []
    bottom = top
    for k, i in enumerate(indices):
        left = half_wide * k if beside else 0.0
        parts.append(_Half(i, left, top, heads[k], verdicts[k]))
        own_head, own_strip = (head_high, strip_high) if beside else (heads[k].height, getattr(verdicts[k], "height", 0.0))
        bottom = top + own_head + graph_high + own_strip
        top = top if beside else bottom
    if not beside:
        head_high = strip_high = -1.0
    entries = key.occurring(scene, indices)
    return _Sheet(wide, bottom + key.height(entries, wide), half_wide, head_high, strip_high, title, entries, tuple(parts))


def _root(scene: Scene, sheet: _Sheet, name: str, theme: Theme) -> Element:
    title, description = clean(scene.title or scene.name), clean(scene.description, keep="\n")
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": ROOT_CLASS})
    wide, high = number(sheet.wide), number(sheet.high)
    root.attrib |= {"width": wide, "height": high, "viewBox": f"0 0 {wide} {high}", "role": "img"}
    root.set("aria-labelledby", f"{name}-title {name}-desc" if description else f"{name}-title")
    root.attrib |= {"font-family": SANS, "font-size": "11", "direction": "ltr"}
    root.text = "\n"
    made = child(root, "title", id=f"{name}-title")
    made.text, made.tail = legal(title), "\n"
    if description:
        made = child(root, "desc", id=f"{name}-desc")
        made.text, made.tail = legal(description), "\n"
    if scene.metadata:
        made = child(root, "metadata")
        made.text, made.tail = scene.metadata, "\n"
    made = child(root, "style")
    made.text, made.tail = style_sheet(theme), "\n"
    return root


def _draw_page(root: Element, sheet: _Sheet) -> None:
    made = group(root, "page")
    child(
        made, "rect", x="0.5", y="0.5", width=sheet.wide - 1, height=sheet.high - 1, rx="8", fill=palette.PAGE,
        stroke=palette.FRAME,
    )  # fmt: skip
    for i, line in enumerate(sheet.title):
        text(made, page.MARGIN, 26 + 19 * i, line, fonts.TITLE, palette.INK)


def _draw_half(root: Element, measured: Measured, placement: Placement, sheet: _Sheet, part: _Half, name: str) -> None:
    word = _NAMES[part.index] if len(measured.scene.halves) == 2 else "only"
    made = group(root, f"half {word}")
    page.draw_head(made, part.head, part.left, part.top)
    head_high = sheet.head_high if sheet.head_high >= 0 else part.head.height
    graph_top = part.top + head_high + _ABOVE_GRAPH
    x = part.left + max(AROUND, (sheet.half_wide - placement.width) / 2)
    graph = group(made, "graph", transform=f"translate({number(x)} {number(graph_top)})")
    prefix = f"{name}-{word}"
    for path, place in placement.frames.items():
        _draw_frame(graph, path, place)
    for i in range(len(measured.scene.links)):
        links.draw(graph, measured, placement, i, part.index, prefix)
    for box in measured.scene.boxes:
        face = box.faces[part.index]
        if face is not None:
            boxes.draw(graph, box, face, placement.boxes[box.id], measured.sizes[box.id], prefix, box.state)
    if part.verdict is not None:
        high = sheet.strip_high if sheet.strip_high >= 0 else part.verdict.height
        top = graph_top + placement.height + _BELOW_GRAPH
        page.draw_verdict(made, part.verdict, part.left, top, sheet.half_wide, high)


def _draw_frame(parent: Element, path: str, place: Place) -> None:
    made = group(parent, "frame")
    child(
        made, "rect", x=place.left, y=place.top, width=place.width, height=place.height, rx="10", fill="none",
        stroke=palette.FRAME,
    )  # fmt: skip
    text(made, place.left + 10, place.top + 16, path, fonts.FRAME_NAME, palette.MUTED)


def _draw_hairlines(root: Element, sheet: _Sheet) -> None:
    """Between title, halves and key; over the strips, which reach to the sides."""
    tops = {part.top for part in sheet.halves} | {sheet.high - key.height(sheet.entries, sheet.wide)}
    lines = [f"M1 {number(y)}H{number(sheet.wide - 1)}" for y in sorted(tops) if 0 < y < sheet.high]
    if len(sheet.halves) == 2 and sheet.halves[1].left:
        lines.append(f"M{number(sheet.halves[1].left)} {number(sheet.halves[1].top)}V{number(max(tops))}")
    if lines:
        child(root, "path", d="".join(lines), stroke=palette.FRAME, fill="none").tail = "\n"
