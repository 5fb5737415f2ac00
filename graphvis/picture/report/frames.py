"""Pieces of source with marks under them."""

from __future__ import annotations

import linecache
import os
import textwrap
from dataclasses import dataclass

from graphvis.model import Location
from graphvis.picture.report.spans import Span, display_width

LONGEST = 100
"""Columns up to which words stay beside the carets they explain."""
RESET = "\x1b[0m"
INKS = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "note": "\x1b[1;36m",
    "gutter": "\x1b[1;34m",
    "bold": "\x1b[1m",
}


@dataclass(frozen=True)
class Page:
    """How the report is set: colours or none, its width in columns, and what paths are relative to."""

    color: bool
    width: int
    cwd: str

    def ink(self, text: str, ink: str) -> str:
        """`text` in a colour; as it is on a page without colours."""
        return f"{INKS[ink]}{text}{RESET}" if self.color and text else text

    def place(self, location: Location) -> str:
        """``file:line``, relative to the working directory where the file lies under it."""
        file = location.file
        if os.path.isabs(file):
            inside = os.path.relpath(file, self.cwd)
            file = file if inside.startswith("..") else inside
        return f"{clean(file)}:{location.line}" if location.line else clean(file)


@dataclass(frozen=True)
class Mark:
    """What is said under a line of source.

    Attributes:
        location: the line.
        span: the part of it that is underlined.
        says: the words behind the underline.
        main: whether it is what the finding is about (``^^^`` rather than ``---``).
        where: in which function or module it stands; empty to take the location's function.
    """

    location: Location
    span: Span
    says: str
    main: bool = True
    where: str = ""


def clean(text: str) -> str:
    """`text` without control characters: a name from a program must not drive the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text.expandtabs(4))


def head(page: Page, level: str, label: str, says: str) -> str:
    """The first line of a finding: ``error[cut]: ...``."""
    return f"{page.ink(f'{level}[{label}]', level)}{page.ink(f': {says}', 'bold')}"


def field(page: Page, name: str, rows: list[str]) -> list[str]:
    """``= name: row`` with the further rows under the first."""
    first = f"   = {name + ':':<7} "
    return [(page.ink(first, "gutter") if i == 0 else " " * len(first)) + row for i, row in enumerate(rows)]


def prose(page: Page, name: str, text: str) -> list[str]:
    """``= name: text``, wrapped."""
    return field(page, name, textwrap.wrap(text, page.width - 12, break_long_words=False, break_on_hyphens=False))


def lines(page: Page, marks: list[Mark], ink: str, context: int = 2) -> list[str]:
    """The marked lines as a compiler shows them, the first with the lines above it."""
    pieces = [(mark, source_around(mark.location, context if i == 0 else 0)) for i, mark in enumerate(marks)]
    gutter = max([len(str(mark.location.line)) for mark in marks], default=1)
    bar = page.ink(" " * gutter + " |", "gutter")
    result: list[str] = []
    for i, (mark, excerpt) in enumerate(pieces):
        arrow = "-->" if i == 0 else ":::"
        where = mark.where or mark.location.function
        inside = f" in {clean(where)}" if where and where != "<module>" else ""
        result.append(f"{' ' * gutter}{page.ink(arrow, 'gutter')} {page.place(mark.location)}{inside}")
        if excerpt:
            result.append(bar)
        for number, text in excerpt:
            result.append(f"{page.ink(f'{number:>{gutter}} |', 'gutter')} {clean(text)}".rstrip())
        if excerpt:
            result += [f"{bar} {under}" for under in _underline(page, mark, excerpt[-1][1], ink, gutter + 3)]
        elif mark.says:
            result.append(f"{bar} {page.ink(mark.says, ink if mark.main else 'gutter')}")
        result.append(bar)
    return result


def _underline(page: Page, mark: Mark, text: str, ink: str, gutter: int) -> list[str]:
    """The carets and the words, under the line as it is shown (the span counts from its first ink).

    Words that would go beyond the page stand under the carets.
    """
    shift = len(text) - len(text.lstrip())
    start, stop = mark.span[0] + shift, mark.span[1] + shift
    shown = clean(text[:start])
    under = clean(text[start:stop]) or " "
    stroke = ("^" if mark.main else "-") * max(display_width(under), 1)
    ink, start = ink if mark.main else "gutter", display_width(shown)
    if not mark.says or gutter + start + len(stroke) + 1 + display_width(mark.says) <= max(page.width, LONGEST):
        return [" " * start + page.ink(f"{stroke} {mark.says}".rstrip(), ink)]
    indent = max(min(start, page.width - gutter - display_width(mark.says)), 0)
    return [" " * start + page.ink(stroke, ink), " " * indent + page.ink(mark.says, ink)]


def source_around(location: Location, context: int) -> list[tuple[int, str]]:
    """The line with up to `context` lines above it, least indented flush where all are; empty where nothing is known.

    The file is read only where it still says what was recorded: an edited file would put a wrong line under the mark.
    """
    if location.line and linecache.getline(location.file, location.line).strip() == location.text.strip():
        first = max(1, location.line - context)
        found = [
            (n, linecache.getline(location.file, n).rstrip().expandtabs(4)) for n in range(first, location.line + 1)
        ]
    else:
        found = [(location.line, location.text)]
    while len(found) > 1 and not found[0][1].strip():
        found.pop(0)
    return found if found[-1][1].strip() else []
