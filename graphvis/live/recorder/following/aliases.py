"""Names of the source that may be of one object: what is put into it by one of them is read by another."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from functools import lru_cache

from graphvis.live.recorder.following.arguing import BUILTINS
from graphvis.live.recorder.following.files import of_file
from graphvis.live.recorder.following.source import (
    Def,
    Scope,
    called,
    defaults_of,
    functions_of,
    names_of,
    outside,
    parameters_of,
    scopes_in,
    statements,
    text_of,
)


@lru_cache(maxsize=1 << 14)
def memory_of(scope: Scope) -> dict[str, list[str]]:
    """By names those that the same is called by, or the tensors whose memory it is: ``array = tensor.numpy()``."""
    found: dict[str, list[str]] = {}
    for node in statements(scope):
        if isinstance(node, ast.Assign) and (tensor := _shared_by(node.value)) is not None:
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(tensor)
    return found


def _shared_by(value: ast.expr) -> str | None:
    """The name of what an expression hands on, or hands out the memory of."""
    shared = isinstance(value, ast.Name)
    while isinstance(value, (ast.Call, ast.Attribute, ast.Subscript)):
        if isinstance(value, ast.Attribute) and value.attr == "numpy":
            shared = True
        if isinstance(value, ast.Call) and called(value) == "asarray" and value.args:
            shared, value = True, value.args[0]
        else:
            value = value.func if isinstance(value, ast.Call) else value.value
    return value.id if shared and isinstance(value, ast.Name) else None


@lru_cache(maxsize=1 << 14)
def _made_of(scope: Scope) -> dict[str, list[ast.AST]]:
    """By name, what of others an object so called may be, or be a part of."""
    found: dict[str, list[ast.AST]] = {}
    for node in statements(scope):
        value: ast.expr | None = None
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            value, targets = node.value, node.targets
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
            value, targets = node.value, [node.target]
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            element = ast.Subscript(node.iter, ast.Constant(None), ast.Load())
            value, targets = element, [node.target]
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            value, targets = node.context_expr, [node.optional_vars]
        if value is None:
            continue
        for target in targets:
            for one, part in parts_of(target, value):
                names = [inner for inner in ast.walk(one) if isinstance(inner, ast.Name)]
                # What is put into one end of a pipe comes out of the other.
                ends = names if isinstance(one, ast.Tuple) and isinstance(part, ast.Call) else []
                for name in names:
                    if isinstance(name.ctx, ast.Store):
                        found.setdefault(name.id, []).extend([part, *ends])
    return found


def parts_of(target: ast.AST, value: ast.AST) -> Iterable[tuple[ast.AST, ast.AST]]:
    """What is assigned to what: element by element where both are written so."""
    if isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
        elements = [*target.elts, *value.elts]
        if len(target.elts) == len(value.elts) and not any(isinstance(one, ast.Starred) for one in elements):
            for one, part in zip(target.elts, value.elts, strict=True):
                yield from parts_of(one, part)
            return
    yield target, value


def made_of(node: ast.AST, scope: Scope) -> list[ast.AST]:
    """What of others an object so called may be, or be a part of."""
    return _made_of(scope).get(node.id, []) if isinstance(node, ast.Name) else []


def made_elsewhere(node: ast.AST, scope: Scope, imported: Collection[str]) -> Iterable[ast.Call]:
    """The calls that made the object of a name and are of Python itself, or of what is imported."""
    for made in made_of(node, scope):
        maker: ast.AST = made
        while isinstance(maker, (ast.Call, ast.Attribute)):
            maker = maker.func if isinstance(maker, ast.Call) else maker.value
        if isinstance(made, ast.Call) and isinstance(maker, ast.Name) and maker.id in BUILTINS.union(imported):
            yield made


def names_in(
    node: ast.AST, scope: Scope, imported: Collection[str], numbers: Collection[int]
) -> Iterable[ast.Name | ast.Attribute | ast.Constant]:
    """The names of what an expression may be, hold, or be made of, and the texts that name what lies outside.

    Args:
        node: the expression.
        scope: that it stands in.
        imported: names that are nothing of the program's own.
        numbers: the parts, by ``id``, that are numbers.
    """
    seen: set[str] = set()
    waiting = [node]
    while waiting:
        for one in _named_in(waiting.pop(), imported, numbers):
            if isinstance(one, ast.Name):
                if one.id in seen:
                    continue
                seen.add(one.id)
                waiting += made_of(one, scope)
            yield one


def _named_in(
    node: ast.AST, imported: Collection[str], numbers: Collection[int]
) -> Iterable[ast.Name | ast.Attribute | ast.Constant]:
    """The same of what is written in the expression itself."""
    stack = [node]
    while stack:
        one = stack.pop()
        if id(one) in numbers:
            continue
        if isinstance(one, ast.Name):
            if one.id not in imported:
                yield one
        elif isinstance(one, ast.Attribute):
            if text_of(one).split(".")[0] not in imported:
                yield one
        elif isinstance(one, ast.Constant):
            if outside(one) is not None:
                yield one
        elif isinstance(one, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            stack.append(one.elt)
        elif isinstance(one, ast.DictComp):
            stack.append(one.value)
        elif not isinstance(one, (ast.Compare, ast.UnaryOp, ast.Lambda)):
            stack += _parts_that_may_be(one)


def paths_in(node: ast.AST, scope: Scope, imported: frozenset[str]) -> Iterable[tuple[str, str]]:
    """What may say where a file lies that an expression names: texts, and names that the scope has from elsewhere.

    Of each pair one is empty.
    """
    behind = _paths_of(scope, imported)
    for one in _named_in(node, imported, ()):
        if isinstance(one, ast.Name):
            yield from behind.get(one.id, {("", one.id)})
        elif (text := outside(one)) is not None:
            yield text, ""


@lru_cache(maxsize=1 << 14)
def _paths_of(scope: Scope, imported: frozenset[str]) -> dict[str, set[tuple[str, str]]]:
    """By each name that a scope assigns to :func:`paths_in` of it."""
    given = parameters_of(scope) if isinstance(scope, Def) else []
    found: dict[str, set[tuple[str, str]]] = {}
    users: dict[str, list[str]] = {}
    for name, makers in _made_of(scope).items():
        found[name] = {("", name)} if name in given else set()
        for one in (inner for maker in makers for inner in _named_in(maker, imported, ())):
            if isinstance(one, ast.Name):
                users.setdefault(one.id, []).append(name)
            elif (text := outside(one)) is not None:
                found[name].add((text, ""))
    for name, some in users.items():
        for user in some if name not in found else ():
            found[user].add(("", name))
    waiting = [name for name, paths in found.items() if paths]
    while waiting:
        name = waiting.pop()
        for user in users.get(name, ()):
            if not found[name] <= found[user]:
                found[user] |= found[name]
                waiting.append(user)
    return found


def _parts_that_may_be(node: ast.AST) -> list[ast.AST]:
    """The parts of an expression that it may be, hold, or be made of."""
    if isinstance(node, ast.BinOp):  # a sum is nothing of its parts, but a path is
        return [part for part in (node.left, node.right) if isinstance(part, (ast.Constant, ast.BinOp))]
    if isinstance(node, ast.Call):
        owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return [*owner, *(inner for inner in ast.iter_child_nodes(node) if inner is not node.func)]
    return [*ast.iter_child_nodes(node)]


@of_file
def _set_to_parameters(file: str) -> dict[str, list[tuple[Def, str]]]:
    found: dict[str, list[tuple[Def, str]]] = {}
    for function in {id(function): function for some in functions_of(file).values() for function in some}.values():
        parameters = set(parameters_of(function)[1:])
        for node in statements(function) if parameters else ():
            if isinstance(node, ast.Assign):
                names = [inner for inner in ast.walk(node.value) if isinstance(inner, ast.Name)]
                for target in node.targets:
                    if isinstance(target, ast.Attribute):
                        given = ((function, name.id) for name in names if name.id in parameters)
                        found.setdefault(target.attr, []).extend(given)
    return found


def set_to_parameters(attribute: str, file: str) -> Iterable[tuple[Def, str]]:
    """The functions of a file that set such an attribute to what they are given, and the parameter."""
    return _set_to_parameters(file).get(attribute, ())


def has_default(scope: Scope, name: str) -> bool:
    """Whether a name is a parameter of a function that need not be given: its object outlives the call."""
    if isinstance(scope, ast.Module):
        return False
    return name in {parameter for parameter, _ in defaults_of(scope)}


@lru_cache(maxsize=1 << 14)
def _bound_otherwise(scope: Scope) -> frozenset[str]:
    """The variables of a scope that are bound in other ways than to what :func:`made_of` tells."""
    nodes = statements(scope)
    stored = [node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)]
    told = [
        one.id
        for node in nodes
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for one in ast.walk(target)
        if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)
    ]
    found = {name for name in set(stored) if stored.count(name) != told.count(name)}
    for node in nodes:
        if isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.Match):
            found.update(names_of(node))
    return frozenset(found)


@of_file
def _bound_from_inside(file: str) -> frozenset[str]:
    """The variables that functions of a file bind for others."""
    nodes = (node for scope in scopes_in(file) for node in statements(scope))
    return frozenset(name for node in nodes if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names)


def all_that_makes(name: str, scope: Scope, file: str) -> list[ast.AST]:
    """What an object so called may be, if that is all told; else nothing."""
    if name in _bound_otherwise(scope) or name in _bound_from_inside(file):
        return []
    return _made_of(scope).get(name, [])
