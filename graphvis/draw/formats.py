"""What can be written: formats, the pictures of each, themes."""

from __future__ import annotations

from typing import Literal, get_args

from graphvis.errors import FormatError
from graphvis.model import Comparison, Drawable, Graph
from graphvis.model.drawable import Theme
from graphvis.model.view import View

Variant = Literal["pair", "narrow", "before", "after"]
FORMATS = ("svg", "dot", "png", "pdf", "mmd", "json", "html")
"""Suffixes of the files that can be written."""
SIDES: dict[Variant, int] = {"before": 0, "after": 1}
"""The half that a variant shows alone."""


def variants(drawable: Drawable, format: str, view: View | None = None) -> tuple[Variant, ...]:  # noqa: A002
    """The pictures that there are of a drawable in a format (Graphviz's own word), as `view` shows it.

    ``pair`` is the whole picture, ``narrow`` the same for phones, ``before`` and ``after`` single halves.
    """
    if view is not None and view.layout == "combined":
        return ("pair",)
    halves: tuple[Variant, ...] = ("before", "after") if isinstance(drawable, Comparison) and drawable.before else ()
    narrow: tuple[Variant, ...] = ("narrow",) if format in ("svg", "png") and not isinstance(drawable, Graph) else ()
    return ("pair", *narrow, *halves)


def check_theme(theme: str) -> None:
    """Raise FormatError if no theme has that name."""
    themes = get_args(Theme)
    if theme not in themes:
        raise FormatError(f"no theme is named {theme!r}", f"Choose one of {', '.join(themes)}.")
