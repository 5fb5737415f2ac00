"""Both halves as one graph, for formats that draw but one: what is there after, and, pale, what has gone."""

from __future__ import annotations

from typing import Literal

import msgspec

from graphvis.picture.scene import Box, Face, Link, Scene, Span, Wire

Fate = Literal["stays", "gone", "new"]
"""What became of a thing from before to after."""

WORDS: dict[Fate, str] = {"gone": "only before", "new": "only after"}


def fate_of(thing: Box | Link, half: int | None) -> Fate:
    """What became of a box or link; within one half nothing becomes of anything."""
    there = thing.faces if isinstance(thing, Box) else thing.wires
    if half is not None or len(there) == 1:
        return "stays"
    return "gone" if there[-1] is None else "new" if there[0] is None else "stays"


def fates_of(scene: Scene, half: int | None) -> tuple[Fate, ...]:
    """The fates other than staying that occur among boxes and links."""
    things: list[Box | Link] = [*scene.boxes, *scene.links]
    found = {fate_of(thing, half) for thing in things}
    return tuple(fate for fate in WORDS if fate in found)


def face_of(box: Box, half: int | None) -> Face | None:
    """The face in a half; for None the last one that is there, saying so where one of the halves has none."""
    if half is not None:
        return box.faces[half]
    face = next((face for face in reversed(box.faces) if face is not None), None)
    fate = fate_of(box, half)
    if face is None or fate == "stays":
        return face
    caption = face.caption if face.look == "start" else (*face.caption, Span(WORDS[fate]))
    return msgspec.structs.replace(face, pale=face.pale or fate == "gone", caption=caption)


def wire_of(link: Link, half: int | None) -> Wire | None:
    """The wire in a half; for None the last one that is there, without its gradient where it has gone."""
    if half is not None:
        return link.wires[half]
    wire = next((wire for wire in reversed(link.wires) if wire is not None), None)
    if wire is None or fate_of(link, half) != "gone":
        return wire
    return Wire(value="pale" if wire.value else None, tooltip=wire.tooltip)
