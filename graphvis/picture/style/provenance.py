"""What a picture keeps of the graph it was made from, so that it can be checked later."""

from __future__ import annotations

from typing import Any

import msgspec

from graphvis.model import Comparison, Pair, PairEdge
from graphvis.version import __version__


def provenance(comparison: Comparison) -> str:
    """Versions and structure as JSON: enough to say in words what has changed since.

    ``nodes`` are ``[kind, name, state]`` in the union's order; ``edges`` ``[lane, source, slot,
    target, state]`` with the target None for a slot that holds None.
    """
    moments = {"before": comparison.before, "after": comparison.after}
    places = {side: {getattr(pair, side): place for place, pair in enumerate(comparison.nodes)} for side in moments}

    def node(pair: Pair) -> list[Any]:
        side = "after" if pair.before is None else "before"
        moment, index = moments[side], getattr(pair, side)
        return [] if moment is None else [moment.graph.kinds[index], moment.graph.names[index], pair.state]

    def edge(pair: PairEdge) -> list[Any]:
        side = "after" if pair.before is None else "before"
        moment = moments[side]
        if moment is None:
            return []
        found = moment.graph.edges[getattr(pair, side)]
        target = None if found.target is None else places[side][found.target]
        return [found.lane, places[side][found.source], found.slot, target, pair.state]

    return msgspec.json.encode(
        {
            "schema": "graphvis/provenance/1",
            "graphvis": __version__,
            "torch": comparison.after.graph.torch,
            "matching": comparison.matching,
            "nodes": [node(pair) for pair in comparison.nodes],
            "edges": [edge(pair) for pair in comparison.edges],
        }
    ).decode()
