"""Which modules are open: as few as the findings ask for, as many as a reader can take in."""

from __future__ import annotations

import heapq

from graphvis.analysis.folding.alike import Alike
from graphvis.analysis.folding.loose import Loose
from graphvis.analysis.folding.tree import ROOT, Modules
from graphvis.analysis.folding.whole import DEAD, Whole


class Opening:
    """The open modules, and what each shows.

    Attributes:
        rows: for each open module what stands in it: rows of alike modules, and of one.
        groups: for each open module the groups of its own units.
        boxes: how many boxes there are.
    """

    def __init__(self, whole: Whole, modules: Modules, alike: Alike, loose: Loose, marked: frozenset[int]) -> None:
        self._whole = whole
        self._modules = modules
        self._alike = alike
        self._loose = loose
        self._forced = _forced(whole, modules, marked)
        self._known: dict[int, list[list[int]]] = {}
        self._groups: dict[int, list[list[int]]] = {}
        self._closed: list[tuple[bool, int, int]] = []
        self.rows: dict[int, list[list[int]]] = {}
        self.groups: dict[int, list[list[int]]] = {}
        self.boxes = 1
        self._open(ROOT)

    def choose(self, least: int, most: int) -> None:
        """Open what is closed, the largest first, for at least `least` boxes, and for at most `most`."""
        while self._closed and self.boxes < least:
            _, _, module = heapq.heappop(self._closed)
            if self.boxes + self._gain(module) <= most and self._shows(module) and self._is_opened_by(module):
                self._open(module)

    def deepen(self, depth: int) -> None:
        """Open every module that is less than `depth` levels below the root."""
        shallow = [one for _, _, one in sorted(self._closed) if self._depth(one) < depth]
        while shallow:
            self._closed = [entry for entry in self._closed if entry[2] not in set(shallow)]
            for module in shallow:
                self._open(module)
            shallow = [one for _, _, one in sorted(self._closed) if self._depth(one) < depth]

    def _depth(self, module: int) -> int:
        return len(self._modules.around(module)) - 1

    def _open(self, module: int) -> None:
        stack = [module]
        while stack:
            one = stack.pop()
            self.boxes += self._gain(one)
            self.rows[one] = self._rows_in(one)
            self.groups[one] = self._groups_in(one)
            for row in self.rows[one]:
                first = row[0]
                if first in self._forced or self._is_wrapper(first):
                    stack.append(first)
                else:
                    size = sum(self._modules.sizes[member] for member in row)
                    heapq.heappush(self._closed, (not self._modules.masks[first] & DEAD, -size, first))

    def _is_wrapper(self, module: int) -> bool:
        """Whether opening it costs nothing."""
        return self._gain(module) == 0 and bool(self._rows_in(module))

    def _gain(self, module: int) -> int:
        return len(self._rows_in(module)) + len(self._groups_in(module)) - 1

    def _shows(self, module: int) -> bool:
        """Whether one sees more than its parameters when it is open."""
        functions = [group for group in self._groups_in(module) if self._whole.kinds[group[0]] == "function"]
        return len(self._rows_in(module)) + len(functions) > 1

    def members(self, module: int) -> list[int]:
        """The units of a module; those of alike ones stand at the same places."""
        return self._alike.members(module)

    def _is_opened_by(self, module: int) -> bool:
        return True

    def _rows_in(self, module: int) -> list[list[int]]:
        if module not in self._known:
            self._known[module] = self._alike.rows(self._modules.children[module])
        return self._known[module]

    def _groups_in(self, module: int) -> list[list[int]]:
        if module not in self._groups:
            self._groups[module] = self._loose.groups(self._modules.own[module])
        return self._groups[module]


def _forced(whole: Whole, modules: Modules, marked: frozenset[int]) -> set[int]:
    """Modules that must be open, lest a finding be out of sight or what learns be mixed with what does not."""
    forced = {module for module, mask in enumerate(modules.masks) if mask & (mask - 1)} | {ROOT}
    beginnings = []
    for source, target in whole.cuts:
        homes = modules.homes[source], modules.homes[target]
        # A module without modules inside may hold one end of a cut: its name says enough of where that is.
        beginnings += [home if modules.children[home] else modules.parents[home] for home in homes]
        shared = set(modules.around(homes[0]))
        beginnings.append(next(one for one in modules.around(homes[1]) if one in shared))
    beginnings += [modules.homes[unit] for unit in whole.held]
    beginnings += marked
    for module in beginnings:
        while module > ROOT and module not in forced:
            forced.add(module)
            module = modules.parents[module]
    return forced
