"""What a call in the source does with the values that it is given: hands them to a function, or to others."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection
from functools import reduce
from operator import or_

from graphvis.live.recorder.following.aliases import made_elsewhere, made_of
from graphvis.live.recorder.following.arguing import BUILTINS, CATCHING, GATHERING, SHOWING, only_keeps
from graphvis.live.recorder.following.callees import ANY, NOBODY, Callees, parameters_at, places
from graphvis.live.recorder.following.classes import fields_of
from graphvis.live.recorder.following.elements import elements_in, is_keyed
from graphvis.live.recorder.following.entering import Entering
from graphvis.live.recorder.following.handing import Handing
from graphvis.live.recorder.following.holding import Holding
from graphvis.live.recorder.following.keys import attributes_given, attributes_of_object
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.putting import Putting
from graphvis.live.recorder.following.source import Def, Scope, called, parameters_of
from graphvis.live.recorder.following.steps import Step


class Giving:
    """The calls in the source.

    Args:
        program: the files.
        holding: what holds what.
        putting: where what they are given is put.
        entering: which functions it goes into.
        read: tells the values that an expression of a step holds.
        traced: the ``id`` of each expression whose value is a tensor that the recording saw being made.
        addresses: the values that tell where tensors lie, and not what.
    """

    def __init__(
        self,
        program: Program,
        holding: Holding,
        putting: Putting,
        entering: Entering,
        read: Callable[..., int],
        traced: Collection[int],
        addresses: int,
    ) -> None:
        self._program, self._holding, self._putting, self._read = program, holding, putting, read
        self._entering, self._handing = entering, Handing(program, holding, putting, entering)
        self._traced, self._addresses = traced, addresses
        self._by_key: dict[tuple[int, int], ast.Call] = {}
        self._of_class: dict[tuple[int, str, str], Callees] = {}
        self._callees: dict[tuple[int, ...], Callees] = {}

    def give(self, step: Step, node: ast.Call) -> None:
        """What it is appended to holds it; a function of the same file that it is given to holds it by a name."""
        if id(node) in self._traced:
            return
        if found := self._program.called_by_key(node, step.scope, step.file):
            for one in found:
                self._give_by_key(step, node, one)
            return
        arguments = [*node.args, *(word.value for word in node.keywords)]
        functions, others = self._functions(step, node)
        values = self._given(step, node, arguments)
        if functions is None:
            self._hand_over(step, node, arguments)
        for callees in (functions or NOBODY, others):
            self._handing.fill_from(step, callees, node, values)
        if functions:
            self._handing.tell_path(step, functions, node)
        if not values:
            return
        for argument in arguments if functions is None else ():
            self._call_back(step, argument, values)
        self._make(step, node, functions is not None, values)
        self._give_to_others(step, node, functions is not None, values)
        for callees in (functions or NOBODY, others):
            self._hand(step, node, callees)
            self._handing.enter_wrappers(callees, values)

    def _give_by_key(self, step: Step, node: ast.Call, function: ast.expr) -> None:
        if isinstance(function, ast.Lambda):
            given = [argument for _, argument in places(node)]
            values = reduce(or_, [self._read(step, argument) for argument in given], 0)
            for argument in given:  # it may put the one into the other
                self._putting.fill(step.scope, step.file, argument, values & ~self._read(step, argument))
            for place, argument in places(node):
                for name in parameters_at(function, place):
                    self._entering.enter(function, step.file, name, self._read(step, argument))
            return
        key = id(node), id(function)
        if key not in self._by_key:
            self._by_key[key] = ast.copy_location(ast.Call(function, node.args, node.keywords), node)
            if id(node) in self._holding.dropped:
                self._holding.dropped.add(id(self._by_key[key]))
        self.give(step, self._by_key[key])

    def _functions(self, step: Step, node: ast.Call) -> tuple[Callees | None, Callees]:
        """The functions that a call may run, None if nobody knows of any, and others that it may run if it does not."""
        if methods := self._methods_of_its_class(step, node):
            return methods, NOBODY
        if self._is_foreign(step, node):
            return None, NOBODY
        return self._program.functions(node, step.file), self._methods(node, step.file)

    def _methods_of_its_class(self, step: Step, node: ast.Call) -> Callees:
        """What a call runs of a class of the program, where it is known what class its object is of."""
        owner, method = (
            (node.func.value, node.func.attr) if isinstance(node.func, ast.Attribute) else (node.func, "__call__")
        )
        if isinstance(owner, ast.Name):
            scope, name, file = self._program.owner(owner.id, step.scope, step.file)
            key = id(scope), name, method
            if key not in self._of_class:
                self._of_class[key] = self._methods_of(scope, name, file, method)
            if found := self._of_class[key]:
                return found
        kin = self._program.kin(owner, step.scope, step.file)
        return NOBODY if kin is None else self._program.methods_of_family(kin, method)

    def _methods_of(self, scope: Scope, name: str, file: str, method: str) -> Callees:
        """The methods so called of the classes that make the object of a variable, where nothing else makes it."""
        given_to_it = isinstance(scope, Def) and name in parameters_of(scope)
        makers = [] if given_to_it else made_of(ast.Name(name, ast.Load()), scope)
        classes = [list(self._program.classes(maker, file)) for maker in makers]
        found = {
            id(one): (one, home)
            for kind, home in {id(kind): (kind, home) for some in classes for kind, home in some}.values()
            for one in kind.body
            if isinstance(one, Def) and one.name == method
        }
        if not found or not all(classes):
            return NOBODY
        return self._callees.setdefault(tuple(found), Callees(found.values()))

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
                    self._enter_any(self._program.named(argument.value, step.file), before)
                    self._enter_any(self._program.methods(argument.value, step.file), before)

    def _enter_any(self, callees: Callees, values: int) -> None:
        """Whoever has functions may call them with values."""
        self._entering.enter_all(callees, ANY, self._holding.may(values))

    def _make(self, step: Step, node: ast.Call, known: bool, values: int) -> None:
        """An object that is made of values may have them as attributes: of those it is given by name, that one."""
        if (known and self._program.functions(node, step.file)) or id(node) in self._holding.dropped:
            return
        if not known and (only_keeps(node, self._program.imported(step.file)) or called(node) in GATHERING | SHOWING):
            return
        for word in node.keywords:
            if word.arg is not None and (held := self._read(step, word.value)):
                self._putting.set(word.arg, step.file, held)
        if told := self._program.fields(node, step.file):
            for field, part in told:
                self._putting.set(field, step.file, self._read(step, part))
            return
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
        method = node.func
        if known and isinstance(method, ast.Attribute) and self._program.is_replaced(method, step.scope, step.file):
            self._putting.lose(values)  # to what was put in the place of the method

    def _hand(self, step: Step, node: ast.Call, callees: Callees) -> None:
        """Have parameters hold what arguments do: what only an attribute of one holds is had by that attribute."""
        for place, argument in places(node) if callees else ():
            keys = attributes_of_object(argument, step.scope, step.file, self._program)
            self._entering.enter_all(callees, place, self._read(step, argument, keys))
            if attributes := self._holding.read_attributes(step, keys):
                self._entering.enter_all(callees, place, self._holding.may(attributes), attributes_given)

    def _methods(self, node: ast.Call, file: str) -> Callees:
        """The methods of any file that a call may run."""
        if not isinstance(node.func, ast.Attribute) or self._is_of_module(node, file):
            return NOBODY
        return self._program.methods(node.func.attr, file)

    def _is_of_others(self, step: Step, node: ast.Call) -> bool:
        """Whether a method may be another's than the function of that name: a list's, a file's."""
        if not isinstance(node.func, ast.Attribute) or self._is_of_module(node, step.file):
            return False
        if self._methods_of_its_class(step, node):
            return False
        imported = self._program.imported(step.file)
        return node.func.attr in GATHERING or any(made_elsewhere(node.func.value, step.scope, imported))

    def _is_foreign(self, step: Step, node: ast.Call) -> bool:
        """Whether a method is surely another's: its object was made elsewhere, and of nothing that the program has."""
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if not isinstance(owner, ast.Name):
            return False
        if self._program.elements(owner, step.scope, step.file) == "keyed":
            return True
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
                self._entering.enter(argument, step.file, name, self._holding.may(values))
        elif isinstance(argument, ast.Name):
            self._enter_any(self._program.named(argument.id, step.file), values)
        elif isinstance(argument, ast.Attribute):
            home = self._program.module(argument.value, step.file)
            self._enter_any(self._program.named(argument.attr, home or step.file), values)
            if home is None:
                self._enter_any(self._program.methods(argument.attr, step.file), values)
            if argument.attr in GATHERING:
                self._putting.fill(step.scope, step.file, argument.value, values)

    def _give_away(self, step: Step, node: ast.Call, values: int, known: bool) -> None:
        """What cannot be read was given values: its object may keep them, and whatever else it is given."""
        function = node.func
        if not isinstance(function, (ast.Name, ast.Attribute)):
            self._putting.lose(values)
        elif isinstance(function, ast.Attribute):
            self._give_to_object(step, node, function, values, known)
        elif function.id == "print":
            self._putting.show(values, step.file)
        elif not (function.id in BUILTINS or function.id in self._program.imported(step.file)):
            self._putting.lose(values)
        if id(node) in self._holding.dropped and not known:
            words = [word.value for word in node.keywords]
            for argument in words if called(node) in SHOWING else [*node.args, *words]:
                if isinstance(argument, (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant, ast.BinOp)):
                    self._putting.fill(step.scope, step.file, argument, values & ~self._read(step, argument))

    def _give_to_object(self, step: Step, node: ast.Call, function: ast.Attribute, values: int, known: bool) -> None:
        keeper = function.value
        root: ast.AST = keeper
        while isinstance(root, (ast.Attribute, ast.Subscript, ast.Call)):
            root = root.func if isinstance(root, ast.Call) else root.value
        imported = isinstance(root, ast.Name) and root.id in self._program.imported(step.file)
        if function.attr in SHOWING and not known:
            self._putting.show(values, step.file)
        if imported and isinstance(keeper, ast.Name):  # torch.add is no set's add
            return
        if imported and isinstance(keeper, ast.Attribute) and function.attr in GATHERING:  # os.environ
            self._putting.set(keeper.attr, step.file, values)
        elif function.attr == "update" and self._program.elements(keeper, step.scope, step.file):
            for key, value in elements_in(node):
                for word, part in elements_in(value) if key is None and is_keyed(value) else [(key, value)]:
                    target = keeper if word is None else ast.Subscript(keeper, ast.Constant(word), ast.Store())
                    self._putting.bind(step.scope, step.file, target, self._read(step, part), into=True)
        elif function.attr in GATHERING and not known and not imported:
            self._putting.bind(step.scope, step.file, keeper, values, into=True)
        elif function.attr in SHOWING or not isinstance(root, (ast.Name, ast.BinOp)):
            return
        elif isinstance(keeper, ast.Name) and keeper.id in ("self", "cls"):
            self._putting.lose(0 if known else values)
        else:
            self._putting.fill(step.scope, step.file, keeper, values)
