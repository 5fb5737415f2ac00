"""What is shown, in which words, before anyone knows where: the representation between style and writers.

A scene holds every box and link once, with one face or wire for each half of the picture, so that
a box has the same place and the same size in all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

from graphvis.model.comparison import State

Look = Literal["leaf", "tensor", "constant", "function", "conflict", "module", "start"]
Mark = Literal["plain", "changed", "bad"]
ValueLane = Literal["flow", "pale"]
GradientLane = Literal["flow", "cut", "never", "stub"]


class Row(msgspec.Struct, frozen=True):
    """One line of a box: a label at the left, a value at the right.

    Attributes:
        label: e.g. ``_version``; empty for a value that stands alone at the left.
        value: e.g. ``0 → 1``.
        mark: ``changed`` for yellow ground and bar, ``bad`` for red.
    """

    label: str
    value: str
    mark: Mark = "plain"


class Span(msgspec.Struct, frozen=True):
    """A piece of an ellipse's second line.

    Attributes:
        text: the words.
        mark: ``bad`` for red and bold.
    """

    text: str
    mark: Mark = "plain"


class Face(msgspec.Struct, frozen=True, kw_only=True):
    """How a box looks in one half.

    Attributes:
        look: which row of the grammar it is drawn by.
        pale: whether the gradient cannot reach it; `caption` or a row must then say so.
        heading: the name, in bold mono.
        aside: what stands at the right of the heading of a rectangle, e.g. ``leaf, [3]``.
        rows: the lines of a rectangle.
        caption: the second line of an ellipse or rounded box, in pieces.
        badge: whether the octagon with the exclamation mark sits on its corner.
        tooltip: the source line, or what else a reader wants to know of it.
    """

    look: Look
    pale: bool = False
    heading: str = ""
    aside: str = ""
    rows: tuple[Row, ...] = ()
    caption: tuple[Span, ...] = ()
    badge: bool = False
    tooltip: str = ""


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """Something with a place.

    Attributes:
        id: ``n3``; the same in every picture of one comparison.
        faces: one for each half; None where it is not there.
        state: its state in the union, for writers of a single graph.
        sheets: how many more sheets stand behind it, for a fold.
        cluster: the frame that it stands in, a dotted module path; empty for none.
    """

    id: str
    faces: tuple[Face | None, ...]
    state: State = "kept"
    sheets: int = 0
    cluster: str = ""


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """How a link looks in one half.

    Attributes:
        value: the lane that goes down; None where no trace knows it.
        gradient: the lane that comes up: ``flow``; ``cut`` with scissors; ``never`` where the
            gradient does not arrive though the edge is there, or was; ``stub`` where the consumer's
            slot holds None; None where there is none to speak of.
        label: what cut it, in at most two lines: ``detach()``, ``demo.py:3``.
        slot: the consumer's slot, for a stub.
        tooltip: as in :class:`Face`.
    """

    value: ValueLane | None = None
    gradient: GradientLane | None = None
    label: tuple[str, ...] = ()
    slot: int | None = None
    tooltip: str = ""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Two boxes that belong together; the tail stands above the head.

    Attributes:
        tail: id of the box that the value comes from.
        head: id of the box that it goes to.
        kind: ``lanes`` for value and gradient, ``storage`` for shared storage (does not rank), ``saved`` for what a
            call keeps for its backward node (does not rank either),
            ``start`` for the arrow from ``.backward()`` (tail: the output, head: the start box).
        wires: one for each half; None where it is not there.
        state: its state in the union.
        returns: whether it leads from the end of a loop's round, drawn once for many, to the beginning of the next.
    """

    tail: str
    head: str
    kind: Literal["lanes", "storage", "saved", "start"] = "lanes"
    wires: tuple[Wire | None, ...]
    state: State = "kept"
    returns: bool = False

    @property
    def dotted(self) -> bool:
        """Whether it is but a dotted line."""
        return self.kind in ("storage", "saved")

    @property
    def beside(self) -> bool:
        """Whether it runs beside the graph, laid after all else, and does not say which box stands above."""
        return self.dotted or self.returns


class Line(msgspec.Struct, frozen=True):
    """A paragraph of a strip, wrapped when it is measured.

    Attributes:
        text: the words.
        mono: whether it is PyTorch's own, in mono.
    """

    text: str
    mono: bool = False


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome below a half.

    Attributes:
        good: a check mark on grey, or an octagon on red.
        headline: e.g. ``a.grad = [0.1966, 0.1050, 0.0452]`` or ``backward() raises``.
        lines: what follows.
    """

    good: bool
    headline: str
    lines: tuple[Line, ...] = ()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a finding.

    Attributes:
        text: the words; prose and notes are wrapped, the rest is shortened in the middle.
        kind: ``prose``; ``note``, muted; ``code``, a line of source; ``group``, the bold head of
            items; ``item``, e.g. a parameter's name.
        aside: what stands at the right of an item (its shape), or the number of a line of source.
        span: first and last column (from 0, the last one excluded) of what a line of source is
            shown for; it is set in bold with a red line below. None for the lines around it.
    """

    text: str
    kind: Literal["prose", "note", "code", "group", "item"] = "prose"
    aside: str = ""
    span: tuple[int, int] | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A paragraph beside the graph of a diagnosis.

    Attributes:
        heading: e.g. ``What it cost``.
        bad: whether it is the trouble itself: a red card.
        entries: its lines.
    """

    heading: str
    bad: bool = False
    entries: tuple[Entry, ...] = ()


class Half(msgspec.Struct, frozen=True, kw_only=True):
    """One half's words.

    Attributes:
        title: ``BEFORE``, ``AFTER``; empty for a picture of one graph.
        code: the code that sets it apart, one line an entry; may be empty.
        note: one line about the code.
        strip: the outcome; None where nobody asked for one.
    """

    title: str = ""
    code: tuple[str, ...] = ()
    note: str = ""
    strip: Strip | None = None


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A whole picture.

    Attributes:
        name: fit for a file name and for ids.
        title: the finding; empty for a plain graph, which gets no title bar.
        description: the finding for a reader who cannot see the picture.
        halves: one or two.
        boxes: in the order in which they are laid out.
        links: the same.
        findings: what stands beside the graph, for a diagnosis; only where there is one half.
        metadata: JSON that is kept in the file so that it can be checked later; empty for none.
    """

    name: str
    title: str = ""
    description: str = ""
    halves: tuple[Half, ...]
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    findings: tuple[Finding, ...] = ()
    metadata: str = ""


def frame_name(path: str, frames: Collection[str]) -> str:
    """What a frame is called inside the innermost of `frames` around it: ``attn`` in ``h.0``."""
    around = path
    while "." in around:
        around = around.rpartition(".")[0]
        if around in frames:
            return path[len(around) + 1 :]
    return path
