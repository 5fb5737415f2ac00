"""What a call in the source does with the values that it is given: hands them to a function, or to others."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable
from functools import reduce
from operator import or_

from graphvis.live.recorder.following.aliases import made_elsewhere, made_of
from graphvis.live.recorder.following.arguing import (
    BUILTINS,
    CATCHING,
    GATHERING,
    SHOWING,
    attributes_set,
    can_be_filled,
    filled,
    given,
    given_to,
    only_keeps,
)
from graphvis.live.recorder.following.classes import fields_of
from graphvis.live.recorder.following.holding import Holding, Step
from graphvis.live.recorder.following.program import Function, Program
from graphvis.live.recorder.following.putting import Putting
from graphvis.live.recorder.following.reading import Key, attributes_given, attributes_of_object, outside_of, path_given
from graphvis.live.recorder.following.source import Def, called, parameters_of


class Giving:
    """The calls in the source.

    Args:
        program: the files.
        holding: what holds what.
        putting: where what they are given is put.
        read: tells the values that an expression of a step holds.
        traced: the ``id`` of each expression whose value is a tensor that the recording saw being made.
        addresses: the values that tell where tensors lie, and not what.
    """

    def __init__(
        self,
        program: Program,
        holding: Holding,
        putting: Putting,
        read: Callable[..., int],
        traced: Collection[int],
        addresses: int,
    ) -> None:
        self._program, self._holding, self._putting, self._read = program, holding, putting, read
        self._traced, self._addresses = traced, addresses
        self._paths: dict[tuple[int, int], list[Key]] = {}  # by scope and argument

    def give(self, step: Step, node: ast.Call) -> None:
        """What it is appended to holds it; a function of the same file that it is given to holds it by a name."""
        if id(node) in self._traced:
            return
        arguments = [*node.args, *(word.value for word in node.keywords)]
        functions, others = self._functions(step, node)
        values = self._given(step, node, arguments)
        if functions is None:
            self._hand_over(step, node, arguments)
        for function, _ in (*(functions or ()), *others):
            self._fill_from(step, function, node, values)
        for function, file in functions or ():
            self._tell_path(step, function, file, node)
        if not values:
            return
        for argument in arguments if functions is None else ():
            self._call_back(step, argument, values)
        self._make(step, node, functions is not None, values)
        self._give_to_others(step, node, functions is not None, values)
        for function, file in (*(functions or ()), *others):
            self._hand_all(step, node, function, file)
            self._wrap(function, file, values)

    def _functions(self, step: Step, node: ast.Call) -> tuple[list[Function] | None, list[Function]]:
        """The functions that a call may run, None if nobody knows of any, and others that it may run if it does not."""
        if methods := self._methods_of_its_class(step, node):
            return methods, []
        if self._is_foreign(step, node):
            return None, []
        return self._program.functions(node, step.file), list(self._methods(node, step.file))

    def _methods_of_its_class(self, step: Step, node: ast.Call) -> list[Function]:
        """What a call runs of a class of the program, where all that makes its object are calls of classes."""
        owner, method = (
            (node.func.value, node.func.attr) if isinstance(node.func, ast.Attribute) else (node.func, "__call__")
        )
        if not isinstance(owner, ast.Name):
            return []
        scope, name, file = self._program.owner(owner.id, step.scope, step.file)
        given_to_it = isinstance(scope, Def) and name in parameters_of(scope)
        makers = [] if given_to_it else made_of(ast.Name(name, ast.Load()), scope)
        classes = [list(self._program.classes(maker, file)) for maker in makers]
        found = [(one, home) for some in classes for kind, home in some for one in kind.body if isinstance(one, Def)]
        return [one for one in found if one[0].name == method] if all(classes) else []

    def _given(self, step: Step, node: ast.Call, given: list[ast.expr]) -> int:
        """What a call is given; those that it is given may also catch what is shown."""
        if called(node) in CATCHING and (shown := self._holding.shown(step)):
            for argument in given:
                self._putting.fill(step.scope, step.file, argument, shown)
        return reduce(or_, [self._read(step, argument) for argument in given], 0)

    def _hand_over(self, step: Step, node: ast.Call, given: list[ast.expr]) -> None:
        """What was made of values may give them to what it is called with: ``methodcaller("put", number)(shelf)``."""
        if not isinstance(node.func, (ast.Call, ast.Name)) or id(node) not in self._holding.dropped:
            return
        if before := self._read(step, node.func):
            for argument in given:
                self._putting.fill(step.scope, step.file, argument, before)
            for argument in node.func.args if isinstance(node.func, ast.Call) else ():
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    named = self._program.named(argument.value, step.file)
                    self._enter_all([*named, *self._program.methods(argument.value, step.file)], before)

    def _enter_all(self, functions: Iterable[Function], values: int) -> None:
        """Whoever has functions may call them with values."""
        for function, file in functions:
            for parameter in parameters_of(function):
                if parameter not in ("self", "cls"):
                    self._putting.enter(function, file, parameter, self._holding.may(values))

    def _make(self, step: Step, node: ast.Call, known: bool, values: int) -> None:
        """An object that is made of values may have them as attributes: of those it is given by name, that one."""
        if (known and self._program.functions(node, step.file)) or id(node) in self._holding.dropped:
            return
        if not known and (only_keeps(node, self._program.imported(step.file)) or called(node) in GATHERING | SHOWING):
            return
        for word in node.keywords:
            if word.arg is not None and (held := self._read(step, word.value)):
                self._putting.set(word.arg, step.file, held)
        for made, _ in self._program.classes(node, step.file) if values else ():
            for field in fields_of(made) if any(self._read(step, argument) for argument in node.args) else ():
                self._putting.set(field, step.file, values)
        self._putting.give_to_class(step.scope, step.file, node, values)

    def _give_to_others(self, step: Step, node: ast.Call, known: bool, values: int) -> None:
        """What is called is nobody's function, or may be another's."""
        if not known and not only_keeps(node, self._program.imported(step.file)):
            self._putting.lose(values & self._addresses)
        if not known or self._is_of_others(step, node):
            self._give_away(step, node, values, known=known)
        if known and isinstance(node.func, ast.Attribute) and self._program.is_stored(node.func.attr):
            self._putting.lose(values)  # to what was put in the place of the method

    def _hand_all(self, step: Step, node: ast.Call, function: Def, file: str) -> None:
        for name, argument in given(function, node):
            self._hand(step, argument, function, file, name)

    def _hand(self, step: Step, argument: ast.expr, function: Def, file: str, name: str) -> None:
        """Have a parameter hold what an argument does: what only an attribute of it holds is had by that attribute."""
        keys = attributes_of_object(argument, step.scope, step.file, self._program)
        self._putting.enter(function, file, name, self._read(step, argument, keys))
        if attributes := self._holding.read_attributes(step, keys):
            self._putting.enter(function, file, attributes_given(name), self._holding.may(attributes))

    def _tell_path(self, step: Step, function: Def, file: str, node: ast.Call) -> None:
        """Who is told where a file lies may read there what was written to it."""
        for name, argument in given(function, node):
            key = id(step.scope), id(argument)
            if key not in self._paths:
                self._paths[key] = outside_of(argument, step.scope, step.file, self._program)
            if inside := self._holding.read_attributes(step, self._paths[key]):
                self._putting.enter(function, file, path_given(name), self._holding.may(inside))

    def _methods(self, node: ast.Call, file: str) -> Iterable[Function]:
        """The methods of other files that a call may run."""
        if not isinstance(node.func, ast.Attribute) or self._is_of_module(node, file):
            return ()
        return self._program.methods(node.func.attr, file)

    def _is_of_others(self, step: Step, node: ast.Call) -> bool:
        """Whether a method may be another's than the function of that name: a list's, a file's."""
        if not isinstance(node.func, ast.Attribute) or self._is_of_module(node, step.file):
            return False
        imported = self._program.imported(step.file)
        return node.func.attr in GATHERING or any(made_elsewhere(node.func.value, step.scope, imported))

    def _is_foreign(self, step: Step, node: ast.Call) -> bool:
        """Whether a method is surely another's: its object was made elsewhere, and of nothing that the program has."""
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if not isinstance(owner, ast.Name):
            return False
        makers = list(made_elsewhere(owner, step.scope, self._program.imported(step.file)))
        given = [one for call in makers for one in (*call.args, *call.keywords)]
        return bool(makers) and all(isinstance(one, ast.Constant) for one in given)

    def _is_of_module(self, node: ast.Call, file: str) -> bool:
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if isinstance(owner, ast.Name) and owner.id in self._program.imported(file):
            return True
        return owner is not None and self._program.module(owner, file) is not None

    def _call_back(self, step: Step, argument: ast.expr, values: int) -> None:
        """Whoever is given a function and values may call the one with the others."""
        if isinstance(argument, ast.Lambda):
            for name in parameters_of(argument):
                self._putting.enter(argument, step.file, name, self._holding.may(values))
        elif isinstance(argument, ast.Name):
            self._enter_all(self._program.named(argument.id, step.file), values)
        elif isinstance(argument, ast.Attribute):
            home = self._program.module(argument.value, step.file)
            methods = self._program.methods(argument.attr, step.file) if home is None else ()
            self._enter_all([*self._program.named(argument.attr, home or step.file), *methods], values)
            if argument.attr in GATHERING:
                self._putting.fill(step.scope, step.file, argument.value, values)

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
        """What a decorator puts around a function is given what the function is called with."""
        for decorator in function.decorator_list:
            name = called(decorator) if isinstance(decorator, ast.Call) else getattr(decorator, "id", None)
            for one, home in self._program.named(name or "", file):
                for inner in ast.walk(one):
                    if isinstance(inner, Def) and inner is not one:
                        for parameter in parameters_of(inner):
                            self._putting.enter(inner, home, parameter, values)

    def _give_away(self, step: Step, node: ast.Call, values: int, known: bool) -> None:
        """What cannot be read was given values: its object may keep them, and whatever else it is given."""
        function = node.func
        if not isinstance(function, (ast.Name, ast.Attribute)):
            self._putting.lose(values)
        elif isinstance(function, ast.Attribute):
            self._give_to_object(step, function, values, known)
        elif function.id == "print":
            self._putting.show(values, step.file)
        elif not (function.id in BUILTINS or function.id in self._program.imported(step.file)):
            self._putting.lose(values)
        if id(node) in self._holding.dropped and not known:
            words = [word.value for word in node.keywords]
            for argument in words if called(node) in SHOWING else [*node.args, *words]:
                if isinstance(argument, (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant, ast.BinOp)):
                    self._putting.fill(step.scope, step.file, argument, values & ~self._read(step, argument))

    def _give_to_object(self, step: Step, function: ast.Attribute, values: int, known: bool) -> None:
        keeper: ast.AST = function.value
        root = keeper
        while isinstance(root, (ast.Attribute, ast.Subscript, ast.Call)):
            root = root.func if isinstance(root, ast.Call) else root.value
        imported = isinstance(root, ast.Name) and root.id in self._program.imported(step.file)
        if function.attr in SHOWING and not known:
            self._putting.show(values, step.file)
        if imported and isinstance(keeper, ast.Name):  # torch.add is no set's add
            return
        if imported and isinstance(keeper, ast.Attribute) and function.attr in GATHERING:  # os.environ
            self._putting.set(keeper.attr, step.file, values)
        elif function.attr in GATHERING and not known and not imported:
            self._putting.bind(step.scope, step.file, keeper, values, into=True)
        elif function.attr in SHOWING or not isinstance(root, (ast.Name, ast.BinOp)):
            return
        elif isinstance(keeper, ast.Name) and keeper.id in ("self", "cls"):
            self._putting.lose(0 if known else values)
        else:
            self._putting.fill(step.scope, step.file, keeper, values)
