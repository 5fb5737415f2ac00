"""A scenario's program as a list of statements, specialised where it depends on ``cut``."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphvis.scenario.catalogue import Scenario, own_nodes

ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant)
"""Expressions that bind tighter than any operator."""


@dataclass(frozen=True)
class Statement:
    """A statement of the program, or the header of one that is looked into.

    Attributes:
        text: its source without indentation and outer comments.
        line: where it begins.
        end: its last line.
        depth: how many of its headers stand around it.
        moment: the call that it yields, where it marks a moment.
    """

    text: str
    line: int
    end: int
    depth: int
    moment: ast.Call | None = None

    @property
    def key(self) -> tuple[int, str]:
        """What makes two statements of two runs the same."""
        return (self.depth, self.text)


def statements_of(scenario: Scenario, cut: bool | None) -> list[Statement]:
    """The statements of the program in order; with `cut` given, those that run for that value."""
    # Not splitlines(): it also parts lines at a form feed and the like, which Python's own line numbers do not.
    return list(_flatten(program_of(ast.parse(scenario.source)).body, scenario.source.split("\n"), cut, 0))


def first_line(node: ast.stmt) -> int:
    """The line where a statement begins, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def program_of(module: ast.Module) -> ast.FunctionDef:
    """The function ``program``; the last one counts, as it does when the module runs."""
    return [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "program"][-1]


def _flatten(body: Sequence[ast.stmt], lines: list[str], cut: bool | None, depth: int) -> Iterator[Statement]:
    for number, statement in enumerate(body):
        match statement:
            case ast.Expr(value=ast.Constant(value=str())) if number == 0 and depth == 0:
                continue  # the docstring of the program
            case ast.Expr(value=ast.Yield(value=call)):
                moment = call if isinstance(call, ast.Call) else ast.Call(ast.Name("", ast.Load()), [], [])
                yield Statement("", statement.lineno, statement.end_lineno or statement.lineno, depth, moment)
                continue
            case ast.If(test=test) if cut is not None and (known := _known(test, cut)) is not None:
                yield from _flatten(statement.body if known else statement.orelse, lines, cut, depth)
                continue
        if _is_opened(statement, cut):
            yield from _opened(statement, lines, cut, depth)
        else:
            first, last = first_line(statement), statement.end_lineno or statement.lineno
            yield Statement(_text(lines, first, last, None, _edits(statement, cut, lines)), first, last, depth)


def _is_opened(statement: ast.stmt, cut: bool | None) -> bool:
    """Whether a compound statement must be looked into: it holds a yield, or a test of `cut`."""
    if not isinstance(statement, ast.With | ast.For | ast.While | ast.If | ast.Try):
        return False
    return any(
        isinstance(node, ast.Yield) or (cut is not None and isinstance(node, ast.If) and _mentions_cut(node.test))
        for node in (statement, *own_nodes(statement))
    )


def _mentions_cut(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "cut" for node in ast.walk(test))


def _opened(statement: ast.stmt, lines: list[str], cut: bool | None, depth: int) -> Iterator[Statement]:
    edits = _edits(statement, cut, lines)
    start = statement.lineno
    for body in _blocks_of(statement):
        first = body[0]
        if lines[first.lineno - 1][first.col_offset :].startswith("elif"):
            yield from _flatten(body, lines, cut, depth)
            return
        header = _text(lines, start, first.lineno, first.col_offset, edits)
        yield Statement(header, start, max(start, first.lineno - 1), depth)
        yield from _flatten(body, lines, cut, depth + 1)
        start = (body[-1].end_lineno or first.lineno) + 1


def _blocks_of(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The bodies of a compound statement, in the order of the source."""
    handlers: list[ast.ExceptHandler] = getattr(statement, "handlers", [])
    for body in (
        getattr(statement, "body", []),
        *(handler.body for handler in handlers),
        getattr(statement, "orelse", []),
        getattr(statement, "finalbody", []),
    ):
        if body:
            yield body


_Edit = tuple[tuple[int, int], tuple[int, int], str]
"""Where it begins, where it ends (line from 1, byte of the line), and what stands there instead."""


def _text(lines: list[str], line: int, end: int, end_column: int | None, edits: Sequence[_Edit]) -> str:
    """Whole lines, the last one up to a column, edited, without their indentation and a comment at the end."""
    column = len(lines[end - 1].encode()) if end_column is None else end_column
    text = _between(lines, (line, 0), (end, column), edits).split("\n")
    indent = len(text[0]) - len(text[0].lstrip())
    outdented = [piece[min(indent, len(piece) - len(piece.lstrip())) :] for piece in text]
    return _without_comment("\n".join(outdented).rstrip())


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int], edits: Sequence[_Edit]) -> str:
    """The source from one place to another, with the edits that lie between."""
    raw = [text.encode() for text in lines[start[0] - 1 : end[0]]]
    raw[-1] = raw[-1][: end[1]]
    for first, last, new in sorted(edits, reverse=True):
        if start <= first and last <= end:
            top, bottom = first[0] - start[0], last[0] - start[0]
            raw[top : bottom + 1] = [raw[top][: first[1]] + new.encode() + raw[bottom][last[1] :]]
    raw[0] = raw[0][start[1] :]
    return b"\n".join(raw).decode()


def _without_comment(text: str) -> str:
    """The text without a comment at its very end; comments inside stay."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return text
    last = text.count("\n") + 1
    for token in tokens:
        if token.type == tokenize.COMMENT and token.start[0] == last:
            rows = text.split("\n")
            rows[-1] = rows[-1][: token.start[1]].rstrip()
            return "\n".join(rows).rstrip()
    return text


def _known(test: ast.expr, cut: bool) -> bool | None:
    """What a test says when `cut` is known; None where it depends on more."""
    match test:
        case ast.Name(id="cut"):
            return cut
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _known(operand, cut)
            return None if inner is None else not inner
        case ast.BoolOp(op=op, values=values):
            decided = isinstance(op, ast.Or)
            known = [_known(value, cut) for value in values]
            return decided if decided in known else None if None in known else not decided
    return None


def _edits(within: ast.AST, cut: bool | None, lines: list[str]) -> list[_Edit]:
    """What must stand elsewhere in a statement when `cut` is known: the chosen branch, or the truth value."""
    if cut is None:
        return []
    edits: list[_Edit] = []
    stack: list[tuple[ast.AST, ast.AST]] = [(within, within)]
    while stack:
        node, parent = stack.pop()
        if isinstance(node, ast.IfExp) and _known(node.test, cut) is not None:
            chosen = _branch(node, cut)
            text = _between(lines, *_extent(chosen), _edits(chosen, cut, lines))
            edits.append(_replacing(node, text, lines, _may_shed_parentheses(node, parent, chosen)))
        elif isinstance(node, ast.expr) and (known := _known(node, cut)) is not None:
            edits.append(_replacing(node, str(known), lines, False))
        elif (
            isinstance(node, ast.BoolOp) and (left := [v for v in node.values if _known(v, cut) is None]) != node.values
        ):
            words = [_between(lines, *_extent(value), _edits(value, cut, lines)) for value in left]
            edits.append(
                _replacing(node, (" and " if isinstance(node.op, ast.And) else " or ").join(words), lines, False)
            )
        else:
            stack.extend((child, node) for child in ast.iter_child_nodes(node))
    return edits


def _branch(node: ast.expr, cut: bool) -> ast.expr:
    """What is left of a conditional expression, of one inside the other too."""
    while isinstance(node, ast.IfExp) and (known := _known(node.test, cut)) is not None:
        node = node.body if known else node.orelse
    return node


def _extent(node: ast.expr) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)


def _may_shed_parentheses(node: ast.IfExp, parent: ast.AST, chosen: ast.expr) -> bool:
    """Parentheses around a conditional expression go with it, unless they are those of a call."""
    if isinstance(parent, ast.Call) and node is not parent.func:
        return False
    return isinstance(chosen, ATOMS)


def _replacing(node: ast.expr, new: str, lines: list[str], shed: bool) -> _Edit:
    (top, left), (bottom, right) = _extent(node)
    if shed and lines[top - 1].encode()[:left].endswith(b"(") and lines[bottom - 1].encode()[right:].startswith(b")"):
        left, right = left - 1, right + 1
    return ((top, left), (bottom, right), new)
