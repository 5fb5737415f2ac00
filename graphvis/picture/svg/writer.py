"""From a scene and a placement to one SVG document."""

from __future__ import annotations

import re
from collections.abc import Callable

from graphvis.picture import palette
from graphvis.picture.curves import number
from graphvis.picture.geometry import Place
from graphvis.picture.layout import Placement
from graphvis.picture.measure import Measured, clean, fonts, measure, shorten_path
from graphvis.picture.palette import Theme
from graphvis.picture.scene import Scene, frame_name
from graphvis.picture.svg import boxes, findings, key, links, marks, page
from graphvis.picture.svg.arranging import HalfSheet, Sheet, arrange
from graphvis.picture.svg.element import (
    ROOT_CLASS,
    SANS,
    Element,
    child,
    group,
    legal,
    legal_json,
    serialise,
    style_sheet,
    text,
)
from graphvis.progress import telling

_NAMES = ("before", "after")


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
    sheet = arrange(measured.scene, placement, narrow, half)
    name = _fit_for_id(scene.name) + ("" if half is None or len(scene.halves) == 1 else f"-{_NAMES[half]}")
    root = _root(measured.scene, sheet, name, theme)
    _draw_ground(root, sheet)
    with telling("writing the picture", len(sheet.halves) * (len(scene.links) + len(scene.boxes))) as step:
        for part in sheet.halves:
            _draw_half(root, measured, placement, part, name, step)
    findings.draw(root, sheet.cards, *sheet.cards_at)
    _draw_lines(root, sheet)
    if sheet.entries:
        key.draw(root, sheet.entries, sheet.wide, sheet.key_top)
    return serialise(root, theme)


def _fit_for_id(name: str) -> str:
    return re.sub(r"[^\w-]", "_", name, flags=re.ASCII) or "picture"


def _root(scene: Scene, sheet: Sheet, name: str, theme: Theme) -> Element:
    title, description = clean(scene.title or scene.name), clean(scene.description, keep="\n")
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": ROOT_CLASS})
    wide, high = number(sheet.wide), number(sheet.high)
    root.attrib |= {"width": wide, "height": high, "viewBox": f"0 0 {wide} {high}", "role": "img"}
    root.set("aria-labelledby", f"{name}-title {name}-desc" if description else f"{name}-title")
    # A page in another direction must not turn texts around their anchors.
    root.attrib |= {"font-family": SANS, "font-size": "11", "direction": "ltr"}
    root.text = "\n"
    made = child(root, "title", id=f"{name}-title")
    made.text, made.tail = legal(title), "\n"
    if description:
        made = child(root, "desc", id=f"{name}-desc")
        made.text, made.tail = legal(description), "\n"
    if scene.metadata:
        made = child(root, "metadata")
        made.text, made.tail = legal_json(scene.metadata), "\n"
    made = child(root, "style")
    made.text, made.tail = style_sheet(theme), "\n"
    return root


def _draw_ground(root: Element, sheet: Sheet) -> None:
    made = group(root, "page")
    child(made, "rect", width=sheet.wide, height=sheet.high, rx="8", fill=palette.PAGE)
    if sheet.marked:
        marks.octagon(made, page.MARGIN - 1, 12.5)
    for i, line in enumerate(sheet.title):
        text(made, page.MARGIN + (page.BADGE if sheet.marked else 0), 26 + 19 * i, line, fonts.TITLE, palette.INK)


def _draw_half(
    root: Element, measured: Measured, placement: Placement, part: HalfSheet, name: str, step: Callable[[int], None]
) -> None:
    word = _NAMES[part.index] if len(measured.scene.halves) == 2 else "only"
    made = group(root, f"half {word}")
    page.draw_head(made, part.head, part.left, part.top)
    graph = group(made, "graph", transform=f"translate({number(part.graph[0])} {number(part.graph[1])})")
    prefix = f"{name}-{word}"
    for path, place in placement.frames.items():
        _draw_frame(graph, path, frame_name(path, placement.frames), place, placement.names[path])
    # What has a ground of its own covers what else is in its room.
    for i in sorted(
        range(len(measured.scene.links)), key=lambda i: i in placement.tracks and placement.tracks[i].covered
    ):
        links.draw(graph, measured, placement, i, part.index, prefix)
        step(1)
    for box in measured.scene.boxes:
        step(1)
        face = box.faces[part.index]
        if face is not None:
            boxes.draw(graph, box, face, placement.boxes[box.id], measured.sizes[box.id], prefix)
    if part.verdict is not None:
        page.draw_verdict(made, part.verdict, part.left, part.strip[0], part.wide, part.strip[1])


def _draw_frame(parent: Element, path: str, called: str, place: Place, name: Place) -> None:
    made = group(parent, "frame", path)
    child(
        made, "rect", x=place.left, y=place.top, width=place.width, height=place.height, rx="10", fill="none",
        stroke=palette.FRAME,
    )  # fmt: skip
    short = shorten_path(called, name.width + 0.1, fonts.FRAME_NAME)
    text(made, name.left, name.y + 4, short, fonts.FRAME_NAME, palette.MUTED)


def _draw_lines(root: Element, sheet: Sheet) -> None:
    """The frame, and hairlines between title, halves and key; over the strips, which reach to the sides."""
    made = group(root, "lines", fill="none", stroke=palette.FRAME)
    tops = {part.top for part in sheet.halves} | {sheet.key_top}
    lines = [f"M1 {number(y)}H{number(sheet.wide - 1)}" for y in sorted(tops) if 0 < y < sheet.high]
    if len(sheet.halves) == 2 and sheet.halves[1].left:
        lines.append(f"M{number(sheet.halves[1].left)} {number(sheet.halves[1].top)}V{number(sheet.key_top)}")
    if lines:
        child(made, "path", d="".join(lines))
    child(made, "rect", x="0.5", y="0.5", width=sheet.wide - 1, height=sheet.high - 1, rx="8")
