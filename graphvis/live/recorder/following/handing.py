"""What calls hand to the functions that they may run, and what these put into what they were handed.

All calls of functions by one name hand it over together, and what any of the functions fills is looked at once for
each object: else the work grew with the calls times the functions.
"""

from __future__ import annotations

import ast

from graphvis.live.recorder.following.arguing import SetByFunction, attributes_set, can_be_filled, filled
from graphvis.live.recorder.following.callees import EVERY, Callees, parameters_at, places, places_to
from graphvis.live.recorder.following.entering import Entering
from graphvis.live.recorder.following.holding import Holding
from graphvis.live.recorder.following.keys import Key, outside_of, path_given
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.putting import Putting
from graphvis.live.recorder.following.source import Def, text_of
from graphvis.live.recorder.following.steps import Step, Task


class Handing:
    """What goes from calls into functions, and back.

    Args:
        program: the files.
        holding: what holds what.
        putting: where what functions fill is put.
        entering: which functions values went into.
    """

    def __init__(self, program: Program, holding: Holding, putting: Putting, entering: Entering) -> None:
        self._program, self._holding, self._putting, self._entering = program, holding, putting, entering
        self._filling: dict[tuple[int, int | str, int, str], Key] = {}
        self._gathered: set[tuple[Callees, str]] = set()
        self._wrappers: dict[Callees, Callees] = {}
        self._paths: dict[tuple[int, int], list[Key]] = {}  # by scope and argument

    def enter_wrappers(self, callees: Callees, values: int) -> None:
        """What a decorator puts around a function is given what the function is called with."""
        if callees not in self._wrappers:
            self._wrappers[callees] = Callees(
                (inner, home)
                for name, file in callees.decorators
                for one, home in self._program.named(name, file)
                for inner in ast.walk(one)
                if isinstance(inner, Def) and inner is not one
            )
        self._entering.enter_all(self._wrappers[callees], EVERY, values)

    def tell_path(self, step: Step, callees: Callees, node: ast.Call) -> None:
        """Who is told where a file lies may read there what was written to it."""
        for place, argument in places(node):
            key = id(step.scope), id(argument)
            if key not in self._paths:
                self._paths[key] = outside_of(argument, step.scope, step.file, self._program)
            if inside := self._holding.read_attributes(step, self._paths[key]):
                self._entering.enter_all(callees, place, self._holding.may(inside), path_given)

    def fill_from(self, step: Step, callees: Callees, node: ast.Call, values: int) -> None:
        """What functions put into the objects that they are given, the caller has, who gave them the values."""
        for place, argument in places_to(node) if callees else ():
            named = text_of(argument) if isinstance(argument, (ast.Name, ast.Attribute)) else id(argument)
            whose = (id(step.scope), named, id(callees), place)
            if whose not in self._filling:
                self._filling[whose] = self._watch(step, callees, place, argument)
            self._holding.add(self._filling[whose], values)

    def _watch(self, step: Step, callees: Callees, place: str, argument: ast.expr) -> Key:
        """Have an object hold what functions put into it that are given it; the key of what its caller gives them."""
        self._gather(callees, place)
        put_by = (id(callees), f"@{place}")
        put, set_ = (id(callees), filled(put_by[1])), (id(callees), attributes_set(put_by[1]))
        targets: dict[str, SetByFunction] = {}

        def run() -> None:
            certain, values = self._holding.certain, self._holding.at(given)
            held = self._holding.at(put)
            if held & ~certain:
                self._putting.fill(step.scope, step.file, argument, held & ~certain)
            if held & values and can_be_filled(argument):
                self._putting.bind(step.scope, step.file, argument, held & values, into=True)
            for attribute, some in list(self._putting.put_in.get(put_by, {}).items()):
                if found := some & (values | ~certain):
                    if attribute not in targets:
                        targets[attribute] = SetByFunction(argument, attribute, ast.Store())
                    self._putting.bind(step.scope, step.file, targets[attribute], found)

        task = Task(run)
        given = (id(task), "given")
        for key in (given, put, set_):
            self._holding.watch(key, task)
        return given

    def _gather(self, callees: Callees, place: str) -> None:
        """What any of the functions puts into what it is given at a place, they put there together."""
        if (callees, place) in self._gathered:
            return
        self._gathered.add((callees, place))
        for function, _ in callees:
            for name in parameters_at(function, place):
                for kind in (filled, attributes_set):
                    self._holding.hold_too((id(callees), kind(f"@{place}")), (id(function), kind(name)))
                self._putting.put_too((id(callees), f"@{place}"), (id(function), name))
