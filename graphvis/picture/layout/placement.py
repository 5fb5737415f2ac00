"""Where everything is, y downwards, in SVG units from the top left of one half's graph."""

from __future__ import annotations

import msgspec

Point = tuple[float, float]


class Place(msgspec.Struct, frozen=True):
    """A rectangle by its middle.

    Attributes:
        x: of the middle.
        y: of the middle.
        width: whole width.
        height: whole height.
    """

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """x of the left side."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """x of the right side."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """y of the upper side."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """y of the lower side."""
        return self.y + self.height / 2


class Track(msgspec.Struct, frozen=True):
    """The way of a link, from tail to head.

    Attributes:
        points: of cubic Bézier pieces: 1 + 3 n.
        label: the room for its label; None where it has none.
    """

    points: tuple[Point, ...]
    label: Place | None = None


class Placement(msgspec.Struct, frozen=True):
    """One layout, which all halves share.

    Attributes:
        width: of the graph, without margin.
        height: likewise.
        boxes: by box id.
        tracks: by index into the scene's links; absent where a link joins a box with itself or none.
        frames: by cluster.
    """

    width: float
    height: float
    boxes: dict[str, Place]
    tracks: dict[int, Track]
    frames: dict[str, Place]
