"""A drawable on its way to files: styled, measured and laid out once, then written in any format."""

from __future__ import annotations

import math
from collections.abc import Callable
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


class _Picture:
    """A scene and, once somebody asks, where everything in it is."""

    def __init__(self, scene: Scene, lay_out: Callable[[Scene], Placement]) -> None:
        self.scene = scene
        self._lay_out = lay_out

    @cached_property
    def placement(self) -> Placement:
        return self._lay_out(self.scene)


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
        self._pictures: dict[int, tuple[Drawable, _Picture]] = {}

    def render(self, format: str, variant: Variant = "pair") -> bytes:  # noqa: A002  # Graphviz's own word
        """One file; arguments and errors as of :func:`render`."""
        from graphvis.picture import dot, mermaid

        half = SIDES.get(variant)
        if format == "json":
            return b"".join(to_json(self.drawable, variant))
        if format == "dot":
            shown = self._outline if self.view.asked or self.view.layout == "combined" else self._whole
            return dot.write(shown, half).encode()
        if format == "mmd":
            return mermaid.write(self._outline, half).encode()
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

    @property
    def _whole(self) -> Scene:
        """All of it, for tools."""
        return self._picture_of(self.drawable).scene

    @property
    def _scene(self) -> Scene:
        """What a person is shown."""
        return self._picture.scene

    @cached_property
    def _outline(self) -> Scene:
        """What a person is shown by tools that lay out by themselves: which fold is clear is guessed, not measured."""
        return self._shown(measured=False).scene

    @cached_property
    def _picture(self) -> _Picture:
        return self._shown(measured=self.view.layout != "combined")

    def _shown(self, *, measured: bool) -> _Picture:
        from graphvis.picture.style import scene_of_both

        folds = self.view.fold or self.view.asked
        if not folds:
            self._refuse(_fewest_boxes(self.drawable))  # before the work that it would be
        folded = self._fold(self._width_of if measured else None) if folds else None
        if self.view.layout == "combined":
            picture = _Picture(scene_of_both(self.drawable, folded), self._lay_out)
        else:
            picture = self._picture_of(self.drawable if folded is None else folded.drawable)
        self._refuse(len(picture.scene.boxes))
        return picture

    def _fold(self, measure: Callable[[Drawable], float] | None) -> Folded[Drawable]:
        from graphvis.analysis.folding import Wishes, trace_fold

        view = self.view
        return trace_fold(self.drawable, Wishes(depth=view.depth, expand=view.expand, focus=view.focus), measure)

    def _width_of(self, shown: Drawable) -> float:
        picture = self._picture_of(shown)
        self._refuse(len(picture.scene.boxes))
        return picture.placement.width

    def _picture_of(self, shown: Drawable) -> _Picture:
        """The picture of the drawable, folded or not: what was measured is not laid out again."""
        from graphvis.picture.style import scene_of

        if id(shown) not in self._pictures:
            self._pictures[id(shown)] = shown, _Picture(scene_of(shown), self._lay_out)
        return self._pictures[id(shown)][1]

    def _refuse(self, boxes: int) -> None:
        if self.view.limit and boxes > MOST_BOXES:
            raise FormatError(
                f"the picture would have {boxes:,} boxes, more than a browser opens well",
                "Fold it (--fold, --depth N), look at a part (--focus NAME), save it with -f json, or insist"
                " (--no-limit).",
            )

    @property
    def _placement(self) -> Placement:
        return self._picture.placement

    def _lay_out(self, scene: Scene) -> Placement:
        from graphvis.picture import layout, measure

        boxes = len(scene.boxes)
        fewer = "" if boxes <= layout.FINE else " (depth or focus makes it fewer)"
        timeout = layout.TIMEOUT if self.view.limit else math.inf
        with telling(f"laying out {boxes:,} boxes{fewer}", None) as step:
            return layout.lay_out(measure.measure(scene), self.engine, timeout=timeout, told=step)


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
