"""Laying out: first freely, then again with ports where the first pass showed the links to run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection

import msgspec

from graphvis.picture.layout import engine as engines
from graphvis.picture.layout import labels, ports, routing, source, squeezing, starts, storage
from graphvis.picture.layout.placement import Placement, Track, fit
from graphvis.picture.layout.presence import Presence, presence
from graphvis.picture.layout.reading import read
from graphvis.picture.layout.source import Ports, Spacing
from graphvis.picture.measure import Measured

Run = Callable[[str], bytes]
"""The engine: DOT in, its layout out."""

HALF = 360.0
MARGIN = 8.0
_ROOM = HALF - 2 * MARGIN
_HOPELESS = 2.0
"""Times the room that there is from which on no other spacing makes it fit: half of a width are boxes."""
FINE = 200
"""Boxes up to which a layout is refined."""
_FINE_LINKS = 400
"""Links likewise."""
_SPACINGS = (Spacing(24, 34), Spacing(16, 34), Spacing(11, 32))


def lay_out(
    measured: Measured,
    engine: str | None = None,
    *,
    timeout: float = engines.TIMEOUT,
    told: Callable[[int], None] | None = None,
) -> Placement:
    """Place every box and link of a measured scene.

    The engine's room between boxes shrinks, within reason, where that makes a half fit 360.

    Args:
        measured: what :func:`graphvis.picture.measure.measure` returns.
        engine: as for :func:`graphvis.picture.layout.engine.run`.
        timeout: as there, for each of at most ten runs.
        told: as there.

    Raises:
        EngineError: where the engine is missing or does not do its work.
    """
    if not measured.scene.boxes:
        return Placement(0.0, 0.0, {}, {}, {})
    there = presence(measured)
    run = functools.partial(engines.run, output="json0", engine=engine, timeout=timeout, told=told)
    if len(measured.scene.boxes) > FINE or len(measured.scene.links) > _FINE_LINKS:
        placement = _pass(measured, _SPACINGS[0], Ports(), run, measured.labels)
        placement = storage.lead_back(measured, placement, there)
        whole = labels.hold(measured, storage.connect(measured, placement, there))
        return fit(labels.name_frames(whole))
    loosest: Placement | None = None
    for spacing in _SPACINGS:
        placement = _refine(measured, there, spacing, run)
        if placement.width <= _ROOM:
            return placement
        loosest = loosest or placement
        if placement.width > _HOPELESS * _ROOM:
            break
    else:
        squeezed = _squeeze(measured, there, placement)
        if squeezed is not None and squeezed.width <= _ROOM:
            return squeezed
    assert loosest is not None
    wide = 2 * HALF - 2 * MARGIN
    if wide < loosest.width <= _HOPELESS * wide and len(measured.scene.halves) == 1:
        staggered = _refine(measured, there, _staggered(measured, loosest), run)
        if staggered.width <= wide:
            return staggered
    return loosest


def _staggered(measured: Measured, placement: Placement) -> Spacing:
    """Spacing by which every other box below the one that most links leave stands lower."""
    links = measured.scene.links
    leaving: dict[str, list[int]] = {}
    for i in source.touching(links):
        leaving.setdefault(links[i].tail, []).append(i)
    fan = max(leaving.values(), key=len)
    ordered = sorted(fan, key=lambda i: placement.boxes[links[i].head].x)
    return msgspec.structs.replace(_SPACINGS[0], longer=frozenset(ordered[1::2]))


def _refine(measured: Measured, there: Presence, spacing: Spacing, run: Run) -> Placement:
    """Two passes: the first shows where links run, the second lays out with ports there.

    A third makes room for labels where the second left none.
    """
    at = ports.choose(measured, _pass(measured, spacing, Ports(), run), there)
    placement, homeless = _finish(measured, there, _pass(measured, spacing, at, run))
    if homeless:
        placement, _ = _finish(measured, there, _pass(measured, spacing, at, run, homeless), last=True)
    return placement


def _finish(
    measured: Measured, there: Presence, placement: Placement, last: bool = False
) -> tuple[Placement, set[int]]:
    """Everything that is ours: ports, ways, labels, dotted lines, the width; the `last` time no label stays without."""
    reserved = {i: track for i, track in placement.tracks.items() if track.label is not None}
    routed = routing.route(measured, placement, ports.choose(measured, placement, there), there)
    own = {i: Track(track.points) for i, track in routed.tracks.items()}
    settled = starts.settle(measured, msgspec.structs.replace(routed, tracks=own), there)
    settled = storage.lead_back(measured, settled, there)
    labelled, homeless = labels.put(measured, settled, there, _ROOM)
    back = [i for i, link in enumerate(measured.scene.links) if link.returns]
    if homeless.intersection(back):
        far = storage.lead_far_back(measured, labelled, there, back)
        labelled, homeless = labels.put(measured, far, there, _ROOM)
    if last:
        labelled = labels.crowd(measured, labelled, there, homeless, reserved)
    whole = storage.connect(measured, labelled, there)
    return fit(labels.name_frames(labels.hold(measured, whole))), homeless


def _squeeze(measured: Measured, there: Presence, placement: Placement) -> Placement | None:
    narrow = squeezing.squeeze(placement, _ROOM)
    if narrow is None:
        return None
    bare = {i: Track(track.points) for i, track in narrow.tracks.items() if not measured.scene.links[i].beside}
    finished, homeless = _finish(measured, there, msgspec.structs.replace(narrow, tracks=bare))
    return None if homeless else finished


def _pass(measured: Measured, spacing: Spacing, at: Ports, run: Run, reserved: Collection[int] = ()) -> Placement:
    try:
        return read(run(source.write(measured, spacing, at, reserved)), measured)
    except engines.Stumbled:
        # The search for splines fails now and then ("source point not in any triangle"), whatever their kind. Boxes
        # stand before it begins, most ways are ours, and right angles are found without it.
        angular = source.write(measured, spacing, at, reserved, splines="ortho")
        return read(run(angular), measured)
