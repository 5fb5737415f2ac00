"""Where the source puts values: into variables and attributes, and into objects, which others may have too."""

from __future__ import annotations

import ast
from collections.abc import Collection

from graphvis.live.recorder.following.aliases import has_default, made_of, memory_of, names_in, set_to_parameters
from graphvis.live.recorder.following.arguing import BUILTINS, CATCHING, STREAMS, WRITERS, attributes_set, filled
from graphvis.live.recorder.following.callees import REST, SET
from graphvis.live.recorder.following.elements import Keys, base_of, written_for
from graphvis.live.recorder.following.entering import Entering
from graphvis.live.recorder.following.holding import Holding
from graphvis.live.recorder.following.keys import GIVEN, Key, given_to_object
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.source import Def, Function, Scope, free_names_of, outside, parameters_of


class Putting:
    """What was put where.

    Attributes:
        put_in: by function and parameter, the attributes that it sets of what it is given; of functions that are called
            by one name also by all of them together.
        filled_through: by function, what it puts into parts of what it is given.
        paths: by variable, the keys of the elements that values were put into.
        untold: the values that went where the source cannot be followed.

    Args:
        program: the files.
        holding: what holds what.
        entering: which functions values went into.
        numbers: the expressions, by ``id``, whose values are tensors, or values that left: no object that keeps any.
        count: how many values there are.
    """

    def __init__(
        self, program: Program, holding: Holding, entering: Entering, numbers: Collection[int], count: int
    ) -> None:
        self._program, self._holding, self._entering = program, holding, entering
        self._numbers, self._count = numbers, count
        self.filled_through: dict[int, int] = {}
        self.put_in: dict[tuple[int, str], dict[str, int]] = {}
        self.paths: dict[tuple[int, str], dict[Keys, None]] = {}
        self._put_too: dict[tuple[int, str], list[tuple[int, str]]] = {}
        self._set_to_parameters: set[Key] = set()
        self.untold = 0

    def any_way(self, values: int) -> int:
        """The values, whether they are there or may be."""
        return (values | values >> self._count) & ((1 << self._count) - 1)

    def lose(self, values: int) -> None:
        """Nobody can tell where values went."""
        self.untold |= self.any_way(values)

    def fill_by_call(self, scope: Scope, file: str, node: ast.AST, values: int) -> None:
        """What an expression names may have been given to a function that puts values into it."""
        self.fill(scope, file, node, values)
        for name in names_in(node, scope, self._program.imported(file), self._numbers):
            self._fill_through(scope, name, values)

    def _fill_through(self, scope: Scope, node: ast.AST, values: int) -> None:
        """What is put into a part of what a function was given, its caller may have."""
        if isinstance(node, ast.Name) and isinstance(scope, Function) and node.id in parameters_of(scope):
            known = self.filled_through.get(id(scope), 0)
            self.filled_through[id(scope)] = known | values & self._holding.certain

    def fill(self, scope: Scope, file: str, node: ast.AST, values: int) -> None:
        """What an expression names may keep values, and so may what it was made of."""
        for name in names_in(node, scope, self._program.imported(file), self._numbers):
            if isinstance(name, ast.Constant):
                self._give_outside(name, values)
                continue
            if isinstance(name, ast.Name) and name.id in ("self", "cls"):
                self.lose(values)
                continue
            if isinstance(name, ast.Attribute):
                self._holding.bind_attribute(scope, file, name, self._holding.may(values), alone=name is not node)
                self._entering.show_attribute(name.attr, file)
                self._fill_parameters(name.attr, values)
            self._give(scope, file, name, values)

    def _fill_parameter(self, function: Scope, file: str, name: str, values: int) -> None:
        """Who called a function with an object finds in it what it puts there."""
        if isinstance(function, ast.AsyncFunctionDef):  # whoever runs it, another made the call
            values |= self._holding.may(values)
            self._entering.show_name(function.name, file)
        self._holding.bind(function, filled(name), values)

    def _give(self, scope: Scope, file: str, keeper: ast.Name | ast.Attribute, values: int) -> None:
        """An object may keep values; the scopes that read the variable that it is may find them there."""
        if self._holding.give(scope, file, keeper, values):
            self._entering.show_object(scope, file, keeper)
            self.give_to_class(scope, file, keeper, values)
            if isinstance(keeper, ast.Name) and isinstance(scope, Function) and keeper.id in parameters_of(scope):
                self._fill_parameter(scope, file, keeper.id, self._holding.may(values))

    def give_to_class(self, scope: Scope, file: str, node: ast.AST, values: int) -> None:
        """What an object keeps that is a list, a dict, ..., the methods of its own class find in it."""
        makers = [node] if isinstance(node, ast.Call) else made_of(node, scope)
        for made, home in (one for maker in makers for one in self._program.classes(maker, file)):
            for function in made.body:
                if isinstance(function, Def) and (parameters := parameters_of(function)):
                    own = given_to_object(ast.Name(parameters[0], ast.Load()), function, home, self._program)
                    self._holding.hold_too(own, (id(made), GIVEN))
                    self._entering.look_into(function, home, -1)
            self._holding.add((id(made), GIVEN), self._holding.may(values))

    def _give_outside(self, node: ast.Constant, values: int) -> None:
        """What lies outside under a text may hold values; the scopes that name it so may read them there."""
        text = str(outside(node))
        if self._holding.set(text, values):
            self._entering.show_text(text)

    def set(self, attribute: str, file: str, values: int) -> None:
        """Any attribute so called may hold values."""
        if self._holding.set(attribute, values):
            self._entering.show_attribute(attribute, file)

    def show(self, values: int, file: str) -> None:
        """Somebody is shown values: also a class of the program that takes what is shown."""
        if not self._holding.show(values):
            return
        for name in WRITERS:
            for callees in (self._program.named(name, file), self._program.methods(name, file)):
                self._entering.enter_all(callees, REST, self._holding.may(values))
        for name in (*CATCHING, *STREAMS):
            self._entering.show_name(name, file)

    def hand_out(self, function: Scope, file: str, values: int) -> None:
        """Whoever calls a function may get values that it was not given by this caller."""
        special = isinstance(function, Def) and function.name.startswith("__")  # nobody names it who calls it
        if special and not self._has_from_others(function, file):  # what it has of its object, who names that reads
            return
        if self._holding.hand_out(function, values) and isinstance(function, Def):
            if special:
                self._entering.show_all(file)
            else:
                self._entering.show_name(function.name, file)

    def _has_from_others(self, function: Scope, file: str) -> bool:
        """Whether variables that are not a function's own hold what it may hand out."""
        names: list[ast.AST] = [*free_names_of(function)]
        return bool(names) and bool(self._holding.hold(function, file, names))

    def _fill_parameters(self, attribute: str, values: int) -> None:
        """What is put into the object that an attribute is, is in whatever a function sets the attribute to."""
        key = ("", filled(attribute))
        if key not in self._set_to_parameters:
            self._set_to_parameters.add(key)
            for file in self._program.files_with(attribute):
                for function, name in set_to_parameters(attribute, file):
                    self._holding.hold_too((id(function), filled(name)), key)
        self._holding.add(key, self._holding.may(values))

    def bind(self, scope: Scope, file: str, target: ast.AST, values: int, into: bool = False) -> None:
        """Have what is assigned to hold values; with `into` it is not bound, but filled."""
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self.bind(scope, file, element, values)
            return
        if isinstance(target, ast.Starred):
            self.bind(scope, file, target.value, values)
            return
        if isinstance(target, ast.Attribute):
            self._bind_attribute(scope, file, target, values, into)
            return
        base, keys = base_of(target)
        if keys and self._program.elements(base, scope, file):
            self.bind_element(scope, file, base, keys, values, into=True)
            return
        into = into or isinstance(target, ast.Subscript)
        while isinstance(target, (ast.Subscript, ast.Call, ast.Attribute)):
            if isinstance(target, ast.Call) and isinstance(target.func, ast.Name):
                self._bind_result(scope, file, target, values)
                return
            inner = target.func if isinstance(target, ast.Call) else target.value
            if isinstance(target, ast.Subscript) and isinstance(inner, ast.Attribute):
                self._bind_attribute(scope, file, inner, values, into=True)
                return
            target = inner
        if isinstance(target, ast.Name):
            self._bind_name(scope, file, target, values, into)

    def _bind_name(self, scope: Scope, file: str, target: ast.Name, values: int, into: bool) -> None:
        if not into:
            self.bind_variable(scope, file, target.id, values)
            return
        for known in (target.id, *memory_of(scope).get(target.id, ())):
            owner, name, home = self._program.owner(known, scope, file)
            self._entering.bind(owner, name, home, values, scope)
            self._fill_parameter(owner, home, name, values)
            if has_default(owner, name):
                self._holding.bind(owner, name, self._holding.may(values))
        for one in names_in(target, scope, self._program.imported(file), self._numbers):
            if isinstance(one, ast.Constant):
                self._give_outside(one, values)
            elif one is not target:
                self._give(scope, file, one, values)
                self._fill_through(scope, one, values)
            else:
                self.give_to_class(scope, file, one, values)

    def bind_element(self, scope: Scope, file: str, base: ast.AST, keys: Keys, values: int, into: bool = False) -> None:
        """Have what lies under constant keys of a dict or a tuple hold values."""
        if isinstance(base, ast.Attribute):
            for path in written_for(keys):
                element = ast.Attribute(base.value, f"{base.attr}{path}", ast.Store())
                self._bind_attribute(scope, file, element, values, into=True)
        elif isinstance(base, ast.Name):
            owner, name, home = self._program.owner(base.id, scope, file)
            for path in written_for(keys):
                self._entering.bind(owner, f"{name}{path}", home, values, scope)
            self.paths.setdefault((id(owner), name), {})[keys] = None
            for one in names_in(base, scope, self._program.imported(file), self._numbers) if into else ():
                is_kind = isinstance(one, ast.Name) and one.id in BUILTINS  # defaultdict(list)
                if not isinstance(one, ast.Constant) and one is not base and not is_kind:  # it may lie in theirs
                    self._give(scope, file, one, values)

    def _bind_result(self, scope: Scope, file: str, target: ast.Call, values: int) -> None:
        """What is put into an object that a function hands out is in what it was given, or nobody knows where."""
        if not target.args and not target.keywords:
            self.lose(values)
        for argument in target.args:
            self.fill(scope, file, argument, values)

    def _bind_attribute(self, scope: Scope, file: str, target: ast.Attribute, values: int, into: bool) -> None:
        if target.attr.startswith("__"):  # vars(thing) and thing.__dict__ are the thing
            self.fill(scope, file, target.value, values)
            return
        new = self._holding.bind_attribute(scope, file, target, values)
        if not new:
            return
        if (variable := self._program.variable(target, scope, file)) is not None:
            self._entering.bind(*variable, new)
        owner = target.value
        if into:
            self._fill_parameters(target.attr, new)
            for maker in made_of(owner, scope):  # SimpleNamespace(kept=kept)
                for word in maker.keywords if isinstance(maker, ast.Call) else ():
                    if word.arg == target.attr.partition("[")[0]:
                        self.fill(scope, file, word.value, new)
        if isinstance(owner, ast.Name) and isinstance(scope, Def) and owner.id in parameters_of(scope):
            self._put(id(scope), owner.id, target.attr, new)
            self._holding.bind(scope, attributes_set(owner.id), new)
        self._entering.show_attribute(target.attr, file)
        if isinstance(owner, (ast.Name, ast.Attribute)):
            self._entering.show_object(scope, file, owner)
        for name in () if into else (target.attr, "__setattr__", "__set__"):
            for callees in (self._program.named(name, file), self._program.methods(name, file)):
                self._entering.enter_all(callees, SET if name == target.attr else REST, new)

    def _put(self, scope: int, name: str, attribute: str, values: int) -> None:
        for key in ((scope, name), *self._put_too.get((scope, name), ())):
            put = self.put_in.setdefault(key, {})
            put[attribute] = put.get(attribute, 0) | values

    def put_too(self, key: tuple[int, str], other: tuple[int, str]) -> None:
        """Have the attributes that one function sets of what it is given be told by another key too."""
        too = self._put_too.setdefault(other, [])
        if key not in too:
            too.append(key)
            for attribute, values in self.put_in.get(other, {}).items():
                self._put(*key, attribute, values)

    def bind_variable(self, scope: Scope, file: str, name: str, values: int) -> None:
        """Have a variable hold values that a scope calls so; the scopes that read it take them in."""
        owner, known, home = self._program.owner(name, scope, file)
        self._entering.bind(owner, known, home, values, scope)
