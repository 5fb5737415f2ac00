"""What will be drawn: the closed modules and the loose groups as boxes, and how values pass between them."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from graphvis.analysis.folding import words
from graphvis.analysis.folding.exemplars import Exemplars
from graphvis.analysis.folding.opening import Opening
from graphvis.analysis.folding.tree import ROOT, Modules
from graphvis.analysis.folding.whole import Whole
from graphvis.model.graph import FoldKind

_NEARLY_ALL = 0.9
"""Share of all functions from which on a module's frame would say nothing."""

_WORTH_A_FRAME = 5
"""Boxes from which on a frame within a frame is better than longer names."""


_T = TypeVar("_T")


class Box:
    """One group on its way to the picture.

    Attributes:
        kind: what it will be; see :class:`~graphvis.model.graph.Fold`.
        names: what it is called, in parts.
        frame: the open module that it is drawn in; empty for none.
        home: the open module that it belongs to.
        modules: the paths of the modules in it.
        times: how many alike ones it stands for.
        units: what it holds, of the first alone where it stands for several.
        size: how many units it stands for.
        mask: the classes of these.
        fixed: whether it must stay by itself.
        held: whether that is for more than a cut: what cannot be computed is in it.
        silent: whether it only moves values.
    """

    __slots__ = (
        "fixed", "frame", "held", "home", "kind", "mask", "modules", "names", "silent", "size", "times", "units",
    )  # fmt: skip

    def __init__(
        self,
        kind: FoldKind,
        names: list[str],
        frame: str,
        home: int,
        modules: tuple[str, ...],
        times: int,
        units: list[int],
        size: int,
    ) -> None:
        self.kind = kind
        self.names = deque(names)
        self.frame = frame
        self.home = home
        self.modules = deque(modules)
        self.times = times
        self.units = deque(units)
        self.size = size
        self.mask = 0
        self.fixed = False
        self.held = False
        self.silent = False


class Boxes:
    """All boxes.

    Args:
        whole: the units.
        modules: their modules.
        exemplars: which units stand for which.
        opening: which modules are open.
        framed: whether a frame tells what lies in one open module, or only longer names do.

    Attributes:
        boxes: in no order that matters; None where one was put into another.
        of: the box of each unit that stands for itself.
    """

    def __init__(
        self, whole: Whole, modules: Modules, exemplars: Exemplars, opening: Opening, *, framed: bool = True
    ) -> None:
        self._whole = whole
        self._modules = modules
        self._exemplars = exemplars
        self._opening = opening
        self._framed = framed
        self._shown = whole.held | {unit for ends in whole.cuts for unit in ends}
        self.boxes: list[Box | None] = []
        self.of = [-1] * len(whole.units)
        self._merged: list[int] = []
        self._collect()

    def _collect(self) -> None:
        stack: list[tuple[int, str, str, int]] = [(ROOT, "", "", 1)]
        while stack:
            module, frame, base, times = stack.pop()
            self._take_loose(module, frame, times)
            for row in self._opening.rows[module]:
                first = row[0]
                if first not in self._opening.rows:
                    self._take_closed(row, module, frame, base, times)
                elif len(row) == 1:
                    stack.append((first, *self._frame(first, frame, base), times))
                else:
                    paths = [self._modules.paths[member] for member in row]
                    name = _within(frame, words.row([path.removeprefix(base) for path in paths]))
                    stack.append((first, name, paths[0] + ".", times * len(row)))

    def _frame(self, module: int, frame: str, base: str) -> tuple[str, str]:
        """The frame that the contents of an open module stand in, and what their names leave out."""
        modules = self._modules
        path = modules.paths[module]
        if modules.is_list(module):
            return frame, base  # a list of modules has nothing to show, and its modules are called ``h.0``
        if modules.functions[module] > _NEARLY_ALL * modules.functions[ROOT]:
            return frame, path + "."
        shown = len(self._opening.rows[module]) + len(self._opening.groups[module])
        if not self._framed or not modules.own[module] or (shown < _WORTH_A_FRAME and frame):
            return frame, base
        return _within(frame, path.removeprefix(base)), path + "."

    def _take_closed(self, row: list[int], home: int, frame: str, base: str, times: int) -> None:
        paths = [self._modules.paths[member] for member in row]
        names = [path.removeprefix(base) for path in paths]
        name = self._spoken(row[0], names[0]) if len(row) == 1 else words.row(names)
        of = self._exemplars.of
        units = [unit for unit in self._modules.units(row[0]) if of[unit] == unit]
        kind: FoldKind = "blocks" if len(row) > 1 else "module"
        if all(self._whole.kinds[unit] != "function" for unit in units):
            kind = "parameters"
        size = sum(self._modules.sizes[member] for member in row) * times
        self._put(Box(kind, [name], frame, home, tuple(paths), times * len(row), units, size))

    def _spoken(self, module: int, name: str) -> str:
        """The name of a closed module, with what it does where that is little and the name is but a number."""
        modules, whole = self._modules, self._whole
        if not name.rpartition(".")[2].isdigit() or modules.children[module]:
            return name
        functions = [whole.spoken(unit) for unit in modules.own[module] if whole.kinds[unit] == "function"]
        told = words.telling(functions) if functions else []
        return f"{name}: {told[0]}" if len(told) == 1 else name

    def _take_loose(self, module: int, frame: str, times: int) -> None:
        kinds = self._whole.kinds
        path = self._modules.paths[module]
        modules = (path,) if path else ()
        for units in self._opening.groups[module]:
            functions = [self._whole.spoken(unit) for unit in units if kinds[unit] == "function"]
            if functions:
                box = Box("run", words.telling(functions), frame, module, modules, times, units, len(units) * times)
                box.silent = len(functions) == len(units) and words.is_silent(functions)
            elif len(units) > 1:
                box = Box("parameters", ["parameters"], frame, module, modules, times, units, len(units) * times)
            else:
                name = self._whole.names[units[0]].rpartition(".")[2]
                box = Box("parameters", [name], frame, module, modules, times, units, len(units) * times)
            self._put(box)

    def _put(self, box: Box) -> None:
        number, classes = len(self.boxes), self._whole.classes
        for unit in box.units:
            self.of[unit] = number
            box.mask |= classes[unit]
        box.fixed = not self._shown.isdisjoint(box.units)
        box.held = not self._whole.held.isdisjoint(box.units)
        self.boxes.append(box)

    def merge(self, one: int, into: int, *, silently: bool = False) -> None:
        """Put one box into another; `silently` without a word in its name."""
        box, target = self.boxes[one], self.boxes[into]
        assert box is not None
        assert target is not None
        self._merged.append(into)
        if not silently:
            target.kind = target.kind if target.kind == box.kind and box.kind != "blocks" else "part"
            target.names = _joined(box.names, target.names)
            target.modules = _joined(box.modules, target.modules)
            target.silent = False
        target.units = _joined(box.units, target.units)
        target.size += box.size
        target.mask |= box.mask
        self.boxes[one] = None

    @property
    def count(self) -> int:
        """How many boxes there are."""
        return sum(box is not None for box in self.boxes)

    def settle(self) -> None:
        """What was merged is of its new box. To be called after merging."""
        for number in dict.fromkeys(self._merged):
            if (box := self.boxes[number]) is not None:
                for unit in box.units:
                    self.of[unit] = number
        self._merged.clear()

    def flows(self) -> tuple[list[set[int]], list[set[int]]]:
        """For each box those that take its values, and those that it takes values from."""
        onward: list[set[int]] = [set() for _ in self.boxes]
        back: list[set[int]] = [set() for _ in self.boxes]
        of = self.of
        for one, unit in self._exemplars.links:
            source, target = of[one], of[unit]
            if source != target:
                onward[source].add(target)
                back[target].add(source)
        return onward, back


def _joined(first: deque[_T], second: deque[_T]) -> deque[_T]:
    """Both in one, in this order: the shorter moves, so that a long row of mergers takes no longer than its boxes."""
    if len(first) > len(second):
        first.extend(second)
        return first
    second.extendleft(reversed(first))
    return second


def _within(frame: str, name: str) -> str:
    return f"{frame}.{name}" if frame else name
