"""Of alike modules the first stands for all: what is chosen is chosen among as few units as there is to show."""

from __future__ import annotations

from graphvis.analysis.folding.alike import Alike
from graphvis.analysis.folding.applying import Repeats, Station
from graphvis.analysis.folding.tree import ROOT, Modules
from graphvis.analysis.folding.whole import Whole


class Exemplars:
    """Which unit stands for which, and how values pass between them. All ways to fold a graph share it.

    Args:
        whole: the units.
        modules: their modules.
        alike: compares modules.

    Attributes:
        of: for each unit the one that stands for it: itself, where it stands for others or for none.
        links: ``(unit, unit)`` for each way from one that stands for others to the next, once; a link that leads from
            one of alike modules to another is left out, or drawn within the first already.
        seats, stations: see :class:`~graphvis.analysis.folding.applying.Folding`; `stations` by module.
    """

    def __init__(self, whole: Whole, modules: Modules, alike: Alike) -> None:
        self.of = list(range(len(whole.units)))
        self.seats: list[Station] = [()]
        self.stations = [0] * len(modules.paths)
        self._seat(modules, alike)
        self.links = self._linked(whole, modules)

    def _seat(self, modules: Modules, alike: Alike) -> None:
        twins: list[tuple[list[int], list[int]]] = []
        stack: list[tuple[int, Station]] = [(ROOT, ())]
        while stack:
            module, station = stack.pop()
            for row in alike.rows(modules.children[module]):
                first = row[0]
                stack.append((first, (*station, (first, 0)) if len(row) > 1 else station))
                for place, member in enumerate(row if len(row) > 1 else ()):
                    self.seats.append((*station, (first, place)))
                    for one in modules.inside(member):
                        self.stations[one] = len(self.seats) - 1
                    if place:
                        twins.append((alike.members(first), alike.members(member)))
        for exemplar, members in reversed(twins):  # rows within a row come first
            for twin, unit in zip(exemplar, members, strict=True):
                self.of[unit] = self.of[twin]

    def _linked(self, whole: Whole, modules: Modules) -> list[tuple[int, int]]:
        of, between = self.of, Repeats(self.seats).between
        at = [self.stations[home] for home in modules.homes]
        again = [any(place for _, place in station) for station in self.seats]
        found: dict[tuple[int, int], None] = {}
        for unit, inputs in enumerate(whole.inputs):
            here, station = of[unit], at[unit]
            for one in inputs:
                if one < 0:
                    continue
                other = at[one]
                if not (again[station] if station == other else between(station, other)):
                    found[of[one], here] = None
        return [link for link in found if link[0] != link[1]]
