"""The findings beside the graph of a diagnosis."""

from __future__ import annotations

import msgspec

from graphvis.picture import palette
from graphvis.picture.measure import Font, clean, fonts, shorten, width, wrap
from graphvis.picture.scene import Entry, Finding
from graphvis.picture.svg.element import Element, child, group, text
from graphvis.picture.svg.page import PROSE

_PAD = 12.0
_PITCH = 17.0
_INDENT = 10.0
_BETWEEN = 16.0
_GUTTER = 8.0


class _Row(msgspec.Struct, frozen=True):
    """A line at its height; `top` counts from the finding's own top."""

    entry: Entry
    words: str
    top: float


class Card(msgspec.Struct, frozen=True):
    """A finding, wrapped.

    Attributes:
        finding: what is said.
        rows: its lines.
        gutter: width of the line numbers.
        height: in SVG units.
    """

    finding: Finding
    rows: tuple[_Row, ...]
    gutter: float
    height: float


def wrap_all(findings: tuple[Finding, ...], wide: float) -> tuple[Card, ...]:
    """The findings wrapped to a width."""
    return tuple(_card(finding, wide) for finding in findings)


def height(cards: tuple[Card, ...]) -> float:
    """Height of all cards with what is between them."""
    return sum(card.height for card in cards) + _BETWEEN * max(0, len(cards) - 1)


def _card(finding: Finding, wide: float) -> Card:
    pad = _PAD if finding.bad else 0.0
    room = wide - 2 * pad
    numbers = [width(e.aside, fonts.SOURCE) for e in finding.entries if e.kind == "code"]
    gutter = max(numbers) + _GUTTER if numbers else 0.0
    top = pad + (20.0 if finding.heading else 0.0)
    rows: list[_Row] = []
    before = ""
    for entry in finding.entries:
        if before and "code" in (entry.kind, before) and entry.kind != before:
            top += 5
        for words in _lines(entry, room, gutter):
            rows.append(_Row(entry, words, top))
            top += _PITCH
        before = entry.kind
    return Card(finding, tuple(rows), gutter, top + pad - (4 if finding.bad else 0))


def _lines(entry: Entry, room: float, gutter: float) -> tuple[str, ...]:
    if entry.kind in ("prose", "note"):
        return wrap(entry.text, room * PROSE, fonts.SAYS if entry.kind == "prose" else fonts.NOTE)
    words = clean(entry.text)
    if entry.kind == "code":
        # A shortened middle would move what the columns point at.
        return (_cut(words, room - gutter, fonts.SOURCE_BOLD),)
    aside = width(clean(entry.aside), fonts.SOURCE) + _PAD if entry.aside else 0.0
    return (shorten(words, room - aside - (_INDENT if entry.kind == "item" else 0), fonts.SOURCE_BOLD),)


def _cut(words: str, room: float, font: Font) -> str:
    if width(words, font) <= room:
        return words
    while words and width(words + "…", font) > room:
        words = words[:-1]
    return words + "…"


def draw(parent: Element, cards: tuple[Card, ...], left: float, top: float, wide: float) -> None:
    """Draw the cards below each other."""
    for card in cards:
        made = group(parent, "finding bad" if card.finding.bad else "finding")
        pad = _PAD if card.finding.bad else 0.0
        if card.finding.bad:
            child(made, "rect", x=left, y=top, width=wide, height=card.height, rx="6", fill=palette.RED_GROUND)
        if card.finding.heading:
            heading = clean(card.finding.heading)
            font, colour = (fonts.FINDING, palette.RED) if card.finding.bad else (fonts.SECTION, palette.MUTED)
            text(made, left + pad, top + pad + 11, shorten(heading, wide - 2 * pad, font), font, colour)
        for row in card.rows:
            _draw_row(made, row, card, left + pad, left + wide - pad, top + row.top + 12)
        top += card.height + _BETWEEN


def _draw_row(parent: Element, row: _Row, card: Card, left: float, right: float, baseline: float) -> None:
    entry = row.entry
    if entry.kind == "code":
        _draw_code(parent, row, left, left + card.gutter, baseline)
    elif entry.kind == "prose":
        text(parent, left, baseline, row.words, fonts.SAYS, palette.INK)
    elif entry.kind == "note":
        text(parent, left, baseline, row.words, fonts.NOTE, palette.MUTED)
    elif entry.kind == "group":
        text(parent, left, baseline, row.words, fonts.SOURCE_BOLD, palette.INK)
    else:
        text(parent, left + _INDENT, baseline, row.words, fonts.SOURCE, palette.INK)
        if entry.aside:
            text(parent, right, baseline, clean(entry.aside), fonts.SOURCE, palette.MUTED, "end")


def _draw_code(parent: Element, row: _Row, left: float, start: float, baseline: float) -> None:
    span, number = row.entry.span, clean(row.entry.aside)
    text(
        parent, start - _GUTTER, baseline, number, fonts.SOURCE_BOLD if span else fonts.SOURCE,
        palette.RED if span else palette.MUTED, "end",
    )  # fmt: skip
    if span is None:
        text(parent, start, baseline, row.words, fonts.SOURCE, palette.INK)
        return
    first, last = (min(column, len(row.words)) for column in span)
    made = text(parent, start, baseline, row.words[:first], fonts.SOURCE, palette.INK)
    # One text: in another mono font the bold part must still follow on what is before it.
    marked = child(made, "tspan", font_weight="bold", text_decoration="underline", fill=palette.RED)
    marked.text, marked.tail = row.words[first:last], row.words[last:]
