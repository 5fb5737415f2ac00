"""From open modules to a partition of the nodes."""

from __future__ import annotations

from collections.abc import Sequence

from graphvis.analysis.folding import words
from graphvis.analysis.folding.applying import Folding, Part, Station
from graphvis.analysis.folding.opening import Opening
from graphvis.analysis.folding.tree import ROOT, Modules
from graphvis.analysis.folding.whole import Whole
from graphvis.model.graph import FoldKind


def partition_by(whole: Whole, modules: Modules, opening: Opening) -> Folding:
    """The partition in which every closed module is a group, and in open ones each group of loose units."""
    return _Partition(whole, modules, opening).run()


class _Box:
    """One group, on its way to a :class:`Part`."""

    def __init__(self, kind: FoldKind, name: str, frame: str, modules: tuple[str, ...] = (), times: int = 1) -> None:
        self.kind = kind
        self.name = name
        self.frame = frame
        self.modules = modules
        self.times = times


class _Partition:
    def __init__(self, whole: Whole, modules: Modules, opening: Opening) -> None:
        self.whole = whole
        self.modules = modules
        self.opening = opening
        self.box: list[int] = [-1] * len(whole.units)
        self.boxes: list[_Box] = []
        self.seats: list[Station] = [()]
        self.stations = [0] * len(modules.paths)
        self.twins: list[tuple[list[int], list[list[int]]]] = []

    def run(self) -> Folding:
        stack: list[tuple[int, str, str, int, Station]] = [(ROOT, "", "", 1, ())]
        while stack:
            module, frame, base, times, seat = stack.pop()
            self._loose(module, frame, times)
            for row in self.opening.rows[module]:
                first = row[0]
                if first not in self.opening.rows:
                    self._close(row, frame, base, times)
                elif len(row) == 1:
                    inner, start = self._frame(first, frame, base)
                    stack.append((first, inner, start, times, seat))
                else:
                    name = words.row(self.modules.paths[first], self.modules.paths[row[-1]])
                    seats = self._seat(row, seat)
                    members = [self.opening.members(member) for member in row]
                    self.twins.append((members[0], members[1:]))
                    stack.append((first, name, self.modules.paths[first] + ".", times * len(row), seats))
        for exemplar, others in reversed(self.twins):
            for members in others:
                for unit, twin in zip(members, exemplar, strict=True):
                    self.box[unit] = self.box[twin]
        return self._freeze()

    def _frame(self, module: int, frame: str, base: str) -> tuple[str, str]:
        """The frame that the contents of an open module stand in, and what their names leave out."""
        path = self.modules.paths[module]
        if not self.modules.own[module]:
            # A list of modules has nothing to show: its modules are called ``h.0`` where it stands.
            numbered = all(self.modules.name(child).isdigit() for child in self.modules.children[module])
            return frame, base if numbered else path + "."
        if self.modules.functions[module] > _NEARLY_ALL * self.modules.functions[ROOT]:
            return frame, path + "."
        return path, path + "."

    def _seat(self, row: Sequence[int], seat: Station) -> Station:
        for place, member in enumerate(row):
            self.seats.append((*seat, (row[0], place)))
            for one in self.modules.inside(member):
                self.stations[one] = len(self.seats) - 1
        return (*seat, (row[0], 0))

    def _close(self, row: list[int], frame: str, base: str, times: int) -> None:
        paths = [self.modules.paths[member] for member in row]
        names = [path.removeprefix(base) for path in paths]
        name = names[0] if len(row) == 1 else words.row(names[0], names[-1])
        units = [unit for member in row for unit in self.modules.units(member)]
        kind: FoldKind = "blocks" if len(row) > 1 else "module"
        if all(self.whole.kinds[unit] != "function" for unit in units):
            kind = "parameters"
        self._put(units, _Box(kind, name, frame, tuple(paths), times * len(row)))

    def _loose(self, module: int, frame: str, times: int) -> None:
        for units in self.opening.groups[module]:
            names = [self.whole.names[unit] for unit in units]
            path = self.modules.paths[module]
            modules = (path,) if path else ()
            if self.whole.kinds[units[0]] == "function":
                box = _Box("run", words.telling(names), frame, modules, times)
            elif len(units) > 1:
                box = _Box("parameters", f"{path} parameters".strip(), frame, modules, times)
            else:
                box = _Box("parameters", names[0].rpartition(".")[2], frame, modules, times)
            self._put(units, box)

    def _put(self, units: Sequence[int], box: _Box) -> None:
        for unit in units:
            self.box[unit] = len(self.boxes)
        self.boxes.append(box)

    def _freeze(self) -> Folding:
        """Groups in the order of their first nodes; what is one unit stays as it is."""
        counts = [0] * len(self.boxes)
        for node, unit in enumerate(self.whole.units):
            if node == unit:
                counts[self.box[unit]] += 1
        groups: list[int] = []
        parts: dict[int, Part] = {}
        clusters: dict[int, str] = {}
        numbers: dict[int, int] = {}
        count = 0
        for unit in self.whole.units:
            place = self.box[unit]
            box = self.boxes[place]
            number = numbers.get(place) if counts[place] > 1 else None
            if number is None:
                number = numbers[place] = count
                count += 1
                if box.frame:
                    clusters[number] = box.frame
                if counts[place] > 1:
                    parts[number] = Part(name=box.name, kind=box.kind, modules=box.modules, times=box.times)
            groups.append(number)
        homes = self.modules.homes
        return Folding(
            groups=tuple(groups),
            parts=parts,
            clusters=clusters,
            stations=tuple(self.stations[homes[unit]] for unit in self.whole.units),
            seats=tuple(self.seats),
        )


_NEARLY_ALL = 0.9
