"""Points and rectangles, y downwards, in SVG units."""

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
        """X of the left side."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """X of the right side."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """Y of the upper side."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """Y of the lower side."""
        return self.y + self.height / 2
