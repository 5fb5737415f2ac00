"""The one thin base of everything that can be drawn."""

from __future__ import annotations

import os
from typing import Any, Literal, Unpack

from graphvis.model.document import Document
from graphvis.model.view import View, ViewOptions

Theme = Literal["auto", "light", "dark"]


class Drawable(Document, frozen=True, kw_only=True):
    """A document that can show itself.

    The methods hand over to :mod:`graphvis.draw` by a late import, the only one that leads out of
    ``model`` (and the contract's single exception): data must not know how it is drawn, but a
    person who holds a graph expects ``graph.to_svg()``.
    """

    def to_dot(self, **view: Unpack[ViewOptions]) -> str:
        """This in Graphviz's DOT language, one statement a line; whole, unless a folding is asked for.

        Args:
            view: what to show, see :class:`~graphvis.model.view.View`.
        """
        from graphvis import draw

        return draw.to_dot(self, view=View(**view))

    def to_svg(
        self, *, theme: Theme = "auto", engine: str | None = None, narrow: bool = False, **view: Unpack[ViewOptions]
    ) -> str:
        """This as one SVG document.

        Args:
            theme: ``auto`` follows the reader's ``prefers-color-scheme``.
            engine: None for the embedded layout engine, ``"dot"`` for the system's.
            narrow: 360 px wide with the halves stacked, for phones.
            view: what to show: ``fold``, ``depth``, ``expand``, ``focus``, ``limit``; see
                :class:`~graphvis.model.view.View`.

        Raises:
            EngineError: if the layout engine is missing or fails.
            FormatError: if the picture would be too big to open.
        """
        from graphvis import draw

        return draw.to_svg(self, theme=theme, engine=engine, narrow=narrow, view=View(**view))

    def to_mermaid(self, **view: Unpack[ViewOptions]) -> str:
        """This as a Mermaid flowchart; `view` as in :meth:`to_svg`."""
        from graphvis import draw

        return draw.to_mermaid(self, view=View(**view))

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        theme: Theme = "auto",
        engine: str | None = None,
        **view: Unpack[ViewOptions],
    ) -> None:
        """Write this to `path`, in the format of its suffix: svg dot png pdf json html mmd.

        The file is replaced whole or not at all. JSON holds all of it, whatever the view.

        Raises:
            FormatError: if the suffix is none of these, or its format needs an extra, or the picture
                would be too big to open.
            OutputError: if the file cannot be written.
            EngineError: if the layout engine is missing or fails.
        """
        from graphvis import draw

        draw.save(self, path, theme=theme, engine=engine, view=View(**view))

    def _told(self) -> str:
        """This as a report; here and not with the diagnosis, so that one place alone knows of drawing."""
        from graphvis import draw

        return draw.to_report(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None, **_: Any) -> dict[str, str]:
        """What a notebook shows (IPython's display protocol)."""
        return {"image/svg+xml": self.to_svg(), "text/plain": repr(self)}
