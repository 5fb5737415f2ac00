"""From a frozen model to bytes: style, measure, lay out, write. No torch, no live tensor."""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from graphvis import files
from graphvis.errors import DocumentError, EngineError, FormatError
from graphvis.model import Comparison, Diagnosis, Drawable, Graph, Moment, lines
from graphvis.model.drawable import Theme
from graphvis.model.view import MOST_BOXES, View
from graphvis.progress import telling

if TYPE_CHECKING:
    from graphvis.analysis.folding import Folded
    from graphvis.picture.layout import Placement
    from graphvis.picture.scene import Scene

Variant = Literal["pair", "narrow", "before", "after"]
FORMATS = ("svg", "dot", "png", "pdf", "mmd", "json", "html")
"""Suffixes of the files that can be written."""

_WHOLE = View()
_FEW = 24
"""Nodes up to which a picture is drawn as it is, without a look at its modules."""
_SIDES: dict[Variant, int] = {"before": 0, "after": 1}


def variants(drawable: Drawable, format: str, view: View | None = None) -> tuple[Variant, ...]:  # noqa: A002
    """The pictures that there are of a drawable in a format (Graphviz's own word), as `view` shows it.

    ``pair`` is the whole picture, ``narrow`` the same for phones, ``before`` and ``after`` single halves.
    """
    if view is not None and view.layout == "combined":
        return ("pair",)
    halves: tuple[Variant, ...] = ("before", "after") if isinstance(drawable, Comparison) and drawable.before else ()
    narrow: tuple[Variant, ...] = ("narrow",) if format in ("svg", "png") and not isinstance(drawable, Graph) else ()
    return ("pair", *narrow, *halves)


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
        FormatError: if there is no such format, or it needs an extra that is not installed, or the picture would be
            too big to open.
        EngineError: if the layout engine is missing or fails.
    """
    return Drawing(drawable, theme=theme, engine=engine, view=view).render(format, variant)


class Drawing:
    """A drawable on its way to files: styled and laid out once, whatever the number of formats and variants.

    Args:
        drawable: a Graph, Moment, Comparison or Diagnosis.
        theme: for svg, png, pdf and html.
        engine: None for the embedded layout engine, ``"dot"`` for the system's, or a path.
        view: how much of it is shown.
    """

    def __init__(
        self, drawable: Drawable, *, theme: Theme = "auto", engine: str | None = None, view: View | None = None
    ) -> None:
        self.drawable = drawable
        self.theme = theme
        self.engine = engine
        self.view = view or _WHOLE

    def render(self, format: str, variant: Variant = "pair") -> bytes:  # noqa: A002  # Graphviz's own word
        """One file; arguments and errors as of :func:`render`."""
        from graphvis.picture import dot, mermaid

        half = _SIDES.get(variant)
        if format == "json":
            return b"".join(to_json(self.drawable, variant))
        if format == "dot":
            shown = self._scene if self.view.asked or self.view.layout == "combined" else self._whole
            return dot.write(shown, half).encode()
        if format == "mmd":
            return mermaid.write(self._scene, half).encode()
        if format == "svg":
            return self.to_svg(self.theme, narrow=variant == "narrow", half=half).encode()
        if format == "html":
            from graphvis.picture import html

            return html.write(self._scene, self._placement).encode()
        if format in ("png", "pdf"):
            from graphvis.picture import raster

            svg = self.to_svg("light" if self.theme == "auto" else self.theme, narrow=variant == "narrow", half=half)
            return raster.to_png(svg) if format == "png" else raster.to_pdf(svg)
        raise FormatError(f"no format is named {format!r}", f"Choose one of {', '.join(FORMATS)}.")

    def to_svg(self, theme: Theme, *, narrow: bool = False, half: int | None = None) -> str:
        """One SVG; arguments as of :func:`to_svg`."""
        from graphvis.picture import svg

        scene = self._scene
        # Kept with the picture, so that a check can draw it in the same way.
        view = msgspec.to_builtins(self.view)
        options = {"theme": theme if theme != "auto" else None, "engine": self.engine, "view": view or None}
        kept = {name: value for name, value in options.items() if value is not None}
        if kept and scene.metadata:
            metadata = msgspec.json.encode(msgspec.json.decode(scene.metadata) | kept).decode()
            scene = msgspec.structs.replace(scene, metadata=metadata)
        return svg.write(scene, self._placement, theme=theme, narrow=narrow, half=half)

    @cached_property
    def _whole(self) -> Scene:
        """All of it, for tools."""
        from graphvis.picture.style import scene_of

        return scene_of(self.drawable)

    @cached_property
    def _scene(self) -> Scene:
        """What a person is shown."""
        from graphvis.picture.style import scene_of

        view = self.view
        folds = view.asked or (view.fold and _size(self.drawable) > _FEW)
        if not folds:
            self._refuse(_fewest_boxes(self.drawable))  # before the work that it would be
        if view.layout == "combined":
            from graphvis.picture.style import scene_of_both

            scene = scene_of_both(self.drawable, self._folded if folds else None)
        elif folds:
            scene = scene_of(self._folded.drawable)
        else:
            scene = self._whole
        self._refuse(len(scene.boxes))
        return scene

    @cached_property
    def _folded(self) -> Folded[Drawable]:
        from graphvis.analysis.folding import trace_fold

        view = self.view
        return trace_fold(self.drawable, depth=view.depth, expand=view.expand, focus=view.focus)

    def _refuse(self, boxes: int) -> None:
        if self.view.limit and boxes > MOST_BOXES:
            raise FormatError(
                f"the picture would have {boxes:,} boxes, more than a browser opens well",
                "Fold it (--fold, --depth N), look at a part (--focus NAME), save it with -f json, or insist"
                " (--no-limit).",
            )

    @cached_property
    def _placement(self) -> Placement:
        from graphvis.picture import layout, measure

        boxes = len(self._scene.boxes)
        fewer = "" if boxes <= layout.FINE else " (depth or focus makes it fewer)"
        timeout = layout.TIMEOUT if self.view.limit else math.inf
        with telling(f"laying out {boxes:,} boxes{fewer}", None) as step:
            return layout.lay_out(measure.measure(self._scene), self.engine, timeout=timeout, told=step)


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
    """
    return Drawing(drawable, engine=engine, view=view).to_svg(theme, narrow=narrow, half=half)


def to_dot(drawable: Drawable, *, view: View = _WHOLE) -> str:
    """A drawable in Graphviz's DOT language: all of it, unless `view` asks for a certain folding."""
    return Drawing(drawable, view=view).render("dot").decode()


def to_mermaid(drawable: Drawable, *, view: View = _WHOLE) -> str:
    """A drawable as a Mermaid flowchart; `view` as in :func:`to_svg`."""
    return Drawing(drawable, view=view).render("mmd").decode()


def render_source(source: str, format: str, *, engine: str | None = None) -> bytes:  # noqa: A002
    """DOT source that another tool wrote, as Graphviz itself draws it.

    Args:
        source: DOT.
        format: ``svg``, ``png`` (at 192 dpi), ``pdf`` (the system's ``dot`` only) or ``dot``.
        engine: as in :func:`render`.

    Raises:
        FormatError: if the format is none of these.
        EngineError: if the layout engine is missing or fails, or writes no picture.
    """
    from graphvis.picture.layout import engine as engines

    if format == "dot":
        return source.encode()
    if format == "png":
        return engines.run(source.replace("{", "{ graph [dpi=192]", 1), "png", engine)
    if format == "pdf":
        return engines.run(source, "pdf", engine)
    if format != "svg":
        raise FormatError(f"another tool's drawing cannot be written as {format!r}", "Choose svg, png, pdf or dot.")
    written = engines.run(source, "svg", engine).decode()
    if "<svg" not in written:  # a bad label makes some engines write half a document
        raise EngineError("the layout engine wrote no picture", "Try --engine dot.")
    # The lines that name the engine's version would change the bytes and nothing else.
    return re.sub(r"<!-- Generated by.*?-->\n?", "", written, flags=re.DOTALL).encode()


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
        FormatError: if the suffix is none of :data:`FORMATS`, or its format needs an extra.
        OutputError: if the file cannot be written.
        EngineError: if the layout engine is missing or fails.
    """
    suffix = Path(path).suffix.lstrip(".").lower()
    if suffix not in FORMATS:
        shown = f"the suffix .{suffix}" if suffix else "a name without suffix"
        raise FormatError(f"{os.fspath(path)}: no format for {shown}", f"Choose one of .{', .'.join(FORMATS)}.")
    if suffix == "json":
        files.write(path, to_json(drawable))
    else:
        files.write(path, render(drawable, suffix, theme=theme, engine=engine, view=view))


def to_json(drawable: Drawable, variant: Variant = "pair") -> Iterator[bytes]:
    """A drawable as JSON, in pieces that are made when asked for: a graph may hold a million nodes.

    Args:
        drawable: a Graph, Moment, Comparison or Diagnosis.
        variant: ``before`` or ``after`` for one half of a Comparison.
    """
    document = drawable
    if isinstance(drawable, Comparison) and variant in _SIDES:
        moment = drawable.before if variant == "before" else drawable.after
        assert moment is not None
        document = moment
    with telling("writing JSON", lines.count(document)) as step:
        for text, items in lines.write(document):
            step(items)
            yield text


def read(path: str | os.PathLike[str]) -> Drawable:
    """The document that :func:`save` wrote as JSON.

    Raises:
        DocumentError: if it cannot be read, is truncated, or is no document of graphvis.
    """
    try:
        with open(path, "rb") as source, _rewindable(source) as file:
            size = os.fstat(file.fileno()).st_size
            with telling(f"reading {Path(path).name}", size) as step:
                return lines.read(file, Graph, Moment, Comparison, Diagnosis, told=step)
    except OSError as error:
        raise DocumentError(f"cannot read {os.fspath(path)}: {error.strerror}") from None
    except DocumentError as error:
        raise DocumentError(f"{os.fspath(path)}: {error.what}", error.fix) from None


@contextmanager
def _rewindable(source: BinaryIO) -> Iterator[BinaryIO]:
    """What can be read from its beginning again: the source, or of a pipe a copy on the disk."""
    if source.seekable():
        yield source
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(source, copy)
        copy.seek(0)
        yield copy


def _size(drawable: Drawable) -> int:
    """How many nodes there are to draw."""
    return len(drawable.nodes) if isinstance(drawable, Comparison) else len(_graph_of(drawable).kinds)


def _fewest_boxes(drawable: Drawable) -> int:
    """How many boxes there are at least where nothing is folded."""
    graph = _graph_of(drawable)
    return sum(
        name != "AccumulateGrad" and (kind != "tensor" or bool(name))
        for kind, name in zip(graph.kinds, graph.names, strict=True)
    )


def _graph_of(drawable: Drawable) -> Graph:
    """The graph in a drawable; of a comparison the one after."""
    inner = drawable.after if isinstance(drawable, Comparison) else drawable
    graph = inner.graph if isinstance(inner, (Moment, Diagnosis)) else inner
    return graph if isinstance(graph, Graph) else Graph()
