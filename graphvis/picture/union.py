"""Which face and wire stand for both halves where a format draws but one graph."""

from __future__ import annotations

from graphvis.picture.scene import Box, Face, Link, Wire


def face_of(box: Box, half: int | None) -> Face | None:
    """The face in a half; for None the last one that is there."""
    if half is not None:
        return box.faces[half]
    return next((face for face in reversed(box.faces) if face is not None), None)


def wire_of(link: Link, half: int | None) -> Wire | None:
    """The wire in a half; for None the last one that is there."""
    if half is not None:
        return link.wires[half]
    return next((wire for wire in reversed(link.wires) if wire is not None), None)
