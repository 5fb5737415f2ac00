"""The source of recorded code: its functions, what runs in them, and whose variables they read."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from graphvis.live.recorder.following.files import of_file, parse

Def = ast.FunctionDef | ast.AsyncFunctionDef
Function = Def | ast.Lambda
Scope = Function | ast.Module
Definition = Function | ast.ClassDef
_A_PATH = re.compile(r"(?=.*(\w\.\w|[/\\]\w))[^\s%{}]+")  # no format, and no sentence
COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
"""Expressions that are no tensor, whatever call is made where they stand."""


def called(node: ast.Call) -> str | None:
    """The last name of what is called; None where it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def outside(node: ast.AST) -> str | None:
    """The text that may name a file, if an expression is one: what one line writes to it, another reads from it."""
    text = node.value if isinstance(node, ast.Constant) else None
    return text if isinstance(text, str) and text != os.devnull and _A_PATH.fullmatch(text) else None


@lru_cache(maxsize=1 << 16)
def text_of(node: ast.Name | ast.Attribute) -> str:
    """The source of a name or an attribute."""
    if isinstance(node, ast.Name):
        return node.id
    inner = node.value
    return f"{text_of(inner)}.{node.attr}" if isinstance(inner, (ast.Name, ast.Attribute)) else ast.unparse(node)


@lru_cache(maxsize=1 << 14)
def statements(scope: Scope) -> Sequence[ast.AST]:
    """What runs in a scope: of the functions that it only defines what they are made with."""
    body = scope.body if isinstance(scope.body, list) else [scope.body]
    stack: list[ast.AST] = list(reversed(body))
    found: list[ast.AST] = []
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            stack.extend(reversed(_made_with(node)))
            continue
        found.append(node)
        stack.extend(reversed(list(ast.iter_child_nodes(node))))
    return found


def _made_with(node: Def | ast.ClassDef) -> list[ast.AST]:
    """What is computed where a function or a class is defined, and not when it is called."""
    if isinstance(node, ast.ClassDef):
        inner = [one for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]
        made = [part for one in inner for part in _made_with(one)]
        return [*node.decorator_list, *node.bases, *(word.value for word in node.keywords), *made]
    return [*node.decorator_list, *(default for _, default in defaults_of(node))]


def defaults_of(function: Def | ast.Lambda) -> list[tuple[str, ast.expr]]:
    """The parameters of a function that need not be given, and what they then are."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    after = len(positional) - len(arguments.defaults)
    pairs = [
        *zip(positional[after:], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return [(one.arg, default) for one, default in pairs if default is not None]


def is_generator(scope: Scope) -> bool:
    """Whether a call of a function hands out what it yields."""
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in statements(scope))


def definitions_with_values(scope: Scope) -> Iterable[Definition]:
    """The functions that a scope defines and that need not be given all, and the classes with words for their bases."""
    stack: list[ast.AST] = [*scope.body] if isinstance(scope.body, list) else [scope.body]
    while stack:
        node = stack.pop()
        if (isinstance(node, ast.ClassDef) and node.keywords) or (isinstance(node, Function) and defaults_of(node)):
            yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            stack.extend(ast.iter_child_nodes(node))


def _registered_for(function: Def) -> Iterable[str]:
    """The functions that may run a function in their place: ``@called.register``."""
    for decorator in function.decorator_list:
        registers = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(registers, ast.Attribute) and registers.attr == "register":
            yield from (one.id for one in [registers.value] if isinstance(one, ast.Name))


@of_file
def functions_of(file: str) -> dict[str, list[Def]]:
    """The functions of a file by name; each initialiser by the name of its class."""
    found: dict[str, list[Def]] = {}
    tree = parse(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, Def):
            for name in {node.name, *_registered_for(node)}:
                found.setdefault(name, []).append(node)
        elif isinstance(node, ast.ClassDef):
            made = [one for one in node.body if isinstance(one, Def) and one.name == "__init__"]
            found.setdefault(node.name, []).extend(made)
    return found


@of_file
def _enclosing(file: str) -> Mapping[int, Scope]:
    """For each function of a file, by ``id``, the scope that its free names are looked up in."""
    tree = parse(file)
    found: dict[int, Scope] = {}
    stack: list[tuple[ast.AST, Scope]] = [] if tree is None else [(tree, tree)]
    while stack:
        node, scope = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            found[id(node)] = scope
            scope = node
        stack.extend((inner, scope) for inner in ast.iter_child_nodes(node))
    return found


def parameters_of(scope: Def | ast.Lambda) -> list[str]:
    """The names of a function's parameters."""
    arguments = scope.args
    all_ = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [argument.arg for argument in all_ if argument is not None]


@lru_cache(maxsize=1 << 14)
def _own(scope: Scope) -> frozenset[str]:
    """The names that a scope binds itself."""
    bound: set[str] = set()
    others: set[str] = set()
    if not isinstance(scope, ast.Module):
        bound.update(parameters_of(scope))
    for node in statements(scope):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.Match):
            bound.update(names_of(node))
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            others.update(node.names)
    return frozenset(bound - others)


@lru_cache(maxsize=1 << 14)
def _free(scope: Scope) -> frozenset[str]:
    """The names of others that a scope reads."""
    return frozenset(_read_in(scope) - _own(scope))


def free_names_of(scope: Scope) -> list[ast.Name]:
    """Where a scope reads a variable of others."""
    return [node for node in statements(scope) if isinstance(node, ast.Name) and node.id in _free(scope)]


def _read_in(scope: Scope) -> set[str]:
    return {node.id for node in statements(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


@of_file
def readers_in(file: str) -> dict[str, list[Scope]]:
    """By name, the scopes of a file that read a variable so called: of others, or of the file itself."""
    found: dict[str, list[Scope]] = {}
    for scope in scopes_in(file):
        for name in _read_in(scope) if isinstance(scope, ast.Module) else _free(scope):
            found.setdefault(name, []).append(scope)
    return found


@of_file
def _attribute_readers(file: str) -> dict[str, list[Scope]]:
    found: dict[str, list[Scope]] = {}
    for scope in scopes_in(file):
        for name in {node.attr for node in statements(scope) if isinstance(node, ast.Attribute)}:
            found.setdefault(name, []).append(scope)
    return found


@of_file
def texts_in(file: str) -> dict[str, list[Scope]]:
    """By text that may name a file, the scopes in which it stands."""
    found: dict[str, list[Scope]] = {}
    for scope in scopes_in(file):
        for node in statements(scope):
            if (text := outside(node)) is not None:
                found.setdefault(text, []).append(scope)
    return found


def readers_of_attribute(name: str, file: str) -> Iterable[Scope]:
    """The scopes of a file that name an attribute so."""
    return _attribute_readers(file).get(name, ())


@of_file
def scopes_in(file: str) -> list[Scope]:
    """What runs in a file: its functions, and the file itself."""
    tree = parse(file)
    functions = {id(function): function for some in functions_of(file).values() for function in some}
    return [*functions.values(), *([tree] if tree is not None else [])]


def owner_of(name: str, scope: Scope, file: str) -> Scope:
    """The scope whose variable a name is where it is read or bound in `scope`."""
    enclosing = _enclosing(file)
    while name not in _own(scope) and (outer := enclosing.get(id(scope))) is not None:
        scope = outer
    return scope


@of_file
def names_bound_by(file: str) -> frozenset[str]:
    """The names that a file has for others to import."""
    tree = parse(file)
    return frozenset() if tree is None else _own(tree) | functions_of(file).keys()


@of_file
def imported_by(file: str) -> dict[str, tuple[str, str | None]]:
    """By name that a file imports the module and the name there; None for the module itself."""
    found: dict[str, tuple[str, str | None]] = {}
    tree = parse(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            for name in node.names:
                first = name.name.split(".")[0]
                found[name.asname or first] = (name.name if name.asname else first, None)
                found.setdefault(name.name, (name.name, None))  # nothing is called so, but it is imported
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found.update({name.asname or name.name: (module, name.name) for name in node.names})
    return found


def names_of(node: ast.Match) -> Iterable[str]:
    """The names that the patterns of a match bind."""
    for case in node.cases:
        for inner in ast.walk(case.pattern):
            name = inner.rest if isinstance(inner, ast.MatchMapping) else getattr(inner, "name", None)
            if name is not None:
                yield name


@of_file
def _modules(file: str) -> frozenset[str]:
    modules = (name for name, (_, original) in imported_by(file).items() if original is None)
    return frozenset({"torch", "F", "nn", "np"}).union(modules)


def _is_module(node: ast.AST, file: str) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in _modules(file)


def operand_of(node: ast.AST, file: str) -> str | None:
    """What a call's first operand is called: ``h`` for ``h.detach()``, ``torch.detach(h)`` and ``h @ w``.

    Args:
        node: the expression.
        file: the file that it stands in.
    """
    first: ast.AST | None = None
    if isinstance(node, ast.Call):
        first = node.func.value if isinstance(node.func, ast.Attribute) else None
        if called(node) == "checkpoint":
            first = node.args[1] if len(node.args) > 1 else None  # behind what is run
        elif node.args and (first is None or _is_module(first, file)):
            first = node.args[0]
    elif isinstance(node, ast.BinOp):
        first = node.left
    elif isinstance(node, (ast.Subscript, ast.Attribute)):
        first = node.value
    if isinstance(first, ast.Name) and first.id != "self":
        return first.id
    if isinstance(first, ast.Attribute):
        return ast.unparse(first).removeprefix("self.")
    return None
