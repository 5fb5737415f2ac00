"""The boxes and links of a picture."""

from __future__ import annotations

import msgspec

from graphvis.model import Comparison
from graphvis.picture.scene import Box, Face, Link
from graphvis.picture.style.faces import Faces, indices
from graphvis.picture.style.links import links_of
from graphvis.picture.style.side import Side, standing


def picture_of(
    comparison: Comparison, sides: tuple[Side, ...], *, started: bool
) -> tuple[tuple[Box, ...], tuple[Link, ...]]:
    """Boxes and links, with one face or wire for each side.

    Args:
        comparison: what is drawn.
        sides: its moments, before first.
        started: whether the arrow from ``.backward()`` is drawn.
    """
    faces = Faces(comparison, sides)
    clusters = comparison.after.graph.clusters
    boxes = [
        Box(
            id=f"n{place}",
            faces=looks if not cluster else tuple(_within(cluster, face) for face in looks),
            state=comparison.nodes[place].state,
            sheets=faces.sheets(place),
            cluster=cluster,
        )
        for place, pair in enumerate(comparison.nodes)
        if any(looks := faces.of(place))
        for cluster in (clusters.get(-1 if pair.after is None else pair.after, ""),)
    ]
    starts = _starts(comparison, sides) if started else {}
    boxes += [
        Box(id=box, faces=tuple(Face(look="start", heading=heading) if heading else None for heading in headings))
        for box, (_, headings) in starts.items()
    ]
    return tuple(boxes), links_of(comparison, sides, {box: root for box, (root, _) in starts.items()})


def _within(frame: str, face: Face | None) -> Face | None:
    """A tensor's face in the frame of its module, whose path its name need not repeat."""
    if face is None or face.look not in ("leaf", "tensor", "constant"):
        return face
    found = f".{face.heading}".rfind(f".{frame}.")
    return face if found < 0 else msgspec.structs.replace(face, heading=face.heading[found + len(frame) + 1 :])


def _starts(comparison: Comparison, sides: tuple[Side, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """For each start box the id of the box it starts at, and its words in each half."""
    found: dict[str, list[str]] = {}
    for number, side in enumerate(sides):
        places = {indices(pair, len(sides))[number]: place for place, pair in enumerate(comparison.nodes)}
        for root in side.graph.roots:
            box = f"n{places[standing(side, root)]}"
            found.setdefault(box, [""] * len(sides))[number] = side.moment.start
    return {f"s{box[1:]}": (box, tuple(headings)) for box, headings in found.items()}
