"""What an expression of the source reads: variables, attributes, and what functions of its file hand out."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Collection, Iterator
from typing import NamedTuple

from graphvis.live.recorder.following.callees import Callees
from graphvis.live.recorder.following.elements import ENVIRONMENT, Keys, element_of, is_environment, read_for, taken
from graphvis.live.recorder.following.keys import (
    RETURNED,
    Key,
    Text,
    any_attribute,
    attributes_of_object,
    contents_of,
    given_to_object,
    is_foreign,
    outside_of,
    text_of_object,
)
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.protocols import DESCRIBED, MISSING, methods_of
from graphvis.live.recorder.following.source import Scope, called, statements


class Read(NamedTuple):
    """What an expression reads.

    Attributes:
        keys: variables of its own scope, what objects hold, and expressions that values came out of.
        outer: variables of other scopes.
        handed: what is only given to a function of the file.
        compared: what is only compared.
        attributes: by how they are known of any object that it may be, and by :func:`space_of`, text and name.
        methods: what any of some functions hands on of the attributes of an object, by its :func:`space_of` and text.
        callees: functions of which what they hand out is read.
    """

    keys: tuple[Key, ...]
    outer: tuple[Key, ...]
    handed: tuple[Key, ...]
    compared: tuple[Key, ...]
    attributes: tuple[tuple[tuple[Key, ...], Text, str], ...]
    methods: tuple[tuple[Text, Callees], ...]
    callees: tuple[Callees, ...]


# What is called so starts a process, which has the variables of this one.
_STARTING = frozenset({("os", "system"), ("os", "popen")})
_Looked = tuple[ast.AST, str, Keys]
"""What is looked at, by which way, and of which element."""


class _Reading:
    """What some expressions read, as it is found.

    A way is how it is read: among `keys`, `handed` or `compared`.
    """

    def __init__(
        self, scope: Scope, file: str, possible: Collection[int], traced: Collection[int], program: Program
    ) -> None:
        self._scope, self._file, self._possible, self._traced = scope, file, possible, traced
        self._program = program
        self.found: dict[str, dict[Key, None]] = {"keys": {}, "outer": {}, "handed": {}, "compared": {}}
        self.attributes: dict[tuple[tuple[Key, ...], Text, str], None] = {}
        self.methods: dict[tuple[Text, Callees], None] = {}
        self.callees: dict[Callees, None] = {}

    def look(self, node: ast.AST, way: str, keys: Keys) -> list[_Looked]:
        """Note what a node or an element of it reads itself; what is to be looked at next, by which way and keys."""
        if id(node) in self._possible:
            for path in read_for(keys):
                self.found[way][id(node), path] = None
        if id(node) in self._traced:
            return []
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                self._whole(node, way, keys)
            return []
        for name in methods_of(node) if way != "handed" else ():
            self._out_of(self._program.special(name, self._file))
        if isinstance(node, ast.Attribute):
            return self._attribute(node, way, keys)
        if (element := self._element(node)) is not None:
            others = [(inner, way, keys) for inner in node.args[1:]] if isinstance(node, ast.Call) else []
            return [(element[0], way, (element[1], *keys)), *others]
        if keys and (written := taken(node, keys[0])) is not None:
            return [(inner, way, keys[1:]) for inner in written]
        if (same := _same_as(node)) is not None:
            return [(inner, way, keys) for inner in same]
        if isinstance(node, ast.Call):
            return self._call(node, way)
        inside = "compared" if isinstance(node, ast.Compare) else way
        return [(inner, inside, ()) for inner in ast.iter_child_nodes(node)]

    def _element(self, node: ast.AST) -> tuple[ast.expr, str | int] | None:
        """What an expression takes an element of, and its key; nothing where a function of the program may take it."""
        found = element_of(node)
        if isinstance(node, ast.Call) and found is not None:
            known = self._program.functions(node, self._file) or self._program.methods(called(node) or "", self._file)
            return None if known and not self._program.elements(found[0], self._scope, self._file) else found
        return found

    def _variable(self, name: str, way: str, keys: Keys = ()) -> None:
        owner, known, file = self._program.owner(name, self._scope, self._file)
        for path in read_for(keys):
            self._owned(owner, f"{known}{path}", way)
        if file != self._file:
            self._out_of(self._program.named("__getattr__", file))

    def _owned(self, owner: Scope, name: str, way: str) -> None:
        if way == "keys" and owner is not self._scope:
            way = "outer"
        self.found[way][id(owner), name] = None

    def _whole(self, node: ast.Name, way: str, keys: Keys) -> None:
        self._variable(node.id, way, keys)
        if way != "handed":
            self._contents(node)
            self._out_of(self._program.named(node.id, self._file))

    def _contents(self, node: ast.Name | ast.Attribute) -> None:
        for key in attributes_of_object(node, self._scope, self._file, self._program):
            self.found["keys"][key] = None
        self.found["keys"][given_to_object(node, self._scope, self._file, self._program)] = None

    def _out_of(self, callees: Callees) -> None:
        if callees:
            self.callees[callees] = None
            self.found["keys"][id(callees), RETURNED] = None

    def _attribute(self, node: ast.Attribute, way: str, keys: Keys = (), called: bool = False) -> list[_Looked]:
        owner, text = node.value, text_of_object(node, self._scope, self._file, self._program)
        for attribute in (f"{node.attr}{path}" for path in read_for(keys)):
            loose = () if called else any_attribute(node.value, attribute, self._scope, self._file, self._program)
            self.attributes[loose, text, attribute] = None
        if way != "handed":
            self._contents(node)
            if (variable := self._program.variable(node, self._scope, self._file)) is not None:
                for path in read_for(keys):
                    self._owned(variable[0], f"{variable[1]}{path}", way)
                self._out_of(self._program.named("__getattr__", variable[2]))
            for name in DESCRIBED if self._program.is_set(node.attr) else MISSING:
                self._out_of(self._program.special(name, self._file))
            for callees in self._functions_of(node):
                self._out_of(callees)
                if callees.handed_on:
                    self.methods[text, callees] = None
        if not isinstance(owner, ast.Name):
            return [(owner, way, ())]
        if keys and is_environment(node):  # and nothing else of its module
            return []
        self._variable(owner.id, way)
        self.found["keys"][given_to_object(owner, self._scope, self._file, self._program)] = None
        if is_foreign(node.attr, self._file):
            self.found["keys"][contents_of(owner, self._scope, self._file, self._program)] = None
        return []

    def _functions_of(self, node: ast.Attribute) -> list[Callees]:
        """The functions that an attribute may be, or be computed by."""
        module = self._program.module(node.value, self._file)
        if module is not None:
            return [self._program.named(node.attr, module)]
        kin = self._program.kin(node.value, self._scope, self._file)
        if kin is not None and (callees := self._program.methods_of_family(kin, node.attr)):
            return [callees]
        return [self._program.named(node.attr, self._file), self._program.methods(node.attr, self._file)]

    def _call(self, node: ast.Call, way: str) -> list[_Looked]:
        functions = self._program.functions(node, self._file)
        own = bool(functions) and not (functions and functions.make)
        word = node.func.id if isinstance(node.func, ast.Name) else ""
        if (word in ("locals", "globals", "vars") and not node.args) or word in ("eval", "exec"):
            for name in {
                inner.id for inner in (*statements(self._scope), *_said_in(node)) if isinstance(inner, ast.Name)
            }:
                self._variable(name, way)
        for argument in self._said_to(node) if functions is None else ():
            for key in outside_of(argument, self._scope, self._file, self._program):
                self.found["keys"][key] = None
        inside = "handed" if own and way == "keys" else way
        given = [*node.args, *(word.value for word in node.keywords)]
        arguments: list[_Looked] = [(inner, inside, ()) for inner in given]
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if isinstance(owner, ast.Name) and (owner.id == "subprocess" or (owner.id, called(node)) in _STARTING):
            arguments.append((ENVIRONMENT, way, ()))
        if isinstance(node.func, ast.Attribute):
            return [*self._attribute(node.func, way, called=True), *arguments]
        return [(node.func, way, ()), *arguments]

    def _said_to(self, node: ast.Call) -> list[ast.expr]:
        """Where a call is told what file to read."""
        owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return [*owner, *node.args, *(word.value for word in node.keywords)]


def _said_in(node: ast.Call) -> Iterator[ast.AST]:
    """What the source says that a call is given as text."""
    for argument in node.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            with contextlib.suppress(SyntaxError, ValueError, RecursionError):
                yield from ast.walk(ast.parse(argument.value.strip()))


def _same_as(node: ast.AST) -> list[ast.expr] | None:
    """What an expression is one of, if it is no other; what chooses between two goes into neither."""
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.Call) and called(node) == "getenv":
        return [ENVIRONMENT, *node.args]
    return [node.value] if isinstance(node, (ast.Await, ast.NamedExpr)) else None


def read(
    scope: Scope,
    file: str,
    nodes: list[ast.AST],
    possible: Collection[int],
    traced: Collection[int],
    program: Program,
    keys: Keys = (),
) -> Read:
    """What expressions read.

    Args:
        scope: that they stand in.
        file: of the scope.
        nodes: the expressions.
        possible: the ``id`` of each expression that a value may come out of.
        traced: the ``id`` of each whose value is a tensor that the recording saw being made.
        program: the files.
        keys: of the element of them that is read.
    """
    reading = _Reading(scope, file, possible, traced, program)
    stack: list[_Looked] = [(node, "keys", keys) for node in nodes]
    while stack:
        stack += reading.look(*stack.pop())
    return Read(
        **{way: tuple(keys) for way, keys in reading.found.items()},
        attributes=tuple(reading.attributes),
        methods=tuple(reading.methods),
        callees=tuple(reading.callees),
    )
