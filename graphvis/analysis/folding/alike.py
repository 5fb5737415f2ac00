"""Numbered siblings that are alike: the same functions in the same order on parameters of the same shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from graphvis.analysis.folding.tree import Modules
from graphvis.analysis.folding.whole import NONE, Whole

_OUTSIDE = -2
_CUT_OFF = -3
"""In place of all that comes in from elsewhere through cuts: how much that is grows from round to round of a loop."""


class Alike:
    """Compares modules.

    Args:
        whole: the units.
        modules: their modules.
        ranks: the place of each unit in forward order.
        marked: modules that somebody wants open: they are alike only among each other.
    """

    def __init__(self, whole: Whole, modules: Modules, ranks: Sequence[int], marked: frozenset[int]) -> None:
        self._whole = whole
        self._modules = modules
        self._ranks = ranks
        self._marked = marked
        self._faces: dict[object, int] = {}
        self._looks = _looks(whole, self._faces)
        self._severed: dict[int, set[int]] = {}
        for source, target in whole.cuts:
            self._severed.setdefault(target, set()).add(source)
        self._rows: dict[int, list[list[int]]] = {}
        self._members: dict[int, list[int]] = {}

    def members(self, module: int) -> list[int]:
        """The units of a module in forward order: those of alike modules stand at the same places."""
        if module not in self._members:
            self._members[module] = sorted(self._modules.units(module), key=self._ranks.__getitem__)
        return self._members[module]

    def rows(self, children: Sequence[int]) -> list[list[int]]:
        """Siblings in rows of alike ones that follow each other by number; the others in rows of one."""
        around = self._modules.parents[children[0]] if children else NONE
        if around not in self._rows:
            self._rows[around] = self._grouped(children) if children else []
        return self._rows[around]

    def _grouped(self, children: Sequence[int]) -> list[list[int]]:
        modules = self._modules
        series = {child: found for child in children if (found := modules.series(child)) is not None}
        numbered = sorted(series, key=series.__getitem__)
        rows: list[list[int]] = []
        known: dict[tuple[int, ...], list[int]] = {}
        apart: frozenset[int] | None = None
        for child in numbered:
            signature = self._signature(child) if len(numbered) > 1 else ()
            row = known.get(signature) if signature else None
            if row is None and rows and len(numbered) > 1 and self._grows(child, rows[-1][-1]):
                row = rows[-1]
            # What stands between two with a gap of numbers would have to go back and forth.
            if row is not None and not (row is rows[-1] and self._follows(child, row[-1])):
                apart = self._apart(children) if apart is None else apart
                row = row if child in apart and row[-1] in apart else None
            if row is None:
                rows.append(row := [])
            row.append(child)
            known[signature] = row
        place = {row[0]: row for row in rows}
        inside = {child for row in rows for child in row[1:]}
        return [place.get(child, [child]) for child in children if child not in inside]

    def _follows(self, child: int, last: int) -> bool:
        modules = self._modules
        one, other = modules.series(last), modules.series(child)
        return modules.is_round(child) or (one is not None and other == (one[0], one[1] + 1))

    @cached_property
    def _formless(self) -> list[int]:
        return _looks(self._whole, self._faces, formless=True)

    def _grows(self, child: int, last: int) -> bool:
        """Whether it is what the last one is, and takes all that that takes and that too, as in a dense block."""
        if not self._follows(child, last) or self._modules.is_round(child):
            return False
        taken, before = self._sources(child), self._sources(last)
        return bool(before) and taken >= before | {last} and self._shape(child) == self._shape(last)

    def _sources(self, module: int) -> set[int]:
        """The siblings that a module takes something from, and what else it takes, as the complement of its unit."""
        modules, around = self._modules, self._modules.parents[module]
        found: set[int] = set()
        for unit in modules.units(module):
            for one in self._whole.inputs[unit]:
                if one >= 0 and not modules.has(module, home := modules.homes[one]):
                    while modules.parents[home] not in (around, NONE):
                        home = modules.parents[home]
                    found.add(home if modules.parents[home] == around else ~one)
        return found

    def _shape(self, module: int) -> tuple[int, ...]:
        """What it is like inside, however much comes in."""
        members = self.members(module)
        places = {unit: place for place, unit in enumerate(members)}
        labels = self._labels(module)
        found: list[int] = []
        for unit in members:
            inside = [places[one] for one in self._whole.inputs[unit] if one in places]
            found += (self._formless[unit], labels[self._modules.homes[unit]], len(inside), *inside)
        return tuple(found)

    def _apart(self, children: Sequence[int]) -> frozenset[int]:
        """Those of some siblings that take nothing from another, on whatever way through the module around them."""
        modules = self._modules
        around = modules.parents[children[0]]
        owners = {unit: child for child in children for unit in modules.units(child)}
        units = sorted([*owners, *modules.own[around]], key=self._ranks.__getitem__)
        came: dict[int, int] = {}
        dependent: set[int] = set()
        for unit in units:
            origins = {came[one] for one in self._whole.inputs[unit] if one in came}
            owner = owners.get(unit)
            if owner is not None:
                if origins - {owner}:
                    dependent.add(owner)
                came[unit] = owner
            elif origins:
                came[unit] = min(origins) if len(origins) == 1 else NONE
        return frozenset(children) - dependent

    def _signature(self, module: int) -> tuple[int, ...]:
        inputs, looks, homes, severed = self._whole.inputs, self._looks, self._modules.homes, self._severed
        members = self.members(module)
        places = {unit: place for place, unit in enumerate(members)}
        labels = self._labels(module)
        place_of = places.get
        found: list[int] = []
        for unit in members:
            taken = inputs[unit]
            if unit in severed:
                found += self._taken(unit, places)
                taken = []
            found += (looks[unit], labels[homes[unit]], len(taken))
            for one in taken:
                found.append(place_of(one, _OUTSIDE) if one >= 0 else NONE)
        return tuple(found)

    def _taken(self, unit: int, places: Mapping[int, int]) -> list[int]:
        """What a unit takes, of which something was cut off: that without order and each but once."""
        severed = self._severed[unit]
        whole = [
            places.get(one, _OUTSIDE) if one >= 0 else NONE for one in self._whole.inputs[unit] if one not in severed
        ]
        apart = sorted({places.get(one, _CUT_OFF) for one in severed})
        return [len(whole), *whole, *apart]

    def _labels(self, module: int) -> dict[int, int]:
        """A number for the path of each module inside, seen from `module`, and for whether it is marked."""
        modules = self._modules
        paths = {module: ""}
        for one in modules.inside(module)[1:]:  # outer ones first
            parent = modules.parents[one]
            name = modules.name(one)
            if name.startswith("step "):  # the same steps of another stretch have other numbers
                name = f"step {modules.number(one) - modules.number(modules.children[parent][0])}"
            paths[one] = f"{paths[parent]}.{name}"
        return {
            one: self._faces.setdefault((path, one in self._marked), len(self._faces)) for one, path in paths.items()
        }


def _looks(whole: Whole, faces: dict[object, int], formless: bool = False) -> list[int]:
    """A number for what each unit is, apart from where it stands: equal ones look alike; `formless` whatever shape."""
    found = [0] * len(whole.units)
    kinds, names, classes = whole.kinds, whole.names, whole.classes
    sources = {source for source, _ in whole.cuts}
    targets = {target for _, target in whole.cuts}
    for node, unit in enumerate(whole.units):
        if node == unit:
            info = whole.tensors.get(unit)
            what: object = (
                names[unit] if info is None else (() if formless else info.shape, info.dtype, info.requires_grad)
            )
            found[unit] = faces.setdefault((kinds[unit], what, classes[unit]), len(faces))
    for unit in {*sources, *targets, *whole.held}:
        told = (found[unit], unit in sources, unit in targets, unit in whole.held)
        found[unit] = faces.setdefault(told, len(faces))
    return found
