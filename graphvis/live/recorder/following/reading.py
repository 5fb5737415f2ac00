"""What an expression of the source reads: variables, attributes, and what functions of its file hand out."""

from __future__ import annotations

import ast
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from graphvis.live.recorder.following.files import of_file, parse
from graphvis.live.recorder.following.source import Def, Scope, called, functions_of, owner_of, statements, text_of

# A variable: the ``id`` of its scope, and its name. Any attribute of a name: its file, and the name. An expression that
# a value came out of: its ``id``, and no name.
Key = tuple[int | str, str]
RETURNED = "()"
"""No name of a variable: what a function hands out that its caller did not give it."""

CALLED = "()"
"""No name of an attribute: a method's, which no number is."""


class Read(NamedTuple):
    """What an expression reads.

    Attributes:
        keys: variables of its own scope, what objects hold, and expressions that values came out of.
        outer: variables of other scopes.
        handed: what is only given to a function of the file.
        compared: what is only compared.
        attributes: by name, and as the file has them.
    """

    keys: tuple[Key, ...]
    outer: tuple[Key, ...]
    handed: tuple[Key, ...]
    compared: tuple[Key, ...]
    attributes: tuple[tuple[str, str], ...]


def contents_of(node: ast.Name | ast.Attribute, scope: Scope, file: str) -> Key:
    """What an object holds that is called so: attributes of it, and what it was given."""
    if isinstance(node, ast.Name):
        return id(owner_of(node.id, scope, file)), f"{node.id}.*"
    return file, f"{text_of(node)}.*"


def given_to_object(node: ast.Name | ast.Attribute, scope: Scope, file: str) -> Key:
    """What an object that is called so was given, and may hand out by whatever is read of it."""
    key, name = contents_of(node, scope, file)
    return key, f"{name}*"


@of_file
def _set_in(file: str) -> frozenset[str]:
    """The attributes that a file sets, or has its classes have."""
    found: set[str] = set(functions_of(file))
    tree = parse(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.ClassDef):
            fields = [one for part in node.body if not isinstance(part, Def) for one in ast.walk(part)]
            found.update(one.id for one in fields if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
    return frozenset(found)


def is_foreign(attribute: str, file: str) -> bool:
    """Whether a file cannot tell what an attribute hands out: it may be computed, by the code of others."""
    known = _set_in(file)
    return attribute not in known or "__getattr__" in known or "__getattribute__" in known


@lru_cache(maxsize=1024)
def attributes_of(function: Def, file: str) -> frozenset[str]:
    """The attributes of its object that a method reads, itself or by other methods of the file."""
    found: set[str] = set()
    functions, seen = [function], {id(function)}
    while functions:
        one = functions.pop()
        positional = [*one.args.posonlyargs, *one.args.args]
        own = positional[0].arg if positional else None
        for node in statements(one):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == own:
                found.add(node.attr)
                inner = [other for other in functions_of(file).get(node.attr, ()) if id(other) not in seen]
                seen.update(map(id, inner))
                functions += inner
    return frozenset(found)


class _Reading:
    """What some expressions read, as it is found.

    A way is how it is read: among `keys`, `handed` or `compared`.
    """

    def __init__(self, scope: Scope, file: str, possible: Collection[int], traced: Collection[int]) -> None:
        self._scope, self._file, self._possible, self._traced = scope, file, possible, traced
        self._functions = functions_of(file)
        self.found: dict[str, dict[Key, None]] = {"keys": {}, "outer": {}, "handed": {}, "compared": {}}
        self.attributes: dict[tuple[str, str], None] = {}

    def look(self, node: ast.AST, way: str) -> list[tuple[ast.AST, str]]:
        """Note what a node reads itself; what of it is to be looked at next, and the way."""
        if id(node) in self._possible:
            self.found[way][id(node), ""] = None
        if id(node) in self._traced:
            return []
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                self._whole(node, way)
            return []
        if isinstance(node, ast.Attribute):
            return self._attribute(node, way)
        if isinstance(node, ast.Call):
            return self._call(node, way)
        if isinstance(node, ast.Compare):
            way = "compared"
        # What only chooses between two values goes into neither.
        nodes = [node.body, node.orelse] if isinstance(node, ast.IfExp) else ast.iter_child_nodes(node)
        return [(inner, way) for inner in nodes]

    def _variable(self, name: str, way: str) -> None:
        owner = owner_of(name, self._scope, self._file)
        if way == "keys" and owner is not self._scope:
            way = "outer"
        self.found[way][id(owner), name] = None

    def _whole(self, node: ast.Name, way: str) -> None:
        self._variable(node.id, way)
        if way != "handed":
            self._contents(node)
            self._out_of(node.id)

    def _contents(self, node: ast.Name | ast.Attribute) -> None:
        self.found["keys"][contents_of(node, self._scope, self._file)] = None
        self.found["keys"][given_to_object(node, self._scope, self._file)] = None

    def _out_of(self, name: str) -> None:
        for function in self._functions.get(name, ()):
            self.found["keys"][id(function), RETURNED] = None

    def _attribute(self, node: ast.Attribute, way: str, called: bool = False) -> list[tuple[ast.AST, str]]:
        self.attributes[CALLED if called else node.attr, text_of(node)] = None
        owner = node.value
        if way != "handed":
            self._contents(node)
            self._out_of(node.attr)
            for function in self._functions.get(node.attr, ()):
                for attribute in attributes_of(function, self._file):
                    self.attributes[attribute, f"{ast.unparse(owner)}.{attribute}"] = None
        if not isinstance(owner, ast.Name):
            return [(owner, way)]
        self._variable(owner.id, way)
        self.found["keys"][given_to_object(owner, self._scope, self._file)] = None
        if is_foreign(node.attr, self._file):
            self._contents(owner)
        return []

    def _call(self, node: ast.Call, way: str) -> list[tuple[ast.AST, str]]:
        functions = self._functions.get(called(node) or "")
        own = bool(functions) and not any(function.name == "__init__" for function in functions or ())
        if isinstance(node.func, ast.Name) and node.func.id in ("locals", "globals", "vars") and not node.args:
            for name in {inner.id for inner in statements(self._scope) if isinstance(inner, ast.Name)}:
                self._variable(name, way)
        inside = "handed" if own and way == "keys" else way
        arguments = [(inner, inside) for inner in [*node.args, *(word.value for word in node.keywords)]]
        if isinstance(node.func, ast.Attribute):
            return [*self._attribute(node.func, way, called=True), *arguments]
        return [(node.func, way), *arguments]


def read(scope: Scope, file: str, nodes: list[ast.AST], possible: Collection[int], traced: Collection[int]) -> Read:
    """What expressions read.

    Args:
        scope: that they stand in.
        file: of the scope.
        nodes: the expressions.
        possible: the ``id`` of each expression that a value may come out of.
        traced: the ``id`` of each whose value is a tensor that the recording saw being made.
    """
    reading = _Reading(scope, file, possible, traced)
    stack = [(node, "keys") for node in nodes]
    while stack:
        stack += reading.look(*stack.pop())
    return Read(**{way: tuple(keys) for way, keys in reading.found.items()}, attributes=tuple(reading.attributes))
