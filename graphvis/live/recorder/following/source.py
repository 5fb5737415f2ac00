"""The source of recorded code: its functions, what runs in them, and which expression an instruction belongs to."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

from graphvis.live.recorder.following.files import of_file, parse
from graphvis.live.recorder.instructions import Same

Def = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Def | ast.Lambda | ast.Module
_MOST_CODE = 1024  # objects of one file: it may be run again and again
COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
"""Expressions that are no tensor, whatever call is made where they stand."""


def called(node: ast.Call) -> str | None:
    """The last name of what is called; None where it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


@lru_cache(maxsize=4096)
def text_of(node: ast.Name | ast.Attribute) -> str:
    """The source of a name or an attribute."""
    if isinstance(node, ast.Name):
        return node.id
    inner = node.value
    return f"{text_of(inner)}.{node.attr}" if isinstance(inner, (ast.Name, ast.Attribute)) else ast.unparse(node)


def statements(scope: Scope) -> Iterable[ast.AST]:
    """What runs in a scope, without the functions that it only defines."""
    body = scope.body if isinstance(scope.body, list) else [scope.body]
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node is not scope:
            continue
        yield node
        stack.extend(reversed(list(ast.iter_child_nodes(node))))


@of_file
def functions_of(file: str) -> dict[str, list[Def]]:
    """The functions of a file by name; each initialiser by the name of its class."""
    found: dict[str, list[Def]] = {}
    tree = parse(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, Def):
            found.setdefault(node.name, []).append(node)
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


@lru_cache(maxsize=1024)
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


@lru_cache(maxsize=1024)
def _free(scope: Scope) -> frozenset[str]:
    """The names of others that a scope reads."""
    read = {node.id for node in statements(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return frozenset(read - _own(scope))


@of_file
def _readers(file: str) -> dict[str, list[Def]]:
    """By name, the functions of a file that read a variable of others so called."""
    found: dict[str, list[Def]] = {}
    for function in {id(function): function for some in functions_of(file).values() for function in some}.values():
        for name in _free(function):
            found.setdefault(name, []).append(function)
    return found


def readers_of(name: str, owner: Scope, file: str) -> Iterable[Def]:
    """The functions that read another scope's variable."""
    for function in _readers(file).get(name, ()):
        if owner_of(name, function, file) is owner:
            yield function


@of_file
def _attribute_readers(file: str) -> dict[str, list[Def]]:
    found: dict[str, list[Def]] = {}
    for function in {id(function): function for some in functions_of(file).values() for function in some}.values():
        for name in {node.attr for node in statements(function) if isinstance(node, ast.Attribute)}:
            found.setdefault(name, []).append(function)
    return found


def readers_of_attribute(name: str, file: str) -> Iterable[Def]:
    """The functions of a file that name an attribute so."""
    return _attribute_readers(file).get(name, ())


def owner_of(name: str, scope: Scope, file: str) -> Scope:
    """The scope whose variable a name is where it is read or bound in `scope`."""
    enclosing = _enclosing(file)
    while name not in _own(scope) and (outer := enclosing.get(id(scope))) is not None:
        scope = outer
    return scope


@of_file
def imported_by(file: str) -> frozenset[str]:
    """The names that a file imports."""
    return frozenset(_imported(file, (ast.Import, ast.ImportFrom)))


def _imported(file: str, kinds: tuple[type[ast.Import | ast.ImportFrom], ...]) -> Iterable[str]:
    tree = parse(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, kinds):
            yield from ((name.asname or name.name).split(".")[0] for name in node.names)


def names_of(node: ast.Match) -> Iterable[str]:
    """The names that the patterns of a match bind."""
    for case in node.cases:
        for inner in ast.walk(case.pattern):
            name = inner.rest if isinstance(inner, ast.MatchMapping) else getattr(inner, "name", None)
            if name is not None:
                yield name


class _Scopes:
    """The scopes of a file as code objects name them: by name and first line; of several the outermost."""

    def __init__(self, tree: ast.Module) -> None:
        self.functions: dict[tuple[str, int], Def] = {}
        self.lambdas: dict[int, ast.Lambda] = {}
        self._spans: list[tuple[int, int, Def]] = []
        for node in ast.walk(tree):  # breadth first: inner functions come after outer ones
            if isinstance(node, Def):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                self.functions.setdefault((node.name, first), node)
                self._spans.append((first, node.end_lineno or first, node))
            elif isinstance(node, ast.Lambda):
                self.lambdas.setdefault(node.lineno, node)

    def around(self, line: int) -> Def | None:
        """The innermost function that a line lies in."""
        found = [function for first, last, function in self._spans if first <= line <= last]
        return found[-1] if found else None


@of_file
def _scopes(file: str) -> _Scopes | None:
    tree = parse(file)
    return None if tree is None else _Scopes(tree)


def scope_of(code: CodeType) -> Scope | None:
    """The source of a function; of the function around it for a comprehension; None where it cannot be read."""
    return _table(code).scope


def _scope(code: CodeType) -> Scope | None:
    tree, scopes = parse(code.co_filename), _scopes(code.co_filename)
    if tree is None or scopes is None or code.co_name == "<module>":
        return tree
    if code.co_name == "<lambda>":
        return scopes.lambdas.get(code.co_firstlineno)
    if code.co_name in ("<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>"):
        return scopes.around(code.co_firstlineno) or tree
    return scopes.functions.get((code.co_name, code.co_firstlineno))


class _Table(NamedTuple):
    """The source of a code object, and the expression of each of its instructions."""

    scope: Scope | None
    expressions: list[ast.AST | None]


@of_file
def _tables(file: str) -> dict[Same, _Table]:
    """What is known of the code of a file."""
    return {}


def _table(code: CodeType) -> _Table:
    tables = _tables(code.co_filename)
    found = tables.get(Same(code))
    if found is None:
        if len(tables) >= _MOST_CODE:
            tables.clear()
        found = tables[Same(code)] = _read(code)
    return found


def _read(code: CodeType) -> _Table:
    scope = _scope(code)
    found: dict[tuple[int | None, ...], ast.AST] = {}
    for node in statements(scope) if scope is not None else ():
        if isinstance(node, (ast.expr, ast.stmt)):  # of a statement and its expression the expression stays
            span = node.lineno, node.end_lineno, node.col_offset, node.end_col_offset
            found[span] = node
            if isinstance(node, (ast.With, ast.AsyncWith)) and len(node.items) == 1:  # it calls what it enters
                found[span] = node.items[0].context_expr
    return _Table(scope, [found.get(span) for span in code.co_positions()])


def expression_at(code: CodeType, offset: int) -> ast.AST | None:
    """The expression that an instruction belongs to; None where the source cannot be read."""
    expressions = _table(code).expressions
    return expressions[offset // 2] if 0 <= offset // 2 < len(expressions) else None


@of_file
def _modules(file: str) -> frozenset[str]:
    return frozenset({"torch", "F", "nn", "np"}).union(_imported(file, (ast.Import,)))


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
