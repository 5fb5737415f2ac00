"""How wide a text is, and how to make one fit, without asking a font on this machine.

Widths are those of Helvetica and Courier, whose metrics every substitute (Arial, Liberation,
Nimbus) copies; what these fonts do not hold counts one em.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import msgspec
from reportlab.pdfbase import pdfmetrics

ELLIPSIS = "…"

_KEPT_FORMATS = {"\u200c", "\u200d"}
_ESCAPED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ALPHABETS = ("LATIN", "GREEK", "CYRILLIC")
# Menlo is 0.3% and SF Mono 3% wider than Courier.
_MONO_EM = 0.618


class Font(msgspec.Struct, frozen=True):
    """A font as the picture uses it.

    Attributes:
        size: in SVG units.
        mono: Courier's kin, else Helvetica's.
        bold: whether it is bold.
    """

    size: float
    mono: bool = False
    bold: bool = False


def clean(text: str, keep: str = "") -> str:
    r"""Make what cannot be drawn, or would turn the text around, visible: ``\n``, ``\x1b``, ``\u202e``.

    Args:
        text: as found; may hold anything, lone surrogates included.
        keep: control characters that may stay, e.g. a tooltip's newlines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if _is_hidden(c) and c not in keep else c for c in text)


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in _ESCAPED and char not in _KEPT_FORMATS


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=16384)
def width(text: str, font: Font) -> float:
    """Width of one line in SVG units."""
    return font.size * sum(_em(c, font.mono, font.bold) for c in text)


@lru_cache(maxsize=4096)
def _em(char: str, mono: bool, bold: bool) -> float:
    """Width of one character in em."""
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0.0
    known = char.encode("cp1252", "ignore")
    if known and mono:
        return _MONO_EM
    if known:
        widths = pdfmetrics.getFont("Helvetica-Bold" if bold else "Helvetica").widths
        return float(widths[known[0]]) / 1000
    if mono and (unicodedata.name(char, "").startswith(_ALPHABETS) or char in "→←↑↓"):
        return _MONO_EM
    if ord(char) >= 0x1F000:
        return 1.4
    return 1.0


def is_wide(char: str) -> bool:
    """Whether a character takes a whole em in every font: Chinese, Japanese, Korean, full-width forms."""
    return unicodedata.east_asian_width(char) in "WF"


def shorten(text: str, room: float, font: Font) -> str:
    """The text, with its middle replaced by an ellipsis where it is wider than `room`."""
    if width(text, font) <= room:
        return text
    fewest, most = 1, len(text)
    while fewest < most:
        kept = (fewest + most + 1) // 2
        if width(_without_middle(text, kept), font) <= room:
            fewest = kept
        else:
            most = kept - 1
    return _without_middle(text, fewest)


def shorten_numbers(text: str, room: float, font: Font) -> str:
    """A printed tensor with numbers from its middle left out: ``[1.0000, …, 0.0000]``; anything else as `shorten`."""
    numbers = text.split(", ")
    if width(text, font) <= room or not (text.startswith("[") and text.endswith("]")):
        return shorten(text, room, font)
    for kept in range(len(numbers) - 1, 1, -1):
        tail = kept // 2
        short = ", ".join([*numbers[: kept - tail], ELLIPSIS, *numbers[-tail:]])
        if width(short, font) <= room:
            return short
    return shorten(text, room, font)


def shorten_path(text: str, room: float, font: Font) -> str:
    """A dotted name without its first parts, where these leave no room; anything else as :func:`shorten`."""
    parts = text.split(".")
    if width(text, font) > room and all(part.isidentifier() or part.isdigit() for part in parts):
        for place in range(1, len(parts)):
            if width(short := f"{ELLIPSIS}.{'.'.join(parts[place:])}", font) <= room:
                return short
    return shorten(text, room, font)


def _without_middle(text: str, kept: int) -> str:
    head = (kept + 1) // 2
    tail = kept - head
    end = len(text) - tail
    while end < len(text) and unicodedata.combining(text[end]):
        end += 1
    return text[:head] + ELLIPSIS + text[end:]


def wrap(text: str, room: float, font: Font, most: int | None = None) -> tuple[str, ...]:
    """Lines no wider than `room`, broken at spaces, or within a word that is wider by itself.

    Args:
        text: any; its own newlines break too.
        room: width in SVG units.
        font: what it is set in.
        most: how many lines at most; the last one then ends in an ellipsis.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in clean(paragraph).split(" "):
            joined = f"{line} {word}" if line else word
            if width(joined, font) <= room:
                line = joined
                continue
            if line:
                lines.append(line)
            *full, line = _break(word, room, font)
            lines += full
        lines.append(line)
    if most is not None and len(lines) > most:
        rest = lines[most - 1]
        while rest and width(rest + ELLIPSIS, font) > room:
            rest = rest[:-1]
        lines = [*lines[: most - 1], rest.rstrip() + ELLIPSIS]
    return tuple(lines)


def _break(word: str, room: float, font: Font) -> list[str]:
    pieces = [""]
    for char in word:
        if pieces[-1] and width(pieces[-1] + char, font) > room:
            pieces.append("")
        pieces[-1] += char
    return pieces
