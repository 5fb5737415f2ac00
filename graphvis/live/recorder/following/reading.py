"""What an expression of the source reads: variables, attributes, and what functions of its file hand out."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Collection, Iterator
from typing import NamedTuple

from graphvis.live.recorder.following.aliases import paths_in
from graphvis.live.recorder.following.callees import Callees
from graphvis.live.recorder.following.classes import attributes_set_in
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.protocols import DESCRIBED, MISSING, methods_of
from graphvis.live.recorder.following.source import Function, Scope, parameters_of, statements, text_of

# A variable: the ``id`` of its scope, and its name. Any attribute so called: no text, and the name. An attribute by its
# text: its file, and the text. An expression that a value came out of: its ``id``, and no name. A file that is written
# and read: no text, and its path.
Key = tuple[int | str, str]
Text = tuple[int | str, str]
"""How an object is called, and where."""
RETURNED = "()"
"""No name of a variable: what a function hands out that its caller did not give it."""

GIVEN = ".*"
"""No name of a variable: what the objects of a class were given."""
ANY = "*"
"""What the attributes of any objects hold, instead of a family's."""


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


def space_of(node: ast.AST, scope: Scope, file: str, program: Program) -> int | str:
    """Where a text means one object, or one attribute: in a class, or in a scope; in a file where neither is known."""
    while isinstance(node, ast.Attribute):
        node = node.value
    if not isinstance(node, ast.Name):
        return file
    owner, name, _ = program.owner(node.id, scope, file)
    if isinstance(owner, Function) and name in parameters_of(owner):
        return program.kin(node, scope, file) or file
    return id(owner)


def contents_of(node: ast.Name | ast.Attribute, scope: Scope, file: str, program: Program) -> Key:
    """What an object holds that is called so: attributes of it, and what it was given."""
    variable = program.variable(node, scope, file)
    if variable is None:
        return space_of(node, scope, file, program), f"{text_of(node)}.*"
    return id(variable[0]), f"{variable[1]}.*"


def text_of_object(node: ast.Attribute, scope: Scope, file: str, program: Program) -> Text:
    """How the object is called that has an attribute."""
    return space_of(node, scope, file, program), text_of(node).removesuffix(f".{node.attr}")


def any_attribute(node: ast.Attribute, scope: Scope, file: str, program: Program) -> tuple[Key, ...]:
    """What an attribute holds that is called so, of whatever object it may be."""
    kin = program.kin(node.value, scope, file)
    return ((ANY, node.attr),) if kin is None else ((kin, node.attr), ("", node.attr))


def attributes_given(name: str) -> str:
    """What the attributes hold of an object that came as the parameter of that name: no name of a variable."""
    return f"{name}.+"


def attributes_of_object(node: ast.AST, scope: Scope, file: str, program: Program) -> tuple[Key, ...]:
    """What the attributes of an object hold that is called so, wherever they were set; nothing of what has no name."""
    if not isinstance(node, (ast.Name, ast.Attribute)):
        return ()
    key, name = contents_of(node, scope, file, program)
    return (key, name), (key, attributes_given(name.removesuffix(".*")))


def path_given(name: str) -> str:
    """What lies in the file that is called as the parameter of that name says: no name of a variable."""
    return f"{name}.@"


def outside_of(node: ast.AST, scope: Scope, file: str, program: Program) -> list[Key]:
    """What lies in the files that an expression may name."""
    found: list[Key] = []
    for text, name in paths_in(node, scope, program.imported(file)):
        if text:
            found.append(("", text))
        else:
            owner, known, _ = program.owner(name, scope, file)
            found.append((id(owner), path_given(known)))
    return found


def given_to_object(node: ast.Name | ast.Attribute, scope: Scope, file: str, program: Program) -> Key:
    """What an object that is called so was given, and may hand out by whatever is read of it."""
    key, name = contents_of(node, scope, file, program)
    return key, f"{name}*"


def is_foreign(attribute: str, file: str) -> bool:
    """Whether a file cannot tell what an attribute hands out: it may be computed, by the code of others."""
    known = attributes_set_in(file)
    return attribute not in known or "__getattr__" in known or "__getattribute__" in known


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
        for name in methods_of(node) if way != "handed" else ():
            self._out_of(self._program.special(name, self._file))
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
        owner, known, file = self._program.owner(name, self._scope, self._file)
        self._owned(owner, known, way)
        if file != self._file:
            self._out_of(self._program.named("__getattr__", file))

    def _owned(self, owner: Scope, name: str, way: str) -> None:
        if way == "keys" and owner is not self._scope:
            way = "outer"
        self.found[way][id(owner), name] = None

    def _whole(self, node: ast.Name, way: str) -> None:
        self._variable(node.id, way)
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

    def _attribute(self, node: ast.Attribute, way: str, called: bool = False) -> list[tuple[ast.AST, str]]:
        owner, text = node.value, text_of_object(node, self._scope, self._file, self._program)
        loose = () if called else any_attribute(node, self._scope, self._file, self._program)
        self.attributes[loose, text, node.attr] = None
        if way != "handed":
            self._contents(node)
            if (variable := self._program.variable(node, self._scope, self._file)) is not None:
                self._owned(variable[0], variable[1], way)
                self._out_of(self._program.named("__getattr__", variable[2]))
            for name in DESCRIBED if self._program.is_set(node.attr) else MISSING:
                self._out_of(self._program.special(name, self._file))
            for callees in self._functions_of(node):
                self._out_of(callees)
                if callees.handed_on:
                    self.methods[text, callees] = None
        if not isinstance(owner, ast.Name):
            return [(owner, way)]
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

    def _call(self, node: ast.Call, way: str) -> list[tuple[ast.AST, str]]:
        functions = self._program.functions(node, self._file)
        own = bool(functions) and not (functions and functions.make)
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if (called in ("locals", "globals", "vars") and not node.args) or called in ("eval", "exec"):
            for name in {
                inner.id for inner in (*statements(self._scope), *_said_in(node)) if isinstance(inner, ast.Name)
            }:
                self._variable(name, way)
        for argument in self._said_to(node) if functions is None else ():
            for key in outside_of(argument, self._scope, self._file, self._program):
                self.found["keys"][key] = None
        inside = "handed" if own and way == "keys" else way
        arguments = [(inner, inside) for inner in [*node.args, *(word.value for word in node.keywords)]]
        if isinstance(node.func, ast.Attribute):
            return [*self._attribute(node.func, way, called=True), *arguments]
        return [(node.func, way), *arguments]

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


def read(
    scope: Scope,
    file: str,
    nodes: list[ast.AST],
    possible: Collection[int],
    traced: Collection[int],
    program: Program,
) -> Read:
    """What expressions read.

    Args:
        scope: that they stand in.
        file: of the scope.
        nodes: the expressions.
        possible: the ``id`` of each expression that a value may come out of.
        traced: the ``id`` of each whose value is a tensor that the recording saw being made.
        program: the files.
    """
    reading = _Reading(scope, file, possible, traced, program)
    stack = [(node, "keys") for node in nodes]
    while stack:
        stack += reading.look(*stack.pop())
    return Read(
        **{way: tuple(keys) for way, keys in reading.found.items()},
        attributes=tuple(reading.attributes),
        methods=tuple(reading.methods),
        callees=tuple(reading.callees),
    )
