"""A drawable on its way to files: styled, measured and laid out once, then written in any format."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from graphvis.draw.documents import to_json
from graphvis.draw.formats import FORMATS, SIDES, Variant, check_theme
from graphvis.errors import FormatError
from graphvis.model import Comparison, Diagnosis, Drawable, Graph, Moment
from graphvis.model.drawable import Theme
from graphvis.model.view import MOST_BOXES, View
from graphvis.progress import telling

if TYPE_CHECKING:
    from graphvis.analysis.folding import Folded
    from graphvis.picture.layout import Placement
    from graphvis.picture.scene import Scene

_FEW = 30
"""Nodes up to which a picture is drawn as it is, without a look at its modules."""


class Drawing:
    """A drawable on its way to files: styled and laid out once, whatever the number of formats and variants.

    Args:
        drawable: a Graph, Moment, Comparison or Diagnosis.
        theme: for svg, png, pdf and html.
        engine: None for the embedded layout engine, ``"dot"`` for the system's, or a path.
        view: how much of it is shown.

    Raises:
        FormatError: if there is no such theme.
    """

    def __init__(
        self, drawable: Drawable, *, theme: Theme = "auto", engine: str | None = None, view: View | None = None
    ) -> None:
        check_theme(theme)
        self.drawable = drawable
        self.theme = theme
        self.engine = engine
        self.view = view or View()

    def render(self, format: str, variant: Variant = "pair") -> bytes:  # noqa: A002  # Graphviz's own word
        """One file; arguments and errors as of :func:`render`."""
        from graphvis.picture import dot, mermaid

        half = SIDES.get(variant)
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

            return html.write(self._scene, self._placement, theme=self.theme).encode()
        if format in ("png", "pdf"):
            from graphvis.picture import raster

            svg = self.to_svg("light" if self.theme == "auto" else self.theme, narrow=variant == "narrow", half=half)
            return raster.to_png(svg) if format == "png" else raster.to_pdf(svg)
        raise FormatError(f"no format is named {format!r}", f"Choose one of {', '.join(FORMATS)}.")

    def to_svg(self, theme: Theme, *, narrow: bool = False, half: int | None = None) -> str:
        """One SVG; arguments as of :func:`graphvis.draw.to_svg`."""
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
