"""The source of recorded code: its functions, what runs in them, and which expression an instruction belongs to."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from types import CodeType

Place = tuple[CodeType, int]
Def = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Def | ast.Lambda | ast.Module
COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
"""Expressions that are no tensor, whatever call is made where they stand."""


def called(node: ast.Call) -> str | None:
    """The last name of what is called; None where it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


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


@lru_cache(maxsize=256)
def parse(file: str) -> ast.Module | None:
    """A file's source; None where it cannot be read."""
    source = "".join(linecache.getlines(file))
    if not source:
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None


@lru_cache(maxsize=256)
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


@lru_cache(maxsize=256)
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


@lru_cache(maxsize=1024)
def _own(scope: Scope) -> frozenset[str]:
    """The names that a scope binds itself."""
    bound: set[str] = set()
    others: set[str] = set()
    if not isinstance(scope, ast.Module):
        arguments = scope.args
        all_ = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        bound.update(argument.arg for argument in all_ if argument is not None)
    for node in statements(scope):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            others.update(node.names)
    return frozenset(bound - others)


@lru_cache(maxsize=1024)
def _free(scope: Scope) -> frozenset[str]:
    """The names of others that a scope reads."""
    read = {node.id for node in statements(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return frozenset(read - _own(scope))


def readers_of(name: str, owner: Scope, file: str) -> Iterable[Def]:
    """The functions that read another scope's variable."""
    for functions in functions_of(file).values():
        for function in functions:
            if name in _free(function) and owner_of(name, function, file) is owner:
                yield function


def owner_of(name: str, scope: Scope, file: str) -> Scope:
    """The scope whose variable a name is where it is read or bound in `scope`."""
    enclosing = _enclosing(file)
    while name not in _own(scope) and (outer := enclosing.get(id(scope))) is not None:
        scope = outer
    return scope


@lru_cache(maxsize=256)
def imported_by(file: str) -> frozenset[str]:
    """The names that a file imports."""
    return frozenset(_imported(file, (ast.Import, ast.ImportFrom)))


def _imported(file: str, kinds: tuple[type[ast.Import | ast.ImportFrom], ...]) -> Iterable[str]:
    tree = parse(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, kinds):
            yield from ((name.asname or name.name).split(".")[0] for name in node.names)


@lru_cache(maxsize=1024)
def scope_of(code: CodeType) -> Scope | None:
    """The source of a function; of the function around it for a comprehension; None where it cannot be read."""
    tree = parse(code.co_filename)
    if tree is None or code.co_name == "<module>":
        return tree
    around: Scope = tree
    for node in ast.walk(tree):  # breadth first: inner functions come after outer ones
        if isinstance(node, Def):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if node.name == code.co_name and first == code.co_firstlineno:
                return node
            if first <= code.co_firstlineno <= (node.end_lineno or first):
                around = node
        if isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
            return node
    return around if code.co_name in ("<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>") else None


@lru_cache(maxsize=1024)
def _spans(code: CodeType) -> dict[tuple[int | None, ...], ast.AST]:
    scope = scope_of(code)
    found: dict[tuple[int | None, ...], ast.AST] = {}
    for node in statements(scope) if scope is not None else ():
        if isinstance(node, (ast.expr, ast.stmt)):  # of a statement and its expression the expression stays
            found[node.lineno, node.end_lineno, node.col_offset, node.end_col_offset] = node
    return found


@lru_cache(maxsize=4096)
def expression_at(code: CodeType, offset: int) -> ast.AST | None:
    """The expression that an instruction belongs to; None where the source cannot be read."""
    span = next(islice(code.co_positions(), offset // 2, None), None)
    if span is None:
        return None
    line, end_line, column, end_column = span
    return _spans(code).get((line, end_line, column, end_column))


@lru_cache(maxsize=256)
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
