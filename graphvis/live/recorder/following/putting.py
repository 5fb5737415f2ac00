"""Where the source puts values: into variables and attributes, and into objects, which others may have too."""

from __future__ import annotations

import ast
from collections.abc import Collection

from graphvis.live.recorder.following.aliases import has_default, memory_of, names_in, set_to_parameters
from graphvis.live.recorder.following.arguing import attributes_set, filled
from graphvis.live.recorder.following.holding import Holding
from graphvis.live.recorder.following.source import (
    Def,
    Scope,
    functions_of,
    owner_of,
    parameters_of,
    readers_of,
    readers_of_attribute,
)


class Putting:
    """What was put where.

    Attributes:
        entered: by function, what went into it, and was not left by return.
        attributes: by its last name, what an attribute of any file holds.
        put_in: by function and parameter, the attributes that it sets of what it is given.
        untold: the values that went where the source cannot be followed.

    Args:
        holding: what holds what.
        numbers: the expressions, by ``id``, whose values are tensors, or values that left: no object that keeps any.
        count: how many values there are.
    """

    def __init__(self, holding: Holding, numbers: Collection[int], count: int) -> None:
        self._holding, self._numbers, self._count = holding, numbers, count
        self.entered: dict[int, int] = {}
        self.attributes: dict[str, int] = {}
        self.put_in: dict[tuple[int, str], dict[str, int]] = {}
        self.untold = 0

    def any_way(self, values: int) -> int:
        """The values, whether they are there or may be."""
        return (values | values >> self._count) & ((1 << self._count) - 1)

    def lose(self, values: int) -> None:
        """Nobody can tell where values went."""
        self.untold |= self.any_way(values)

    def fill(self, scope: Scope, file: str, node: ast.AST, values: int) -> None:
        """What an expression names may keep values, and so may what it was made of."""
        for name in names_in(node, scope, file, self._numbers):
            if isinstance(name, ast.Name) and name.id in ("self", "cls"):
                self.lose(values)
                continue
            if isinstance(name, ast.Attribute):
                self._holding.bind_attribute(scope, file, name, self._holding.may(values), alone=name is not node)
                self._show_to_readers(file, name.attr)
                self._fill_parameters(file, name.attr, values)
            self._holding.give(scope, file, name, values)
            if isinstance(name, ast.Name) and isinstance(scope, Def) and name.id in parameters_of(scope):
                self._holding.bind(scope, filled(name.id), self._holding.may(values))

    def _fill_parameters(self, file: str, attribute: str, values: int) -> None:
        """What is put into the object that an attribute is, is in whatever a function sets the attribute to."""
        for function, name in set_to_parameters(attribute, file):
            self._holding.bind(function, filled(name), self._holding.may(values))

    def enter(self, function: Def, file: str, name: str, values: int) -> None:
        """A parameter of a function holds what it is given."""
        if values:
            self._look_into(function, file, values)
            self.bind_owned(function, file, name, values)

    def _look_into(self, function: Def, file: str, values: int) -> None:
        known = self.entered.get(id(function), 0)
        if values & ~known:
            self.entered[id(function)] = known | values
            self._holding.enter(function, file)

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
            self.bind_owned(owner_of(target.id, scope, file), file, target.id, values)
            return
        for name in (target.id, *memory_of(scope).get(target.id, ())):
            owner = owner_of(name, scope, file)
            self.bind_owned(owner, file, name, values)
            self._holding.bind(owner, filled(name), values)
            if has_default(owner, name):
                self._holding.bind(owner, name, self._holding.may(values))
        for one in names_in(target, scope, file, self._numbers):
            if one is not target:
                self._holding.give(scope, file, one, values)

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
        self.attributes[target.attr] = self.attributes.get(target.attr, 0) | self.any_way(values)
        if not new:
            return
        if into:
            self._fill_parameters(file, target.attr, new)
        owner = target.value
        if isinstance(owner, ast.Name) and isinstance(scope, Def) and owner.id in parameters_of(scope):
            put = self.put_in.setdefault((id(scope), owner.id), {})
            put[target.attr] = put.get(target.attr, 0) | new
            self._holding.bind(scope, attributes_set(owner.id), new)
        self._show_to_readers(file, target.attr)
        for name in () if into else (target.attr, "__setattr__"):
            for function in functions_of(file).get(name, ()):
                for parameter in parameters_of(function)[1:]:
                    self.enter(function, file, parameter, new)

    def _show_to_readers(self, file: str, attribute: str) -> None:
        for function in readers_of_attribute(attribute, file):
            self._look_into(function, file, -1)

    def bind_owned(self, owner: Scope, file: str, name: str, values: int) -> None:
        """Have a variable of a scope hold values; the functions that read it take them in."""
        if new := self._holding.bind(owner, name, values):
            for function in readers_of(name, owner, file):
                self._look_into(function, file, new)
