"""The boxes and links of a picture."""

from __future__ import annotations

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
            faces=looks,
            state=comparison.nodes[place].state,
            sheets=faces.sheets(place),
            cluster=clusters.get(-1 if (after := comparison.nodes[place].after) is None else after, ""),
        )
        for place in range(len(comparison.nodes))
        if any(looks := faces.of(place))
    ]
    starts = _starts(comparison, sides) if started else {}
    boxes += [
        Box(id=box, faces=tuple(Face(look="start", heading=heading) if heading else None for heading in headings))
        for box, (_, headings) in starts.items()
    ]
    return tuple(boxes), links_of(comparison, sides, {box: root for box, (root, _) in starts.items()})


def _starts(comparison: Comparison, sides: tuple[Side, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """For each start box the id of the box it starts at, and its words in each half."""
    found: dict[str, list[str]] = {}
    for number, side in enumerate(sides):
        places = {indices(pair, len(sides))[number]: place for place, pair in enumerate(comparison.nodes)}
        for root in side.graph.roots:
            box = f"n{places[standing(side, root)]}"
            found.setdefault(box, [""] * len(sides))[number] = side.moment.start
    return {f"s{box[1:]}": (box, tuple(headings)) for box, headings in found.items()}
