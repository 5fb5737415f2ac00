"""How much of a drawable is shown."""

from __future__ import annotations

from typing import Literal, TypedDict

import msgspec

MOST_BOXES = 4_000
"""Boxes up to which a picture is drawn unasked: above it browsers open the SVG slowly, and nobody reads it."""


Layout = Literal["graph", "combined"]


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of a drawable is shown.

    Attributes:
        fold: whether modules, repeated blocks and rows of functions become one box each where a picture would else
            have more boxes than a person takes in at a glance.
        depth: open all modules down to this depth; None to choose by the size.
        expand: globs of module paths that are open whatever the size, e.g. ``h.3`` or ``h.*.attn``.
        focus: the name of a node or module: it, its neighbourhood, the way to the output and to the parameters.
        layout: ``graph``; or ``combined``: each forward call beside its backward node, with what is kept between them.
        limit: whether a picture of more than ``MOST_BOXES`` boxes is refused.
    """

    fold: bool = True
    depth: int | None = None
    expand: tuple[str, ...] = ()
    focus: str | None = None
    layout: Layout = "graph"
    limit: bool = True

    @property
    def asked(self) -> bool:
        """Whether somebody asked for a certain folding."""
        return self.depth is not None or bool(self.expand) or self.focus is not None


class ViewOptions(TypedDict, total=False):
    """The attributes of a :class:`View` as keyword arguments."""

    fold: bool
    depth: int | None
    expand: tuple[str, ...]
    focus: str | None
    layout: Layout
    limit: bool
