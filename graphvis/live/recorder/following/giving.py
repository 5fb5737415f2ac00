"""What a call in the source does with the values that it is given: hands them to a function, or to others."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection
from functools import reduce
from operator import or_

from graphvis.live.recorder.following.arguing import (
    BUILTINS,
    GATHERING,
    SHOWING,
    attributes_set,
    can_be_filled,
    filled,
    given_to,
    of_module,
    only_keeps,
)
from graphvis.live.recorder.following.holding import Holding, Step
from graphvis.live.recorder.following.putting import Putting
from graphvis.live.recorder.following.source import Def, called, functions_of, imported_by, parameters_of


class Giving:
    """The calls in the source.

    Args:
        holding: what holds what.
        putting: where what they are given is put.
        read: tells the values that an expression of a step holds.
        traced: the ``id`` of each expression whose value is a tensor that the recording saw being made.
        addresses: the values that tell where tensors lie, and not what.
    """

    def __init__(
        self,
        holding: Holding,
        putting: Putting,
        read: Callable[[Step, ast.AST], int],
        traced: Collection[int],
        addresses: int,
    ) -> None:
        self._holding, self._putting, self._read = holding, putting, read
        self._traced, self._addresses = traced, addresses

    def give(self, step: Step, node: ast.Call) -> None:
        """What it is appended to holds it; a function of the same file that it is given to holds it by a name."""
        if id(node) in self._traced:
            return
        given = [*node.args, *(word.value for word in node.keywords)]
        values = reduce(or_, [self._read(step, argument) for argument in given], 0)
        functions = None if of_module(node, step.file) else functions_of(step.file).get(called(node) or "")
        for function in functions or ():
            self._fill_from(step, function, node, values)
        if not values:
            return
        for argument in given if functions is None else ():
            for function in functions_of(step.file).get(argument.id, ()) if isinstance(argument, ast.Name) else ():
                for name in parameters_of(function):  # whoever is given both may call it with them
                    self._putting.enter(function, step.file, name, self._holding.may(values))
        if functions is None and not only_keeps(node, step.file):
            self._putting.lose(values & self._addresses)
        if functions is None or (isinstance(node.func, ast.Attribute) and node.func.attr in GATHERING):
            self._give_away(step, node, values, known=functions is not None)
        for function in functions or ():
            for name, argument in given_to(function, node):
                if any(argument is one for one in given):
                    self._putting.enter(function, step.file, name, self._read(step, argument))
            self._wrap(function, step.file, values)

    def _fill_from(self, step: Step, function: Def, node: ast.Call, values: int) -> None:
        """What a function puts into an object that it is given, its caller has."""
        certain = self._holding.certain
        for name, argument in given_to(function, node):
            put = self._holding.read_variable(step, function, filled(name))
            if put & ~certain:
                self._putting.fill(step.scope, step.file, argument, put & ~certain)
            if put & values and can_be_filled(argument):
                self._putting.bind(step.scope, step.file, argument, put & values, into=True)
            self._holding.read_variable(step, function, attributes_set(name))
            for attribute, held in list(self._putting.put_in.get((id(function), name), {}).items()):
                if held := held & (values | ~certain):
                    target = ast.Attribute(argument, attribute, ast.Store())
                    self._putting.bind(step.scope, step.file, target, held)

    def _wrap(self, function: Def, file: str, values: int) -> None:
        """What a decorator of the file puts around a function is given what the function is called with."""
        for decorator in function.decorator_list:
            name = called(decorator) if isinstance(decorator, ast.Call) else getattr(decorator, "id", None)
            for one in functions_of(file).get(name or "", ()):
                for inner in ast.walk(one):
                    if isinstance(inner, Def) and inner is not one:
                        for parameter in parameters_of(inner):
                            self._putting.enter(inner, file, parameter, values)

    def _give_away(self, step: Step, node: ast.Call, values: int, known: bool) -> None:
        """What cannot be read was given values: its object may keep them, and whatever else it is given."""
        function = node.func
        if not isinstance(function, (ast.Name, ast.Attribute)):
            self._putting.lose(values)
        elif isinstance(function, ast.Attribute):
            self._give_to_object(step, function, values, known)
        elif not (function.id in BUILTINS or function.id in imported_by(step.file)):
            self._putting.lose(values)
        if id(node) in self._holding.dropped and not known:
            words = [word.value for word in node.keywords]
            for argument in words if called(node) in SHOWING else [*node.args, *words]:
                if isinstance(argument, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
                    self._putting.fill(step.scope, step.file, argument, values & ~self._read(step, argument))

    def _give_to_object(self, step: Step, function: ast.Attribute, values: int, known: bool) -> None:
        keeper: ast.AST = function.value
        root = keeper
        while isinstance(root, (ast.Attribute, ast.Subscript, ast.Call)):
            root = root.func if isinstance(root, ast.Call) else root.value
        if isinstance(root, ast.Name) and root.id in imported_by(step.file):  # torch.add is no set's add
            return
        if function.attr in GATHERING and not known:
            self._putting.bind(step.scope, step.file, keeper, values, into=True)
        elif function.attr in SHOWING or not isinstance(root, ast.Name):
            return
        elif isinstance(keeper, ast.Name) and keeper.id in ("self", "cls"):
            self._putting.lose(0 if known else values)
        else:
            self._putting.fill(step.scope, step.file, keeper, values)
