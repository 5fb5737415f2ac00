"""Which modules are open: as few as the findings ask for, as many as a reader can take in."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Collection

from graphvis.analysis.folding.alike import Alike
from graphvis.analysis.folding.loose import Group, Loose
from graphvis.analysis.folding.tree import ROOT, Modules
from graphvis.analysis.folding.whole import DEAD, Whole
from graphvis.analysis.folding.words import operation

_Closed = tuple[int, int, int, int]
"""What may be opened: whether the gradient reaches all of it, minus its size, its module, and -1 or which group."""

_WHOLE_MODULE = -1
_WORTH = (0, 1, 2, 2)
"""Boxes that may be missing rather than that the same is shown again, or parameters alone, or all calls of a module."""
_DIGITS = re.compile(r"\d+")


class Opening:
    """The open modules, and what each shows.

    Args:
        whole: the units.
        modules: their modules.
        alike: compares modules.
        loose: groups loose units.
        forced: modules that are open whatever it costs; with each also those around it.

    Attributes:
        rows: for each open module what stands in it: rows of alike modules, and of one.
        groups: for each open module the groups of its own units.
        boxes: how many boxes there are.
    """

    def __init__(self, whole: Whole, modules: Modules, alike: Alike, loose: Loose, forced: Collection[int]) -> None:
        self._whole = whole
        self._modules = modules
        self._alike = alike
        self._loose = loose
        self._forced = forced
        self._waiting: tuple[list[_Closed], ...] = ([], [], [], [])
        self._kinds: dict[int, list[frozenset[str]]] = {}
        self.rows: dict[int, list[list[int]]] = {}
        self.groups: dict[int, list[Group]] = {}
        self.boxes = 1
        self._open(ROOT)

    def choose(self, least: int, most: int) -> None:
        """Open what is closed, what is lost before what is large, for at least `least` boxes and at most `most`.

        After all else comes what would show the same as what is open, then what shows but its parameters, and last
        the calls of one module.
        """
        while self.boxes < least:
            wish = next((wish for wish, waiting in enumerate(self._waiting) if waiting), None)
            if wish is None or self.boxes >= least - _WORTH[wish]:
                return
            entry = heapq.heappop(self._waiting[wish])
            _, _, module, place = entry
            if place != _WHOLE_MODULE:
                self._split(module, place, least)
                continue
            if module in self.rows:
                continue  # with another one
            together = self._together(module)
            ends = [self._end(one) for one in together]
            later = self._wish(module, together)
            if later > wish:
                heapq.heappush(self._waiting[later], entry)
            elif self.boxes + sum(map(self._gain, ends)) <= most:
                for one in together:
                    self._open(one)

    def deepen(self, wanted: Callable[[int], bool]) -> None:
        """Open every module that is wanted, in sight, and more than one function with its parameters."""
        while True:
            closed = self._waiting[0]
            modules = ((entry, entry[2]) for entry in closed if entry[3] == _WHOLE_MODULE)
            fresh = ((entry, module) for entry, module in modules if module not in self.rows)
            found = {entry for entry, module in fresh if wanted(module) and self._shows(self._end(module))}
            if not found:
                return
            closed[:] = [entry for entry in closed if entry not in found]
            heapq.heapify(closed)
            for _, _, module, _ in sorted(found):
                self._open(module)

    def _open(self, module: int) -> None:
        stack = [module]
        while stack:
            one = stack.pop()
            self.boxes += self._gain(one)
            self.rows[one] = rows = self._rows_in(one)
            self.groups[one] = list(self._groups_in(one))
            for place, group in enumerate(self.groups[one]):
                self._offer(group, one, place)
            for row in rows:
                first = row[0]
                if first in self._forced or (len(row) == 1 and (self._is_wrapper(one) or self._is_list(first))):
                    stack.append(first)
                else:
                    size = sum(self._modules.sizes[member] for member in row)
                    heapq.heappush(
                        self._waiting[0], (int(not self._modules.masks[first] & DEAD), -size, first, _WHOLE_MODULE)
                    )
            if self._modules.number(one) >= 0:
                self._kinds.setdefault(self._modules.parents[one], []).append(self._face(one))

    def _wish(self, module: int, together: Collection[int]) -> int:
        """How late it is opened."""
        modules = self._modules
        calls = [one for one in modules.children[modules.parents[module]] if modules.is_call(one)]
        if len(calls) > 1 and not all(one in self.rows for one in calls):
            return 3  # one of them, or the parameters that they share
        if not any(self._shows(self._end(one)) for one in together):
            return 2
        return int(self._resembles(module))

    def _together(self, module: int) -> list[int]:
        """What is opened at one time: the same place in each call of a module, so that the calls look alike."""
        modules = self._modules
        call = next((one for one in modules.around(module) if modules.is_call(one)), None)
        if call is None:
            return [module]
        within = modules.paths[module][len(modules.paths[call]) :]
        calls = (one for one in modules.children[modules.parents[call]] if modules.is_call(one))
        found = (modules.find(modules.paths[one] + within) for one in calls)
        return [one for one in found if one is not None and self._may_open(one, modules.masks[module])]

    def _may_open(self, module: int, mask: int) -> bool:
        rows = self.rows.get(self._modules.parents[module], ())
        closed = module not in self.rows and any(row[0] == module for row in rows)
        return closed and self._modules.masks[module] == mask

    def _resembles(self, module: int) -> bool:
        """Whether it looks much like an open sibling, so that it would show the same again."""
        if self._modules.masks[module] & DEAD or not self._kinds.get(self._modules.parents[module]):
            return False
        own = self._face(module)
        return any(len(own & other) * 5 >= len(own | other) * 4 for other in self._kinds[self._modules.parents[module]])

    def _face(self, module: int) -> frozenset[str]:
        """The modules in it; its operations where there are none."""
        inside = self._modules.inside(module)
        if len(inside) > 1:
            outer = len(self._modules.paths[module])
            return frozenset(_DIGITS.sub("", self._modules.paths[one][outer:]) for one in inside)
        whole, units = self._whole, self._modules.own[module]
        return frozenset(operation(whole.names[unit]) for unit in units if whole.kinds[unit] == "function")

    def _offer(self, group: Group, module: int, place: int) -> None:
        if len(group) > 1 and self._whole.kinds[group[0]] == "function":
            lost = self._whole.classes[group[0]] == DEAD
            heapq.heappush(self._waiting[0], (int(not lost), -len(group), module, place))

    def _split(self, module: int, place: int, least: int) -> None:
        groups = self.groups[module]
        pieces = self._loose.split(groups[place], least - self.boxes + 1)
        if len(pieces) == 1:
            return
        self.boxes += len(pieces) - 1
        groups[place] = pieces[0]
        self._offer(pieces[0], module, place)
        for piece in pieces[1:]:
            groups.append(piece)
            self._offer(piece, module, len(groups) - 1)

    def _is_wrapper(self, module: int) -> bool:
        """Whether there is one module in it and nothing else, so that it is opened with that."""
        rows = self._rows_in(module)
        return len(rows) == 1 and len(rows[0]) == 1 and not self._groups_in(module)

    def _is_list(self, module: int) -> bool:
        """Whether there is one row of alike modules in it and nothing else, so that opening it costs nothing."""
        end = self._end(module)
        rows = self._rows_in(end)
        return len(rows) == 1 and len(rows[0]) > 1 and not self._groups_in(end)

    def _end(self, module: int) -> int:
        """The module that one sees when it is opened."""
        while self._is_wrapper(module):
            module = self._rows_in(module)[0][0]
        return module

    def _gain(self, module: int) -> int:
        return len(self._rows_in(module)) + len(self._groups_in(module)) - 1

    def _shows(self, module: int) -> bool:
        """Whether one sees more than its parameters when it is open."""
        functions = [group for group in self._groups_in(module) if self._whole.kinds[group[0]] == "function"]
        return len(self._rows_in(module)) + len(functions) > 1

    def _rows_in(self, module: int) -> list[list[int]]:
        return self._alike.rows(self._modules.children[module])

    def _groups_in(self, module: int) -> list[Group]:
        return self._loose.groups(module)


def forced(whole: Whole, modules: Modules, wanted: Collection[int]) -> set[int]:
    """Modules that must be open, lest a finding be out of sight or what learns be mixed with what does not.

    Args:
        whole: the units.
        modules: their modules.
        wanted: modules that somebody asked for.
    """
    found = {module for module, mask in enumerate(modules.masks) if mask & (mask - 1)} | {ROOT}
    beginnings = [*wanted, *(modules.homes[unit] for unit in whole.held)]
    ends: tuple[set[int], set[int]] = set(), set()
    for source, target in whole.cuts:
        homes = modules.homes[source], modules.homes[target]
        # What has no modules inside, or is a round of a loop, may hold one end of a cut: its name says where that is.
        for home, held in zip(homes, ends, strict=True):
            around = modules.around(home)
            whole_round = max((i for i, one in enumerate(around) if modules.is_round(one)), default=-1)
            inside = around[: whole_round + 1] or ([home] if not modules.children[home] else [])
            held.update(inside)
            beginnings.append(around[len(inside)] if len(inside) < len(around) else ROOT)
        beginnings.append(modules.shared(*homes))
    # With both it may stand for several that are alike, and the cut would be inside of one box.
    beginnings += ends[0] & ends[1]
    for module in beginnings:
        while module > ROOT and module not in found:
            found.add(module)
            module = modules.parents[module]
    return found
