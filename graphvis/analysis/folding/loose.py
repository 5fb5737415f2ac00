"""The units of one open module that lie in no module inside it, in groups."""

from __future__ import annotations

from collections.abc import Sequence

from graphvis.analysis.folding.whole import NEUTRAL, Whole

_FEW_LEAVES = 4
"""Leaves of one module that are shown one by one."""


class Loose:
    """Finds rows of functions with one consumer each.

    Args:
        whole: the units.
        homes: the module of each unit.
    """

    def __init__(self, whole: Whole, homes: Sequence[int]) -> None:
        self._whole = whole
        self._homes = homes
        self._consumers = consumers_of(whole)
        self._cut = set(whole.cuts)

    def groups(self, units: Sequence[int]) -> list[list[int]]:
        """The groups of one module's own units, which are given in forward order."""
        functions = [unit for unit in units if self._whole.kinds[unit] == "function"]
        others = [unit for unit in units if self._whole.kinds[unit] != "function"]
        return [*self._runs(functions), *self._parameters(others)]

    def _runs(self, functions: Sequence[int]) -> list[list[int]]:
        whole, homes = self._whole, self._homes
        classes = whole.classes
        group: dict[int, int] = {}
        members: dict[int, list[int]] = {}
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

    def _parameters(self, others: Sequence[int]) -> list[list[int]]:
        """Leaves one by one, or one group for each class where there are many; other tensors one by one."""
        leaves: dict[int, list[int]] = {}
        alone = []
        for unit in others:
            if self._whole.kinds[unit] == "leaf" and unit not in self._whole.held:
                leaves.setdefault(self._whole.classes[unit], []).append(unit)
            else:
                alone.append([unit])
        for members in leaves.values():
            alone += [members] if len(members) > _FEW_LEAVES else [[unit] for unit in members]
        return alone


def consumers_of(whole: Whole) -> list[int]:
    """For each unit its only consumer; -1 where it has none, -2 where it has several or is an output."""
    found = [-1] * len(whole.units)
    for unit, inputs in enumerate(whole.inputs):
        for one in inputs:
            if one >= 0 and found[one] != unit:
                found[one] = unit if found[one] == -1 else -2
    for root in whole.roots:
        found[root] = -2
    return found
