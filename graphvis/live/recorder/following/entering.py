"""Which functions values went into, and which scopes are looked into because they read what came to hold them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from graphvis.live.recorder.following.callees import Callees, parameters_at
from graphvis.live.recorder.following.holding import Holding
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.source import Def, Scope
from graphvis.live.recorder.following.steps import Task

_ALL = -1


class Entering:
    """What is looked into.

    Attributes:
        entered: by scope, what went into it, and was not left by return.
        from_inside: of that what functions put into its variables that it defines.

    Args:
        program: the files.
        holding: what holds what.
    """

    def __init__(self, program: Program, holding: Holding) -> None:
        self._program, self._holding = program, holding
        self.entered: dict[int, int] = {}
        self.from_inside: dict[int, int] = {}
        self._watched: set[tuple[int, str]] = set()
        self._shown: set[tuple[object, ...]] = set()

    def look_into(self, scope: Scope, file: str, values: int) -> None:
        """Have all of a scope looked at for values that may be there."""
        known = self.entered.get(id(scope), 0)
        if values & ~known:
            self.entered[id(scope)] = known | values
            self._holding.enter(scope, file)

    def enter(self, function: Def | ast.Lambda, file: str, name: str, values: int) -> None:
        """A parameter of a function holds what it is given."""
        if values:
            self.look_into(function, file, values)
            self.bind(function, name, file, values, function)

    def enter_all(self, callees: Callees, place: str, values: int, rename: Callable[[str], str] = str) -> None:
        """Functions are given values at a place: each is entered once for all that is given there meanwhile.

        Args:
            callees: the functions.
            place: where they are given.
            values: that are given.
            rename: what of a parameter holds them.
        """
        if not callees or not values:
            return
        key = (id(callees), rename(f"@{place}"))
        if key not in self._watched:
            self._watched.add(key)
            done = 0

            def run() -> None:
                nonlocal done
                new = self._holding.at(key) & ~done
                done |= new
                for function, file in callees:
                    for name in parameters_at(function, place):
                        self.enter(function, file, rename(name), new)

            self._holding.watch(key, Task(run))
        self._holding.add(key, values)

    def bind(self, owner: Scope, name: str, file: str, values: int, scope: Scope | None = None) -> None:
        """Have a variable of a scope hold values; the scopes that read it take them in.

        Args:
            owner: the scope whose variable it is.
            name: it has there.
            file: of the owner.
            values: that it holds.
            scope: that puts them there.
        """
        if owner is not scope:  # which need not have been called by it
            self.from_inside[id(owner)] = self.from_inside.get(id(owner), 0) | values
            self.look_into(owner, file, values)
        key = (id(owner), name)
        if key not in self._watched:
            self._watched.add(key)

            def run() -> None:
                for scope, home in self._program.readers(name.partition("[")[0], owner, file):  # of an element too
                    self.look_into(scope, home, self._holding.at(key))

            self._holding.watch(key, Task(run))
        self._holding.add(key, values)

    # -- readers of what is no variable: whatever it holds they may find there

    def show_attribute(self, attribute: str, file: str) -> None:
        """The scopes that name an attribute which a file sets may find values there."""
        attribute = attribute.partition("[")[0]
        shown = ("attribute", attribute, self._program.is_users(file) or file)
        self._look_into_all(shown, self._program.attribute_readers(attribute, file))

    def show_object(self, scope: Scope, file: str, node: ast.Name | ast.Attribute) -> None:
        """The scopes that read the variable that an object is may find values in it."""
        if (variable := self._program.variable(node, scope, file)) is not None:
            owner, name, home = variable
            self._look_into_all(("object", id(owner), name), self._program.readers(name, owner, home))

    def show_text(self, text: str) -> None:
        """The scopes that name what lies outside by a text may find values there."""
        self._look_into_all(("text", text), self._program.text_readers(text))

    def show_name(self, name: str, file: str) -> None:
        """The scopes that name a function of a file may get values from it."""
        self._look_into_all(("name", name, self._program.is_users(file) or file), self._program.namers(name, file))

    def show_all(self, file: str) -> None:
        """Any scope of the files that are followed together with a file may get values without naming whose."""
        self._look_into_all(("all", self._program.is_users(file) or file), self._program.scopes(file))

    def _look_into_all(self, shown: tuple[object, ...], scopes: Iterable[tuple[Scope, str]]) -> None:
        if shown not in self._shown:
            self._shown.add(shown)
            for scope, file in scopes:
                self.look_into(scope, file, _ALL)
