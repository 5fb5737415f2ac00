"""The page around the graph: title bar, what a half is about, its outcome."""

from __future__ import annotations

import msgspec

from graphvis.picture import palette
from graphvis.picture.measure import clean, fonts, width, wrap
from graphvis.picture.scene import Half, Strip
from graphvis.picture.svg import marks
from graphvis.picture.svg.element import Element, child, group, text

MARGIN = 16.0
BADGE = 24.0  # room for the octagon before a title
PROSE = 0.94  # prose wraps a little early, for fonts wider than Helvetica
_CODE_PITCH = 18.0


class Head(msgspec.Struct, frozen=True):
    """A half's words above its graph, wrapped.

    Attributes:
        title: ``BEFORE``.
        code: lines in bold mono.
        note: lines in sans.
    """

    title: str
    code: tuple[str, ...]
    note: tuple[str, ...]

    @property
    def height(self) -> float:
        """Height in SVG units; 0 where there is nothing to say."""
        if not (self.title or self.code or self.note):
            return 0.0
        return 16.0 + max(len(self.code), 1 if self.title and not self.note else 0) * _CODE_PITCH + 15 * len(self.note)

    @property
    def indent(self) -> float:
        """X of code and note."""
        return MARGIN + (width(self.title, fonts.HALF) + 12 if self.title else 0)


def head(half: Half, wide: float) -> Head:
    """Wrap a half's words to a width."""
    title = clean(half.title)
    room = wide - Head(title, (), ()).indent - 8
    code = tuple(piece for line in half.code for piece in _wrapped_code(line, room))
    note = wrap(half.note, room * PROSE, fonts.NOTE, most=2) if half.note else ()
    return Head(title, code, note)


def _wrapped_code(line: str, room: float) -> tuple[str, ...]:
    """A line of code in pieces that all keep its indentation; no-break spaces, which no renderer collapses."""
    indent = "\u00a0" * (len(line) - len(line.lstrip(" ")))
    pieces = wrap(line.lstrip(" "), room - width(indent, fonts.CODE), fonts.CODE, most=3)
    return tuple(indent + piece for piece in pieces)


def draw_head(parent: Element, words: Head, left: float, top: float) -> None:
    """Draw them."""
    made = group(parent, "head")
    if words.title:
        text(made, left + MARGIN, top + 22, words.title, fonts.HALF, palette.MUTED)
    baseline = top + 22
    for line in words.code:
        text(made, left + words.indent, baseline, line, fonts.CODE, palette.INK)
        baseline += _CODE_PITCH
    baseline -= 2 if words.code else 0
    for line in words.note:
        text(made, left + words.indent, baseline, line, fonts.NOTE, palette.MUTED)
        baseline += 15


class Verdict(msgspec.Struct, frozen=True):
    """A strip's words, wrapped.

    Attributes:
        strip: the strip.
        headline: its lines.
        lines: the rest, each with whether it is mono.
    """

    strip: Strip
    headline: tuple[str, ...]
    lines: tuple[tuple[str, bool], ...]

    @property
    def height(self) -> float:
        """Height in SVG units."""
        return 12.0 + 17 * len(self.headline) + 16 * len(self.lines) + 11


def verdict(strip: Strip, wide: float) -> Verdict:
    """Wrap a strip's words to a width."""
    room = wide - MARGIN - 22 - 10
    lines = []
    for line in strip.lines:
        font = fonts.ERROR if line.mono else fonts.SAYS
        lines += [(piece, line.mono) for piece in wrap(line.text, room * (1 if line.mono else PROSE), font, most=12)]
    return Verdict(strip, wrap(strip.headline, room, fonts.HEADLINE, most=4), tuple(lines))


def draw_verdict(parent: Element, words: Verdict, left: float, top: float, wide: float, high: float) -> None:
    """Draw a strip `wide` and `high`."""
    good = words.strip.good
    made = group(parent, "strip " + ("good" if good else "bad"))
    child(made, "rect", x=left, y=top, width=wide, height=high, fill=palette.STRIP if good else palette.RED_GROUND)
    if good:
        marks.check_mark(made, left + MARGIN - 1, top + 10)
    else:
        marks.octagon(made, left + MARGIN - 1, top + 10)
    baseline = top + 23
    colour = palette.GRADIENT if good else palette.RED
    for line in words.headline:
        text(made, left + MARGIN + 22, baseline, line, fonts.HEADLINE, colour)
        baseline += 17
    baseline += 2
    for line, mono in words.lines:
        text(made, left + MARGIN + 22, baseline, line, fonts.ERROR if mono else fonts.SAYS, palette.INK)
        baseline += 16
