"""torchviz's own drawing of a scenario's moments, for docs that have its look."""

from __future__ import annotations

import re
import warnings

import torch
from torchviz import make_dot

from graphvis.live.moments.program import stops_of
from graphvis.scenario import Scenario

_STATEMENT = re.compile(r"^\t(\d+)(?: -> (\d+))?", re.MULTILINE)


def torchviz_sources(scenario: Scenario) -> dict[str, str]:
    """What ``torchviz.make_dot`` makes of each moment.

    Its node names are addresses, which differ from run to run; they are numbered here in order of appearance. Its
    font, ``monospace``, has no metrics in Graphviz, and text would leave its box; Courier has. Nothing else is changed.

    Args:
        scenario: what to run.

    Returns:
        DOT source by side, ``before`` and ``after``.

    Raises:
        ScenarioError: as :func:`~graphvis.live.moments.run_scenario` does, but expectations are not checked.
    """
    found: dict[str, str] = {}
    for stop in stops_of(scenario):
        names = {name: tensor for name, tensor in stop.tensors.items() if tensor.requires_grad or tensor.is_leaf}
        with torch._C.DisableTorchFunction(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = make_dot(tuple(stop.outputs), params=names).source
        found[stop.marker.side] = _numbered(source)
    return found


def _numbered(source: str) -> str:
    numbers: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        ends = [numbers.setdefault(end, f"n{len(numbers)}") for end in match.groups() if end]
        return "\t" + " -> ".join(ends)

    return _STATEMENT.sub(renamed, source).replace("fontname=monospace", "fontname=Courier")
