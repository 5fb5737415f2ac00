"""Which names and attributes of the source hold which of many values, and what must be looked at again when more do.

A set of values is an int, one bit for each value: all are followed at once, in the time that one takes. A second bit
for each says that what holds it may hold the value: it came through an object, or another function's variable.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping

from graphvis.live.recorder.following.arguing import SetByFunction
from graphvis.live.recorder.following.callees import Callees
from graphvis.live.recorder.following.elements import Keys, written_for
from graphvis.live.recorder.following.keys import ANY, RETURNED, Key, Text, contents_of, given_to_object, text_of_object
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.reading import Read, read
from graphvis.live.recorder.following.source import Scope
from graphvis.live.recorder.following.steps import Step, Task, steps_of

_NOTHING: Mapping[str, int] = {}
_RAISED: Key = (0, "raise")  # what any exception holds
_SHOWN: Key = (0, "show")  # what is printed or logged


def values_in(values: int) -> Iterator[int]:
    """The numbers of the values in a set."""
    while values:
        lowest = values & -values
        yield lowest.bit_length() - 1
        values ^= lowest


class Holding:
    """What holds what, and the steps that are to be looked at because of it.

    Args:
        program: the files.
        seeds: the ``id`` of each expression that a value may come out of.
        traced: the ``id`` of each expression whose value is a tensor that the recording saw being made: from there on
            the recording knows more than the source.
        count: how many values there are.
        addresses: those of them that tell where tensors lie, and not what: a comparison of them tells neither.

    Attributes:
        certain: all values, as those that are there; the bits above say that they may be.
        dropped: the ``id`` of each expression whose value nobody takes: it is there for what it does.
    """

    def __init__(
        self, program: Program, seeds: Collection[int], traced: Collection[int], count: int, addresses: int
    ) -> None:
        self._program = program
        self._possible, self._traced, self._count = seeds, traced, count
        self.certain = (1 << count) - 1
        self._comparable = ~(addresses | addresses << count)
        self._held: dict[Key, int] = {}
        self._texts: dict[Text, dict[str, int]] = {}  # attributes by their object
        self._reads: dict[tuple[int, int, bool, Keys], Read] = {}  # by scope, expression and element
        self._readers: dict[Key, dict[Step | Task, None]] = {}
        self._onto: dict[Key, dict[Key, None]] = {}  # what holds all that a key holds
        self._joined: set[int] = set()
        self._steps: dict[int, list[Step]] = {}  # by scope
        self.dropped: set[int] = set()
        self._due: deque[Step | Task | Key] = deque()
        self._waiting: set[Step | Task | Key] = set()

    def due(self) -> Iterator[Step]:
        """The steps to look at, each again when what it reads has come to hold more, until there are none."""
        while self._due:
            one = self._due.popleft()
            self._waiting.remove(one)
            if isinstance(one, Step):
                yield one
            elif isinstance(one, Task):
                one.run()
            else:  # once for all that it came to hold meanwhile
                for other in self._onto.get(one, ()):
                    self.add(other, self._held.get(one, 0))
                self._wake(self._readers.get(one, ()))

    def hold_too(self, key: Key, other: Key) -> None:
        """Have one hold all that another holds."""
        onto = self._onto.setdefault(other, {})
        if key not in onto:
            onto[key] = None
            self.add(key, self._held.get(other, 0))

    def join(self, callees: Callees) -> None:
        """What functions hand out is of them together too."""
        if id(callees) not in self._joined:
            self._joined.add(id(callees))
            for function, _ in callees:
                self.hold_too((id(callees), RETURNED), (id(function), RETURNED))

    def enter(self, scope: Scope, file: str) -> None:
        """Have all steps of a scope looked at."""
        steps = self._steps.get(id(scope))
        if steps is None:
            steps, dropped = steps_of(scope, file, self._program)
            self.dropped.update(dropped)
            self._steps[id(scope)] = steps
        self._wake(steps)

    def put(self, seeds: dict[tuple[int, Keys], int]) -> None:
        """Have expressions, by ``id`` and the keys of an element, be what values come out of, and no other."""
        self._held = {key: values for key, values in self._held.items() if key[1] and key[1][0] != "["}
        for (seed, keys), values in seeds.items():
            for path in written_for(keys):
                self.add((seed, path), values)

    def bind(self, scope: Scope, name: str, values: int) -> int:
        """Have a variable of a scope hold values; those that it did not yet hold."""
        return self.add((id(scope), name), values)

    def at(self, key: Key) -> int:
        """The values that are held by a key."""
        return self._held.get(key, 0)

    def watch(self, key: Key, task: Task) -> None:
        """Have a task run when a key has come to hold more than now, and once before if it holds any."""
        self._readers.setdefault(key, {})[task] = None
        if self._held.get(key):
            self._wake((task,))

    def may(self, values: int) -> int:
        """That the values may be there."""
        return values & ~self.certain | (values & self.certain) << self._count

    def bind_attribute(
        self, scope: Scope, file: str, target: ast.Attribute, values: int, *, alone: bool = False
    ) -> int:
        """Have an attribute hold values where the file has it by the same text, and perhaps by any other.

        Args:
            scope: that it stands in.
            file: of the scope.
            target: the attribute.
            values: that it holds.
            alone: whether its object is not said to hold them too.

        Returns:
            Those that it did not yet hold.
        """
        text = text_of_object(target, scope, file, self._program)
        known = self._texts.setdefault(text, {})
        new = values & ~known.get(target.attr, 0)
        if new:
            known[target.attr] = known.get(target.attr, 0) | values
            kin = self._program.kin(target.value, scope, file)
            for key in (("" if kin is None else kin, target.attr), (ANY, target.attr)):
                if not isinstance(target, SetByFunction):
                    self.add(key, values)
            self._stir((text[0], f"{text[1]}.{target.attr}="))
            self._stir((text[0], f"{text[1]}="))
            if not alone and isinstance(target.value, (ast.Name, ast.Attribute)):
                self.add(contents_of(target.value, scope, file, self._program), self.may(values))
        return new

    def give(self, scope: Scope, file: str, keeper: ast.Name | ast.Attribute, values: int) -> int:
        """An object was given values, and may keep them; those that it did not yet have."""
        return self.add(given_to_object(keeper, scope, file, self._program), self.may(values))

    def show(self, values: int) -> int:
        """What is shown to somebody holds values; those that it did not yet hold."""
        return self.add(_SHOWN, self.may(values))

    def shown(self, step: Step) -> int:
        """What a step may see that catches what is shown."""
        self._readers.setdefault(_SHOWN, {})[step] = None
        return self._held.get(_SHOWN, 0)

    def set(self, name: str, values: int) -> int:
        """Any attribute so called, or file, may hold values; those that it did not yet hold."""
        self.add((ANY, name), self.may(values))
        return self.add(("", name), self.may(values))

    def read_out_of(self, step: Step, callees: Iterable[Callees]) -> int:
        """What functions hand out that a step calls without naming them."""
        for one in callees:
            self.join(one)
        return self.read_attributes(step, [(id(one), RETURNED) for one in callees])

    def hand_out(self, function: Scope, values: int) -> int:
        """Whoever calls a function may get values that it was not given by this caller; those that are new."""
        return self.add((id(function), RETURNED), values & ~self.certain)

    def throw(self, values: int) -> None:
        """An exception that is raised holds values."""
        self.add(_RAISED, self.may(values))

    def caught(self, step: Step) -> int:
        """What the exceptions hold that a step may catch."""
        self._readers.setdefault(_RAISED, {})[step] = None
        return self._held.get(_RAISED, 0)

    def read(self, step: Step, node: ast.AST, without: Collection[Key] = (), keys: Keys = ()) -> int:
        """The values that an expression of a step holds, or an element of it by its keys.

        Args:
            step: whose expression it is.
            node: the expression.
            without: what of it is asked for by itself.
            keys: of the element.
        """
        key = (id(step.scope), id(node), bool(without), keys)
        found = self._reads.get(key)
        if found is None:
            found = self._look(step.scope, step.file, [node], keys)
            if without:
                found = found._replace(keys=tuple(one for one in found.keys if one not in without))
            self._reads[key] = found
            for one in (*found.keys, *found.outer, *found.handed, *found.compared):
                self._readers.setdefault(one, {})[step] = None
            for loose, text, attribute in found.attributes:
                for one in loose:
                    self._readers.setdefault(one, {})[step] = None
                self._readers.setdefault((text[0], f"{text[1]}.{attribute}="), {})[step] = None
            for text, _ in found.methods:
                self._readers.setdefault((text[0], f"{text[1]}="), {})[step] = None
        return self._sum(found)

    def read_attributes(self, step: Step, keys: Collection[Key]) -> int:
        """What the attributes of an object hold that has them by these keys."""
        found = 0
        for key in keys:
            self._readers.setdefault(key, {})[step] = None
            found |= self._held.get(key, 0)
        return found

    def of(self, scope: Scope, name: str) -> int:
        """The values that a variable of a scope holds."""
        return self._held.get((id(scope), name), 0)

    def read_variable(self, step: Step, scope: Scope, name: str) -> int:
        """The same, for a step that is looked at again when it holds more."""
        self._readers.setdefault((id(scope), name), {})[step] = None
        return self.of(scope, name)

    def hold(self, scope: Scope, file: str, nodes: list[ast.AST]) -> int:
        """The values that expressions hold."""
        return self._sum(self._look(scope, file, nodes))

    def _sum(self, found: Read) -> int:
        held, values, loose = self._held, 0, 0
        for key in found.keys:
            values |= held.get(key, 0)
        for key in found.outer:
            loose |= held.get(key, 0)
        values |= loose
        for key in found.handed:  # what a function of the file is given comes back only if it returns that
            values |= held.get(key, 0) & self.certain
        for key in found.compared:
            values |= held.get(key, 0) & self._comparable
        for any_of, text, attribute in found.attributes:
            for key in any_of:
                loose |= held.get(key, 0)
            values |= self._texts.get(text, _NOTHING).get(attribute, 0)
        for text, callees in found.methods:
            known = self._texts.get(text, _NOTHING)
            for attribute in known.keys() & callees.handed_on:
                values |= known[attribute]
        return values | self.may(loose)

    def _look(self, scope: Scope, file: str, nodes: list[ast.AST], keys: Keys = ()) -> Read:
        found = read(scope, file, nodes, self._possible, self._traced, self._program, keys)
        for callees in found.callees:
            self.join(callees)
        return found

    def add(self, key: Key, values: int) -> int:
        """Have a key hold values; those that it did not yet hold."""
        known = self._held.get(key, 0)
        new = values & ~known
        if new:
            self._held[key] = known | new
            self._stir(key)
        return new

    def _stir(self, key: Key) -> None:
        if key not in self._waiting:
            self._waiting.add(key)
            self._due.append(key)

    def _wake(self, steps: Iterable[Step | Task]) -> None:
        for step in steps:
            if step not in self._waiting:
                self._waiting.add(step)
                self._due.append(step)
