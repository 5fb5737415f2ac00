"""The classes in the source, and what is an attribute of their objects."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache

from graphvis.live.recorder.following.aliases import parts_of
from graphvis.live.recorder.following.arguing import GATHERING, returned_by
from graphvis.live.recorder.following.files import of_file, parse
from graphvis.live.recorder.following.source import Def, Scope, called, functions_of, scopes_in, statements


def sets_a_property(function: Def) -> bool:
    """Whether a function is what an assignment to an attribute calls."""
    return any(isinstance(one, ast.Attribute) and one.attr == "setter" for one in function.decorator_list)


def class_attributes(scope: Scope) -> Iterable[ast.Assign]:
    """What the classes set that a scope defines, as if it set their attributes."""
    waiting = [*scope.body] if isinstance(scope.body, list) else []
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.ClassDef):
            continue
        for one in node.body:
            if isinstance(one, ast.ClassDef):
                waiting.append(one)
            elif isinstance(one, (ast.Assign, ast.AnnAssign)) and one.value is not None:
                named = one.targets if isinstance(one, ast.Assign) else [one.target]
                names = [name.id for name in named if isinstance(name, ast.Name)]
                owner = ast.Name(node.name, ast.Load())
                yield ast.Assign([ast.Attribute(owner, name, ast.Store()) for name in names], one.value)


@of_file
def classes_in(file: str) -> dict[str, list[ast.ClassDef]]:
    """The classes of a file by name."""
    found: dict[str, list[ast.ClassDef]] = {}
    tree = parse(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.ClassDef):
            found.setdefault(node.name, []).append(node)
    return found


def fields_of(node: ast.ClassDef) -> list[str]:
    """The attributes that are written in a class with their types, as a dataclass has them."""
    fields = [one.target for one in node.body if isinstance(one, ast.AnnAssign)]
    return [field.id for field in fields if isinstance(field, ast.Name)]


@of_file
def attributes_defined_in(file: str) -> frozenset[int]:
    """The functions of a file, by ``id``, that others may have as an attribute of it or of an object of its classes."""
    tree = parse(file)
    stack: list[ast.AST] = [] if tree is None else [tree]
    found: set[int] = set()
    while stack:
        node = stack.pop()
        found.add(id(node))
        if not isinstance(node, Def):
            stack.extend(ast.iter_child_nodes(node))
        else:  # a function may make a class, and hand out its objects
            stack.extend(inner for inner in ast.walk(node) if isinstance(inner, ast.ClassDef))
    return frozenset(found)


@of_file
def attributes_stored_in(file: str) -> frozenset[str]:
    """The attributes that a file assigns to."""
    tree = parse(file)
    nodes = ast.walk(tree) if tree is not None else ()
    return frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))


@of_file
def attributes_set_in(file: str) -> frozenset[str]:
    """The attributes that a file sets, or has its classes have."""
    found: set[str] = {*functions_of(file), *attributes_stored_in(file)}
    tree = parse(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.ClassDef):
            fields = [one for part in node.body if not isinstance(part, Def) for one in ast.walk(part)]
            found.update(one.id for one in fields if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
    return frozenset(found)


@lru_cache(maxsize=1 << 14)
def attributes_of(function: Def, file: str) -> frozenset[str]:
    """The attributes of its object that a method hands on, itself or by other methods of the file."""
    found: set[str] = set()
    functions, seen = [function], {id(function)}
    while functions:
        one = functions.pop()
        positional = [*one.args.posonlyargs, *one.args.args]
        own = positional[0].arg if positional else None
        handed_on = [value for node in statements(one) if (value := returned_by(node)) is not None]
        for node in (inner for value in handed_on for inner in ast.walk(value)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == own:
                found.add(node.attr)
                inner = [other for other in functions_of(file).get(node.attr, ()) if id(other) not in seen]
                seen.update(map(id, inner))
                functions += inner
    return frozenset(found)


@of_file
def method_owners_in(file: str) -> dict[int, ast.ClassDef]:
    """By method of a file, as ``id``, the class whose object it is given first."""
    return {
        id(one): kind
        for some in classes_in(file).values()
        for kind in some
        for one in kind.body
        if isinstance(one, Def) and "staticmethod" not in {getattr(word, "id", None) for word in one.decorator_list}
    }


@of_file
def attribute_makers_in(file: str) -> dict[str, list[tuple[ast.expr, Scope, ast.AST | None]]]:
    """By attribute, what a file sets it to, None where that is not one expression, with the object and the scope."""
    found: dict[str, list[tuple[ast.expr, Scope, ast.AST | None]]] = {}
    for scope in scopes_in(file):
        known: set[int] = set()
        nodes = [*statements(scope), *class_attributes(scope)]
        for node in nodes:
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    for one, part in parts_of(target, node.value):
                        if isinstance(one, ast.Attribute):
                            known.add(id(one))
                            found.setdefault(one.attr, []).append((one.value, scope, part))
        for node in nodes:
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and id(node) not in known:
                found.setdefault(node.attr, []).append((node.value, scope, None))
    if (tree := parse(file)) is not None:
        for kind in (one for some in classes_in(file).values() for one in some):
            for field in fields_of(kind):
                found.setdefault(field, []).append((ast.Name(kind.name, ast.Load()), tree, None))
    return found


def _of_attributes(node: ast.AST | None) -> list[ast.expr]:
    """The object whose attributes an expression is the dict of."""
    if isinstance(node, ast.Call):
        return node.args[:1] if isinstance(node.func, ast.Name) and node.func.id == "vars" else []
    return [node.value] if isinstance(node, ast.Attribute) and node.attr == "__dict__" else []


def _set_by_name(node: ast.AST) -> tuple[list[ast.expr], str | None]:
    """The objects of which a node sets an attribute by a name that is text, and the name; None for any."""
    if isinstance(node, ast.Call) and called(node) in ("setattr", "__setattr__"):
        owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        names = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        return [*node.args[:1], *owner], names[0] if names else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GATHERING:
        return _of_attributes(node.func.value), None
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return _of_attributes(node.value), None
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.NamedExpr, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [owner for one in (node.value, *targets) for owner in _of_attributes(one)], None
    return [], None


@of_file
def set_by_name_in(file: str) -> list[tuple[ast.expr, Scope, str | None]]:
    """The attributes that a file sets by names that are text, None for any, with the object and the scope."""
    nodes = ((node, scope) for scope in scopes_in(file) for node in statements(scope))
    return [(owner, scope, name) for node, scope in nodes for owners, name in [_set_by_name(node)] for owner in owners]
