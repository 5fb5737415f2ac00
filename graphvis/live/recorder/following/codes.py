"""Code objects: the source that they were compiled from, and which expression an instruction belongs to."""

from __future__ import annotations

import ast
from types import CodeType
from typing import NamedTuple

from graphvis.live.recorder.following.files import of_file, parse
from graphvis.live.recorder.following.source import Def, Scope, statements
from graphvis.live.recorder.instructions import Same

_MOST_CODE = 1024  # objects of one file: it may be run again and again


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
