"""The colours of the grammar, light and dark.

A picture is drawn in the light values; its style sheet maps each to its dark partner. So no two
entries may share a light value and differ in the dark one.
"""

from __future__ import annotations

from typing import Literal

Theme = Literal["auto", "light", "dark"]

PAGE = "#ffffff"
STRIP = "#f6f8fa"
FRAME = "#d1d9e0"
INK = "#1f2328"
MUTED = "#57606a"
VALUE = "#6b7480"
GRADIENT = "#0b5cad"
LEAF_GROUND = "#e1eefb"
FUNCTION_GROUND = "#eef0f2"
RED = "#b42f0e"
RED_GROUND = "#fdeae4"
CHANGED_GROUND = "#ffeaa7"
PALE = "#8a939c"
PALE_INK = "#68717b"

DARK = {
    PAGE: "#0d1117",
    STRIP: "#161b22",
    FRAME: "#3d444d",
    INK: "#e6edf3",
    MUTED: "#9aa5b1",
    VALUE: "#939daa",
    GRADIENT: "#6cb6ff",
    LEAF_GROUND: "#10294a",
    FUNCTION_GROUND: "#222932",
    RED: "#ff9174",
    RED_GROUND: "#43180d",
    CHANGED_GROUND: "#5a4300",
    PALE: "#6d7681",
    PALE_INK: "#8d97a3",
}


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two six-digit colours as WCAG 2 defines it: 1.0 to 21.0."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
