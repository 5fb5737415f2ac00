"""How what holds values is called: variables, attributes, objects, and what lies outside."""

from __future__ import annotations

import ast

from graphvis.live.recorder.following.aliases import paths_in
from graphvis.live.recorder.following.classes import attributes_set_in
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.source import Function, Scope, parameters_of, text_of

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


def any_attribute(owner: ast.AST, attribute: str, scope: Scope, file: str, program: Program) -> tuple[Key, ...]:
    """What an attribute holds that is called so, of whatever object the owner may be."""
    kin = program.kin(owner, scope, file)
    return ((ANY, attribute),) if kin is None else ((kin, attribute), ("", attribute))


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
