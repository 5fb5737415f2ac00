"""The small drawings: scissors, octagon, check mark, empty-set sign, arrow heads."""

from __future__ import annotations

import math

from graphvis.picture import palette
from graphvis.picture.curves import number
from graphvis.picture.layout import Point
from graphvis.picture.svg.element import Element, child, group


def scissors(parent: Element, at: Point, along: Point) -> None:
    """Scissors across the lane that passes `at`, their handles on the side away from the value lane.

    The tips reach 4.3 beyond the lane; the value lane begins 6.6 away.
    """
    angle = math.degrees(math.atan2(-along[0], along[1]))
    made = group(
        parent, "scissors", transform=f"translate({number(at[0])} {number(at[1])}) rotate({number(angle)})",
        fill="none", stroke=palette.RED, stroke_width="1.7", stroke_linecap="round",
    )  # fmt: skip
    made.tail = None
    child(made, "circle", cx="12.6", cy="-4.9", r="2.9")
    child(made, "circle", cx="12.6", cy="4.9", r="2.9")
    child(made, "path", d="M10.1-3.4L-3.4 3.9M10.1 3.4L-3.4-3.9")


def octagon(parent: Element, x: float, y: float, scale: float = 1.0) -> None:
    """A red octagon with an exclamation mark, 16 wide, by its top left corner."""
    shrink = "" if scale == 1.0 else f" scale({number(scale)})"
    made = group(parent, "warning", transform=f"translate({number(x)} {number(y)}){shrink}")
    made.tail = None
    child(made, "path", d="M5 0h6l5 5v6l-5 5h-6l-5-5v-6z", fill=palette.RED)
    mark = child(made, "path", d="M8 3.6v5.2M8 12v.1", stroke=palette.PAGE, stroke_width="2.2", fill="none")
    mark.set("stroke-linecap", "round")


def check_mark(parent: Element, x: float, y: float) -> None:
    """A check mark, 16 wide, by its top left corner."""
    child(
        parent, "path", d=f"M{number(x + 1)} {number(y + 8.5)}l4.5 5L{number(x + 15)} {number(y + 2)}", fill="none",
        stroke=palette.GRADIENT, stroke_width="2.4", stroke_linecap="round", stroke_linejoin="round",
    )  # fmt: skip


def none_sign(parent: Element, foot: Point, up: Point) -> None:
    """A stub that rises from a consumer's slot and ends in an empty-set sign: nothing is there.

    The sign stands a little away from the value lane at its left.
    """
    x, y = foot[0] - 2.2 * up[1], foot[1] + 2.2 * up[0]
    neck = (x + up[0] * 9, y + up[1] * 9)
    middle = (x + up[0] * 14.4, y + up[1] * 14.4)
    made = group(parent, "none", fill="none", stroke=palette.RED, stroke_width="2", stroke_linecap="round")
    made.tail = None
    child(made, "path", d=f"M{number(x)} {number(y)}L{number(neck[0])} {number(neck[1])}")
    child(made, "circle", cx=middle[0], cy=middle[1], r="5.4", fill=palette.PAGE)
    child(made, "path", d=f"M{number(middle[0] - 5.4)} {number(middle[1] + 5.4)}l10.8-10.8")


def head(
    parent: Element, tip: Point, along: Point, colour: str, size: tuple[float, float], hollow: bool = False
) -> None:
    """An arrow head: `size` is its length and half its width."""
    long, half = size
    base = (tip[0] - along[0] * long, tip[1] - along[1] * long)
    left = (base[0] + along[1] * half, base[1] - along[0] * half)
    right = (base[0] - along[1] * half, base[1] + along[0] * half)
    points = " ".join(f"{number(x)},{number(y)}" for x, y in (left, tip, right))
    child(parent, "polygon", points=points, fill=palette.PAGE if hollow else colour, stroke=colour if hollow else None)
