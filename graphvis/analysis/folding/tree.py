"""The tree of modules, with what each holds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphvis.analysis.folding.whole import Whole

ROOT = 0
_NUMBERED = re.compile(r"(?:steps? |call )?(\d+)(?:–\d+)?")


class Modules:
    """The modules that units belong to, and those around them; a module's number is higher than its parent's.

    Attributes:
        paths: dotted path of each; empty for the root.
        parents: the module around each; -1 for the root.
        children: those directly inside, in forward order.
        own: the units directly inside, in forward order.
        homes: the module of each unit.
        sizes: how many units each holds, those of modules inside included.
        functions: how many of them are functions.
        masks: the classes of these.
    """

    def __init__(self, whole: Whole, labels: Sequence[str], order: Sequence[int]) -> None:
        self.paths = [""]
        self.parents = [-1]
        self.children: list[list[int]] = [[]]
        self.own: list[list[int]] = [[]]
        self.homes = [ROOT] * len(labels)
        self._numbers = {"": ROOT}
        self._places = [-1]
        kinds, classes, numbers = whole.kinds, whole.classes, self._numbers
        functions: list[int] = [0]
        masks: list[int] = [0]
        for unit in order:
            home = numbers.get(labels[unit])
            if home is None:
                home = self._add(labels[unit])
                functions += [0] * (len(self.paths) - len(functions))
                masks += [0] * (len(self.paths) - len(masks))
            self.homes[unit] = home
            self.own[home].append(unit)
            masks[home] |= classes[unit]
            if kinds[unit] == "function":
                functions[home] += 1
        self.sizes = [len(units) for units in self.own]
        self.functions = functions
        self.masks = masks
        for module in range(len(self.paths) - 1, 0, -1):
            parent = self.parents[module]
            self.sizes[parent] += self.sizes[module]
            functions[parent] += functions[module]
            masks[parent] |= masks[module]

    def number(self, module: int) -> int:
        """Its number among its siblings; -1 where it has none."""
        return self._places[module]

    def _add(self, path: str) -> int:
        """A new module, and those around it that are new too."""
        new = [path]
        while (outer := new[-1].rpartition(".")[0]) not in self._numbers:
            new.append(outer)
        module = self._numbers[outer]
        for inner in reversed(new):
            number = self._numbers[inner] = len(self.paths)
            self.paths.append(inner)
            place = _NUMBERED.fullmatch(inner[inner.rfind(".") + 1 :])
            self._places.append(int(place[1]) if place else -1)
            self.parents.append(module)
            self.children.append([])
            self.own.append([])
            self.children[module].append(number)
            module = number
        return module

    def series(self, module: int) -> tuple[str, int] | None:
        """What stands before its number, and that: of ``3``, ``step 3``, and, where modules are in it, ``layer3``."""
        if self.number(module) < 0 and not self.children[module]:
            return None
        name = self.name(module)
        stem = name.rstrip("0123456789–")
        number = name[len(stem) :].partition("–")[0]
        return (stem, int(number)) if number.isdigit() else None

    def is_list(self, module: int) -> bool:
        """Whether it has nothing of its own and all in it are numbered."""
        return not self.own[module] and all(self.number(child) >= 0 for child in self.children[module])

    def is_round(self, module: int) -> bool:
        """Whether it is one round of a loop, or some that follow each other, or one call of several."""
        return self.name(module).startswith(("step ", "steps ", "call "))

    def is_call(self, module: int) -> bool:
        """Whether it is one call of several."""
        return self.name(module).startswith("call ")

    def level(self, module: int) -> int:
        """How many modules are around it, lists not counted; 0 for the root."""
        return sum(one == ROOT or not self.is_list(one) for one in self.around(module)[1:])

    def find(self, path: str) -> int | None:
        """The module of that path."""
        return self._numbers.get(path)

    def name(self, module: int) -> str:
        """The last part of its path."""
        return self.paths[module].rpartition(".")[2]

    def inside(self, module: int) -> list[int]:
        """A module and all inside, outer ones first."""
        found = [module]
        for one in found:  # grows meanwhile
            found.extend(self.children[one])
        return found

    def around(self, module: int) -> list[int]:
        """A module and all around it, innermost first."""
        found = []
        while module >= 0:
            found.append(module)
            module = self.parents[module]
        return found

    def has(self, module: int, other: int) -> bool:
        """Whether `other` is `module` or lies inside it."""
        while other > module:
            other = self.parents[other]
        return other == module

    def shared(self, one: int, other: int) -> int:
        """The innermost module that holds both."""
        while one != other:
            if one > other:
                one = self.parents[one]
            else:
                other = self.parents[other]
        return one

    def units(self, module: int) -> list[int]:
        """All units of a module, those of modules inside included."""
        return [unit for one in self.inside(module) for unit in self.own[one]]


def dissolve(whole: Whole, labels: list[str]) -> None:
    """Leave out modules that hold nothing to learn and one operation: what they do says more than what they are.

    Such a module is often used in several places, which one box would tie together.

    Args:
        whole: the units.
        labels: the module of each unit; changed in place.
    """
    names: dict[str, list[str]] = {}
    kept: set[str] = {""}
    for unit, path in enumerate(labels):
        if whole.units[unit] != unit:
            continue
        if whole.kinds[unit] == "function" and path not in kept:
            names.setdefault(path, []).append(whole.names[unit])
        else:
            kept.add(path)
    around: set[str] = set()
    for path in {*names, *kept}:
        outer = path.rpartition(".")[0]
        while outer and outer not in around:
            around.add(outer)
            outer = outer.rpartition(".")[0]
    small = {
        path: path.rpartition(".")[0]
        for path, found in names.items()
        if path not in kept and path not in around and (len(found) <= _FEW or len(set(found)) == 1)
    }
    for unit, path in enumerate(labels):
        if path in small:
            labels[unit] = small[path]
            if "drop" in path.rpartition(".")[2].lower():  # a product with a mask, which nobody would call by that
                whole.call(unit, "dropout")


_FEW = 2
