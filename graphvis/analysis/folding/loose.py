"""The units of one open module that lie in no module inside it, in groups."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby, pairwise

from graphvis.analysis.folding.tree import Modules
from graphvis.analysis.folding.whole import NEUTRAL, Whole
from graphvis.analysis.folding.words import is_silent

Group = list[int]

_FEW_LEAVES = 4
"""Leaves of one module that are shown one by one."""
_MANY_RUNS = 40
"""Groups of functions in one module above which neighbours are put together."""
_PARTS = 12


class Loose:
    """Finds rows of functions with one consumer each.

    Args:
        whole: the units.
        modules: their modules.
    """

    def __init__(self, whole: Whole, modules: Modules) -> None:
        self._whole = whole
        self._modules = modules
        self._known: dict[int, list[Group]] = {}
        self._consumers = whole.consumers
        self._cut = set(whole.cuts)
        self._alone = whole.held | {unit for ends in whole.cuts for unit in ends}

    def groups(self, module: int) -> list[Group]:
        """The groups of one module's own units."""
        if module not in self._known:
            units, kinds = self._modules.own[module], self._whole.kinds
            runs = self._runs([unit for unit in units if kinds[unit] == "function"])
            if len(runs) > _MANY_RUNS:
                runs = self._parts(runs, _PARTS)
            self._known[module] = [*runs, *self._parameters([u for u in units if kinds[u] != "function"], runs)]
        return self._known[module]

    def split(self, group: Group, most: int) -> list[Group]:
        """A group in at most `most` smaller ones, in forward order; itself where it is one thing.

        A part falls into runs; a run before each function that takes a parameter; what takes one, into operations.
        """
        functions = [unit for unit in group if self._whole.kinds[unit] == "function"]
        others = [unit for unit in group if self._whole.kinds[unit] != "function"]
        pieces = self._runs(functions)
        if len(pieces) == 1:
            pieces = self._layers(functions)
        if len(pieces) == 1:
            pieces = self._operations(functions)
            if len(pieces) > most:
                pieces = self._repeated(pieces)
        if len(pieces) > most:
            pieces = self._parts(pieces, most)
        return [*pieces, *self._parameters(others, pieces)] if 1 < len(pieces) <= most else [group]

    def _runs(self, functions: Sequence[int]) -> list[Group]:
        whole, homes = self._whole, self._modules.homes
        classes = whole.classes
        group: dict[int, int] = {}
        members: dict[int, Group] = {}
        kind: dict[int, int] = {}
        for unit in reversed(functions):  # consumers first
            into = self._consumers[unit]
            joined = -1
            if into >= 0 and into in group and homes[into] == homes[unit] and self._may_join(unit, into):
                target = group[into]
                if NEUTRAL in (classes[unit], kind[target]) or classes[unit] == kind[target]:
                    joined = target
            if joined < 0:
                joined = unit
                members[unit] = []
                kind[unit] = NEUTRAL
            group[unit] = joined
            members[joined].append(unit)
            kind[joined] |= classes[unit]
        return [found[::-1] for found in reversed(members.values())]

    def _may_join(self, unit: int, into: int) -> bool:
        held = self._whole.held
        return unit not in held and into not in held and (unit, into) not in self._cut

    def _layers(self, run: Sequence[int]) -> list[Group]:
        """A run in pieces that begin where parameters come in."""
        kinds, inputs = self._whole.kinds, self._whole.inputs
        pieces: list[Group] = [[]]
        begun = False
        for unit in run:
            takes = any(one >= 0 and kinds[one] == "leaf" for one in inputs[unit])
            if takes and begun:
                pieces.append([])
                begun = False
            pieces[-1].append(unit)
            begun = begun or len(inputs[unit]) > 1 or not takes  # what only reshapes a parameter begins nothing
        return pieces

    def _operations(self, run: Sequence[int]) -> list[Group]:
        """A run in pieces of one operation each, with what only moves values to it."""
        pieces: dict[int, Group] = {}
        of: dict[int, int] = {}
        for unit in reversed(run):
            into = of.get(self._consumers[unit], unit)
            if not is_silent((self._whole.spoken(unit),)) or not self._may_join(unit, self._consumers[unit]):
                into = unit
            of[unit] = into
            pieces.setdefault(into, []).append(unit)
        return [piece[::-1] for piece in reversed(pieces.values())]

    def _repeated(self, pieces: Sequence[Group]) -> list[Group]:
        """Neighbours that do the same as one: where an operation comes again and again, no border tells anything."""
        spoken = self._whole.spoken
        alike = groupby(pieces, lambda piece: [spoken(unit) for unit in piece])
        return [list(chain.from_iterable(found)) for _, found in alike]

    def _parts(self, runs: Sequence[Group], most: int) -> list[Group]:
        """Neighbouring runs of one class put together, parted where the fewest values pass."""
        crossing = self._crossing(runs)
        slack = len(runs) // most // 3
        borders = [0]
        for part in range(1, most):
            even = part * len(runs) // most
            near = range(max(borders[-1] + 1, even - slack), even + slack + 1)
            borders.append(min(near, key=lambda place: (crossing[place], abs(place - even))))
        parts: list[Group] = []
        for start, stop in pairwise([*borders, len(runs)]):
            parts += self._by_class(runs[start:stop])
        return parts

    def _crossing(self, runs: Sequence[Group]) -> list[int]:
        """For each place between two runs how many values pass from before it to behind it."""
        places = {unit: place for place, run in enumerate(runs) for unit in run}
        change = [0] * (len(runs) + 1)
        for unit, place in places.items():
            for one in self._whole.inputs[unit]:
                came = places.get(one, place)
                if came < place:
                    change[came + 1] += 1
                    change[place + 1] -= 1
        total = 0
        found = []
        for step in change:
            total += step
            found.append(total)
        return found

    def _by_class(self, runs: Sequence[Group]) -> list[Group]:
        """These runs as one group for each class; what must be seen stands alone."""
        found: list[Group] = []
        groups: dict[int, Group] = {}
        for run in runs:
            if any(unit in self._alone for unit in run):
                found.append(list(run))
                continue
            mask = self._mask(run)
            if mask not in groups:
                groups[mask] = []
                found.append(groups[mask])
            groups[mask] += run
        return found

    def _parameters(self, others: Sequence[int], runs: Sequence[Group]) -> list[Group]:
        """Leaves one by one; where there are many, each with what alone takes it, and else one group for each class."""
        leaves = [unit for unit in others if self._whole.kinds[unit] == "leaf" and unit not in self._alone]
        inside = set(leaves)
        alone = [[unit] for unit in others if unit not in inside]
        if len(leaves) <= _FEW_LEAVES:
            return [*alone, *([unit] for unit in leaves)]
        places = {unit: place for place, run in enumerate(runs) for unit in run}
        masks = [self._mask(run) for run in runs]
        shared: dict[int, Group] = {}
        for leaf in leaves:
            place = places.get(self._consumers[leaf], -1)
            kind = self._whole.classes[leaf]
            if place >= 0 and masks[place] in (NEUTRAL, kind):
                runs[place].append(leaf)
            else:
                shared.setdefault(kind, []).append(leaf)
        for group in shared.values():
            alone += [group] if len(group) > _FEW_LEAVES else [[unit] for unit in group]
        return alone

    def _mask(self, run: Group) -> int:
        """The classes of what is in a run; -1 where it must stay by itself."""
        mask = 0
        for unit in run:
            if unit in self._whole.held:
                return -1
            mask |= self._whole.classes[unit]
        return mask
