"""One drawable, one call, one file or text."""

from __future__ import annotations

import os
from pathlib import Path

from graphvis import files
from graphvis.draw.documents import to_json
from graphvis.draw.drawing import Drawing
from graphvis.draw.formats import FORMATS, Variant, check_theme
from graphvis.errors import FormatError
from graphvis.model import Diagnosis, Drawable
from graphvis.model.drawable import Theme
from graphvis.model.view import View

_WHOLE = View()


def render(
    drawable: Drawable,
    format: str,  # noqa: A002  # Graphviz's own word
    *,
    theme: Theme = "auto",
    engine: str | None = None,
    variant: Variant = "pair",
    view: View = _WHOLE,
) -> bytes:
    """A drawable as the bytes of a file.

    Args:
        drawable: a Graph, Moment, Comparison or Diagnosis.
        format: one of :data:`FORMATS`.
        theme: for svg, png, pdf and html.
        engine: None for the embedded layout engine, ``"dot"`` for the system's, or a path.
        variant: one of those that :func:`variants` gives.
        view: how much of it is shown.

    Raises:
        FormatError: if there is no such format or theme, or it needs an extra that is not installed, or the picture
            would be too big to open.
        EngineError: if the layout engine is missing or fails.
    """
    return Drawing(drawable, theme=theme, engine=engine, view=view).render(format, variant)


def to_svg(
    drawable: Drawable,
    *,
    theme: Theme = "auto",
    engine: str | None = None,
    narrow: bool = False,
    half: int | None = None,
    view: View = _WHOLE,
) -> str:
    """A drawable as one SVG document; arguments as in :func:`render`.

    Args:
        drawable: what to draw.
        theme: ``auto`` follows the reader's ``prefers-color-scheme``.
        engine: which layout engine.
        narrow: 360 px wide, halves stacked.
        half: 0 for the half before alone, 1 for after; None for the whole.
        view: how much of it is shown.

    Raises:
        FormatError: if there is no such theme, or the picture would be too big to open.
        EngineError: if the layout engine is missing or fails.
    """
    return Drawing(drawable, theme=theme, engine=engine, view=view).to_svg(theme, narrow=narrow, half=half)


def to_dot(drawable: Drawable, *, view: View = _WHOLE) -> str:
    """A drawable in Graphviz's DOT language: all of it, unless `view` asks for a certain folding."""
    return Drawing(drawable, view=view).render("dot").decode()


def to_mermaid(drawable: Drawable, *, view: View = _WHOLE) -> str:
    """A drawable as a Mermaid flowchart; `view` as in :func:`to_svg`."""
    return Drawing(drawable, view=view).render("mmd").decode()


def to_report(diagnosis: Drawable, *, color: bool = False, width: int | None = None) -> str:
    """A diagnosis as text, as a compiler tells an error; `width` in columns."""
    from graphvis.picture import report

    if not isinstance(diagnosis, Diagnosis):
        raise TypeError(f"{type(diagnosis).__name__} has no report")
    return report.write(diagnosis, color=color, width=width)


def save(
    drawable: Drawable,
    path: str | os.PathLike[str],
    *,
    theme: Theme = "auto",
    engine: str | None = None,
    view: View = _WHOLE,
) -> None:
    """Write a drawable to `path`, in the format of its suffix; the file is replaced whole or not at all.

    Raises:
        FormatError: if the suffix is none of :data:`FORMATS`, its format needs an extra, or there is no such theme.
        OutputError: if the file cannot be written.
        EngineError: if the layout engine is missing or fails.
    """
    check_theme(theme)
    suffix = Path(path).suffix.lstrip(".").lower()
    if suffix not in FORMATS:
        shown = f"the suffix .{suffix}" if suffix else "a name without suffix"
        raise FormatError(f"{os.fspath(path)}: no format for {shown}", f"Choose one of .{', .'.join(FORMATS)}.")
    if suffix == "json":
        files.write(path, to_json(drawable))
    else:
        files.write(path, render(drawable, suffix, theme=theme, engine=engine, view=view))
