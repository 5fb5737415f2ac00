"""Laying out: first freely, then again with ports where the first pass showed the links to run."""

from __future__ import annotations

from graphvis.picture.layout import engine as engines
from graphvis.picture.layout import ports, source, storage
from graphvis.picture.layout.placement import Placement
from graphvis.picture.layout.reading import read
from graphvis.picture.layout.source import Ports, Spacing
from graphvis.picture.measure import Measured

HALF = 360.0
MARGIN = 8.0
FINE = 300
"""Boxes up to which a layout is refined."""
_SPACINGS = (Spacing(24, 34), Spacing(16, 34), Spacing(11, 32))


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
        return storage.connect(measured, _pass(measured, _SPACINGS[0], Ports(), engine))
    first: Placement | None = None
    for spacing in _SPACINGS:
        placement = _refine(measured, spacing, engine)
        if placement.width + 2 * MARGIN <= HALF:
            return placement
        first = first or placement
    assert first is not None
    return first


def _refine(measured: Measured, spacing: Spacing, engine: str | None) -> Placement:
    """Two passes: the first shows where links run, the second lays out with ports there."""
    found = ports.choose(measured, _pass(measured, spacing, Ports(), engine))
    placement = _pass(measured, spacing, found, engine)
    return storage.connect(measured, ports.straighten(measured, placement, found))


def _pass(measured: Measured, spacing: Spacing, at: Ports, engine: str | None) -> Placement:
    return read(engines.run(source.write(measured, spacing, at), "json0", engine), measured)
