"""What the command line says to people: on stderr, in few lines, in colour only where a terminal shows it."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import IO

import click

from graphvis.errors import GraphvisError

MOST_LINES = 5
MOST_COLUMNS = 400


def prepare() -> None:
    """Make the streams fit for what is coming.

    Stdout writes every name that a file system allows, in place of an error where it cannot be encoded, and a warning
    is one line without the line of the code that raised it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")

    warnings.showwarning = _warn  # the hook that Python has for it


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    say(f"warning: {' '.join(str(message).split())}")


def has_colours(stream: IO[str]) -> bool:
    """Whether colours make sense there: a terminal that shows them, or a reader who says so.

    ``NO_COLOR`` and ``FORCE_COLOR`` are what other programs go by too; the first wins.
    """
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def say(text: str, **style: object) -> None:
    """A line on stderr.

    Args:
        text: what to say.
        style: as :func:`click.style` takes it.
    """
    plain = printable(text)
    click.echo(click.style(plain, **style) if style and has_colours(sys.stderr) else plain, err=True)  # type: ignore[arg-type]


def complain(error: GraphvisError) -> None:
    """What went wrong and the way out, in at most five lines on stderr."""
    lines = [line for line in f"graphvis: {error.what}\n{error.fix}".splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], "..."]
    say(lines[0], fg="red")
    for line in lines[1:]:
        say(line)


def joined(errors: Sequence[GraphvisError]) -> GraphvisError:
    """One error that tells of several, in as few lines as one may have."""
    if len(errors) == 1:
        return errors[0]
    shown = [error.what.splitlines()[0] for error in errors[: MOST_LINES - 2]]
    more = len(errors) - len(shown)
    what = "\n".join([f"{len(errors)} scenarios were not drawn", *shown])
    return GraphvisError(what, f"and {more} more" if more else "")


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """The text with control characters spelled out, so that a name cannot steer the terminal, and long lines cut."""
    lines = ("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
             for line in text.split("\n"))  # fmt: skip
    return "\n".join(line if len(line) <= MOST_COLUMNS else f"{line[:MOST_COLUMNS]}..." for line in lines)
