"""A graph at a point of a program, and what backward gives there."""

from __future__ import annotations

import msgspec

from graphvis.model.drawable import Drawable
from graphvis.model.graph import Graph
from graphvis.model.location import Location


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What backward gives at a moment.

    Attributes:
        grads: the gradient of each named leaf as PyTorch prints it at 4 digits; None where the
            leaf gets none. Empty where backward raises.
        error: PyTorch's message, whole; None where backward succeeds.
        error_type: the name of the exception's class; None where backward succeeds.
        passed: the gradient edges (indices into the graph's columns) along which backward handed on
            a gradient that is not None; None where nobody looked.
        wrong: leaves whose gradient is silently wrong, with the right one: only what a run without the in-place write
            has shown to differ.
    """

    grads: dict[str, str | None] = {}
    error: str | None = None
    error_type: str | None = None
    passed: tuple[int, ...] | None = None
    wrong: dict[str, str] = {}


class Moment(Drawable, frozen=True, kw_only=True, tag="graphvis/moment/1"):
    """A graph with the code that led to it and what backward gives there.

    Attributes:
        graph: the walk, joined with the value lane where the run was recorded.
        code: the lines that set this moment apart, as source; empty where there are none.
        note: one line about the code, e.g. ``line 4: an in-place write through c``.
        says: what the author says of the outcome; empty to let the outcome speak.
        location: the line of the moment.
        outcome: what backward gives; None where nobody asked.
        shows: for each tensor by name the fields that carry the lesson, in PyTorch's spelling
            (``is_leaf``, ``_version``, ...); shown even where they do not change.
        intended: whether a gradient that does not come is what the author wants.
        start: how backward is started, e.g. ``.backward()`` or ``loss.backward()``.
    """

    graph: Graph
    code: str = ""
    note: str = ""
    says: str = ""
    location: Location | None = None
    outcome: Outcome | None = None
    shows: dict[str, tuple[str, ...]] = {}
    intended: bool = False
    start: str = ".backward()"
