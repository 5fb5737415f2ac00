"""Laying out: first freely, then again with ports where the first pass showed the links to run."""

from __future__ import annotations

from collections import defaultdict

from graphvis.picture.layout import engine as engines
from graphvis.picture.layout import source
from graphvis.picture.layout.placement import Placement
from graphvis.picture.layout.reading import read
from graphvis.picture.layout.source import Ports, Spacing
from graphvis.picture.measure import Measured

HALF = 360.0
MARGIN = 8.0
FINE = 300
"""Boxes up to which a layout is refined."""
_SPACINGS = (Spacing(24, 34), Spacing(16, 34), Spacing(11, 32))
_LEAST_APART = 24.0


def lay_out(measured: Measured, engine: str | None = None) -> Placement:
    """Place every box and link of a measured scene.

    The engine's room between boxes shrinks, within reason, where that makes a half fit 360.

    Args:
        measured: what :func:`graphvis.picture.measure.measure` returns.
        engine: as for :func:`graphvis.picture.layout.engine.run`.

    Raises:
        EngineError: where the engine is missing or does not do its work.
    """
    if not measured.scene.boxes:
        return Placement(0.0, 0.0, {}, {}, {})
    if len(measured.scene.boxes) > FINE:
        return _pass(measured, _SPACINGS[0], Ports(), engine)
    first: Placement | None = None
    for spacing in _SPACINGS:
        placement = _refine(measured, spacing, engine)
        if placement.width + 2 * MARGIN <= HALF:
            return placement
        first = first or placement
    assert first is not None
    return first


def _refine(measured: Measured, spacing: Spacing, engine: str | None) -> Placement:
    placement = _pass(measured, spacing, Ports(), engine)
    for _ in range(2):
        placement = _pass(measured, spacing, _ports(measured, placement), engine)
    return placement


def _pass(measured: Measured, spacing: Spacing, ports: Ports, engine: str | None) -> Placement:
    return read(engines.run(source.write(measured, spacing, ports), "json0", engine), measured)


def _ports(measured: Measured, placement: Placement) -> Ports:
    """Ports below the tail and above the head of each link, in the order in which the other ends stand."""
    links = measured.scene.links
    below: dict[str, list[int]] = defaultdict(list)
    above: dict[str, list[int]] = defaultdict(list)
    for i in source.touching(links):
        if i in placement.tracks:
            below[links[i].tail].append(i)
            above[links[i].head].append(i)
    leaving: dict[int, float] = {}
    entering: dict[int, float] = {}
    for box, indices in below.items():
        leaving |= _spread(box, [(_toward(placement, i, 1), i) for i in indices], measured, placement)
    for box, indices in above.items():
        entering |= _spread(box, [(_toward(placement, i, -2), i) for i in indices], measured, placement)
    return Ports(leaving, entering, _sides(measured, placement))


def _toward(placement: Placement, i: int, point: int) -> float:
    """Where the link heads for near one of its ends: a long one need not go straight to the other box."""
    points = placement.tracks[i].points
    return points[3][0] if point > 0 else points[-4][0]


def _spread(
    box: str, links: list[tuple[float, int]], measured: Measured, placement: Placement
) -> dict[int, float]:
    if len(links) == 1:
        return {links[0][1]: 0.0}
    place, size = placement.boxes[box], measured.sizes[box]
    reach = place.width * (0.32 if size.shape == "ellipse" else 0.42)
    apart = min(_LEAST_APART, 2 * reach / (len(links) - 1))
    ordered = sorted(links)
    offsets = [max(-reach, min(reach, x - place.x)) for x, _ in ordered]
    for k in range(1, len(offsets)):
        offsets[k] = max(offsets[k], offsets[k - 1] + apart)
    offsets[-1] = min(offsets[-1], reach)
    for k in range(len(offsets) - 2, -1, -1):
        offsets[k] = min(offsets[k], offsets[k + 1] - apart)
    return {i: offset for (_, i), offset in zip(ordered, offsets, strict=True)}


def _sides(measured: Measured, placement: Placement) -> dict[int, tuple[str, str]]:
    """The sides at which links of shared storage touch: facing ones for neighbours, else the outer one."""
    sides = {}
    for i, link in enumerate(measured.scene.links):
        if link.kind != "storage" or i not in placement.tracks:
            continue
        tail, head = placement.boxes[link.tail], placement.boxes[link.head]
        if tail.right < head.left and abs(tail.y - head.y) < (tail.height + head.height) / 2:
            sides[i] = ("e", "w")
        elif head.right < tail.left and abs(tail.y - head.y) < (tail.height + head.height) / 2:
            sides[i] = ("w", "e")
        else:
            right = head.right >= tail.right
            upper = "n" if head.y > tail.y else "s"
            sides[i] = ("e", upper + "e") if right else ("w", upper + "w")
    return sides
