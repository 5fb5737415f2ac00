"""The code of each half, and a scenario as a plain program, both derived from its source."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from graphvis.scenario.catalogue import Scenario, own_nodes
from graphvis.scenario.marker import Side

_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant)


class Halves(NamedTuple):
    """The code that sets each half apart, and where it stands.

    Attributes:
        before: source lines, joined by line breaks; empty where the program draws one half.
        after: the same after.
        note_before: e.g. ``line 24`` or ``lines 24 to 26``; empty without code.
        note_after: the same after.
    """

    before: str
    after: str
    note_before: str
    note_after: str


@dataclass(frozen=True)
class _Item:
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
        return (self.depth, self.text)


def halves_of(scenario: Scenario) -> Halves:
    """The statements that set each half apart.

    A program that yields twice shows the last statement before its first yield, and those between
    the two. ``program(cut)`` is read once for False and once for True, and shows what differs; where
    one of them only lacks a statement, the next common one is shown in both.
    """
    if scenario.takes_cut:
        lists = [[item for item in _items(scenario, cut) if item.moment is None] for cut in (False, True)]
        before, after = _differing(*lists)
    else:
        before, after = ([group] for group in _between_yields(_items(scenario, None)))
    return Halves(_joined(before), _joined(after), _lines_of(before), _lines_of(after))


def plain_source(scenario: Scenario, side: Side) -> str:
    """The program of one half as it could be pasted into a prompt: no yields, no function around it.

    It ends with the backward that the moment asks about.
    """
    lines = scenario.source.splitlines()
    module = ast.parse(scenario.source)
    readable = [node for node in module.body if _is_for_readers(node, module)]
    parts = ["\n".join(lines[_first_line(node) - 1 : node.end_lineno]) for node in readable]
    items = _items(scenario, {"before": False, "after": True}[side] if scenario.takes_cut else None)
    last = next((i for i, item in enumerate(items) if item.moment and _side_of(item.moment) == side), len(items))
    comments = _comments_of(scenario.source)
    program: list[str] = []
    line = _program_of(module).body[0].lineno - 1
    for item in items[: last + 1]:
        indent = "    " * item.depth
        program += [f"{indent}{comments[n][0]}" for n in range(line + 1, item.line) if n in comments and comments[n][1]]
        line = item.end
        if item.moment is None:
            aside = comments.get(item.end, ("", True))
            program += [f"{indent}{text}" for text in item.text.splitlines()]
            program[-1] += "" if aside[1] else f"  {aside[0]}"
    if last < len(items) and (call := items[last].moment) and call.args:
        program.append(_backward_of(call.args[0], scenario.source))
    return "\n".join([*parts, "", *program]).strip() + "\n"


def _is_for_readers(node: ast.stmt, module: ast.Module) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return False
        case ast.ImportFrom(module=name) if name and name.startswith(("graphvis", "__future__")):
            return False
        case ast.Assign(targets=[ast.Name(id="ORDER")]):
            return False
    return node is not _program_of(module)


def _backward_of(output: ast.expr, source: str) -> str:
    text = ast.get_source_segment(source, output) or ast.unparse(output)
    if isinstance(output, ast.Tuple | ast.List | ast.Dict):
        return f"torch.autograd.backward({text if text[0] in '([{' else f'({text})'})"
    return f"{text}.backward()" if isinstance(output, _ATOMS) else f"({text}).backward()"


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min(node.lineno, *(decorator.lineno for decorator in decorators), node.lineno)


def _program_of(module: ast.Module) -> ast.FunctionDef:
    return [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "program"][-1]


def _comments_of(source: str) -> dict[int, tuple[str, bool]]:
    """The comment of each line, and whether it has the line to itself."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: (token.string, not token.line[: token.start[1]].strip())
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _side_of(call: ast.Call) -> str:
    name = call.func
    return name.id if isinstance(name, ast.Name) else name.attr if isinstance(name, ast.Attribute) else ""


def _between_yields(items: Sequence[_Item]) -> tuple[list[_Item], list[_Item]]:
    yields = [i for i, item in enumerate(items) if item.moment is not None]
    first = [item for item in items[: yields[0]] if item.moment is None][-1:] if yields else []
    if len(yields) < 2:
        return ([], first) if yields and _side_of(_call(items[yields[0]])) == "after" else (first, [])
    return first, [item for item in items[yields[0] + 1 : yields[1]] if item.moment is None]


def _call(item: _Item) -> ast.Call:
    assert item.moment is not None
    return item.moment


def _differing(before: list[_Item], after: list[_Item]) -> tuple[list[list[_Item]], list[list[_Item]]]:
    """What stands in one of them alone, in groups of neighbours."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, [item.key for item in before], [item.key for item in after], autojunk=False)
    shown: tuple[list[list[_Item]], list[list[_Item]]] = ([], [])
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            continue
        if i == j or k == m:  # one half lacks it: the statement that follows gives the eye a hold in both
            if j < len(before):
                j, m = j + 1, m + 1
            elif i and k:
                i, k = i - 1, k - 1
        shown[0].append(before[i:j])
        shown[1].append(after[k:m])
    return shown if shown[0] else ([before[-1:]], [after[-1:]])


def _joined(groups: Sequence[Sequence[_Item]]) -> str:
    lines: list[str] = []
    for group in groups:
        outer = min((item.depth for item in group), default=0)
        lines += ["    " * (item.depth - outer) + line for item in group for line in item.text.splitlines()]
    return "\n".join(lines)


def _lines_of(groups: Sequence[Sequence[_Item]]) -> str:
    items = [item for group in groups for item in group]
    if not items:
        return ""
    first, last = items[0].line, items[-1].end
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _items(scenario: Scenario, cut: bool | None) -> list[_Item]:
    """The statements of the program in order; with `cut` given, those that run for that value."""
    return list(_flatten(_program_of(ast.parse(scenario.source)).body, scenario.source.splitlines(), cut, 0))


def _flatten(body: Sequence[ast.stmt], lines: list[str], cut: bool | None, depth: int) -> Iterator[_Item]:
    for number, statement in enumerate(body):
        match statement:
            case ast.Expr(value=ast.Constant(value=str())) if number == 0 and depth == 0:
                continue  # the docstring of the program
            case ast.Expr(value=ast.Yield(value=call)):
                moment = call if isinstance(call, ast.Call) else ast.Call(ast.Name("", ast.Load()), [], [])
                yield _Item("", statement.lineno, statement.end_lineno or statement.lineno, depth, moment)
                continue
            case ast.If(test=test) if cut is not None and (known := _known(test, cut)) is not None:
                yield from _flatten(statement.body if known else statement.orelse, lines, cut, depth)
                continue
        if _is_opened(statement, cut):
            yield from _opened(statement, lines, cut, depth)
        else:
            first, last = _first_line(statement), statement.end_lineno or statement.lineno
            yield _Item(_text(lines, first, last, None, _edits(statement, cut, lines)), first, last, depth)


def _is_opened(statement: ast.stmt, cut: bool | None) -> bool:
    """Whether a compound statement must be looked into: it holds a yield, or a test of `cut`."""
    if not isinstance(statement, ast.With | ast.For | ast.While | ast.If | ast.Try):
        return False
    return any(
        isinstance(node, ast.Yield)
        or (cut is not None and isinstance(node, ast.If) and _known(node.test, cut) is not None)
        for node in own_nodes(statement)
    )


def _opened(statement: ast.stmt, lines: list[str], cut: bool | None, depth: int) -> Iterator[_Item]:
    edits = _edits(statement, cut, lines)
    start = statement.lineno
    for body in _blocks_of(statement):
        first = body[0]
        if lines[first.lineno - 1][first.col_offset :].startswith("elif"):
            yield from _flatten(body, lines, cut, depth)
            return
        header = _text(lines, start, first.lineno, first.col_offset, edits)
        yield _Item(header, start, max(start, first.lineno - 1), depth)
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
    """Source from one place to another, edited, without its indentation and without outer comments."""
    raw = [text.encode() for text in lines[line - 1 : end]]
    if end_column is not None:
        raw[-1] = raw[-1][:end_column]
    for (top, left), (bottom, right), new in sorted(edits, reverse=True):
        if not line <= top <= bottom <= end or right > len(raw[bottom - line]):
            continue
        merged = raw[top - line][:left] + new.encode() + raw[bottom - line][right:]
        raw[top - line : bottom - line + 1] = [merged]
    text = [piece.decode() for piece in raw]
    indent = len(text[0]) - len(text[0].lstrip())
    text = [piece[min(indent, len(piece) - len(piece.lstrip())) :] for piece in text]
    return _without_comment("\n".join(text).rstrip())


def _without_comment(text: str) -> str:
    """The text without a comment at its very end; comments inside stay."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return text
    last = text.count("\n") + 1
    for token in tokens:
        if token.type == tokenize.COMMENT and token.start[0] == last:
            rows = text.splitlines()
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
    return None


def _edits(statement: ast.stmt, cut: bool | None, lines: list[str]) -> list[_Edit]:
    """What must stand elsewhere in a statement when `cut` is known: the chosen branch, or the truth value."""
    if cut is None:
        return []
    edits: list[_Edit] = []
    stack: list[tuple[ast.AST, ast.AST]] = [(statement, statement)]
    while stack:
        node, parent = stack.pop()
        if isinstance(node, ast.IfExp) and (known := _known(node.test, cut)) is not None:
            chosen = node.body if known else node.orelse
            edits.append(_replacing(node, _segment(chosen, lines), lines, _may_shed_parentheses(node, parent, chosen)))
        elif isinstance(node, ast.expr) and (known := _known(node, cut)) is not None:
            edits.append(_replacing(node, str(known), lines, False))
        else:
            stack.extend((child, node) for child in ast.iter_child_nodes(node))
    return edits


def _segment(node: ast.expr, lines: list[str]) -> str:
    return ast.get_source_segment("\n".join(lines), node) or ast.unparse(node)


def _may_shed_parentheses(node: ast.IfExp, parent: ast.AST, chosen: ast.expr) -> bool:
    """Parentheses around a conditional expression go with it, unless they are those of a call."""
    if isinstance(parent, ast.Call) and node is not parent.func:
        return False
    return isinstance(chosen, _ATOMS)


def _replacing(node: ast.expr, new: str, lines: list[str], shed: bool) -> _Edit:
    top, left = node.lineno, node.col_offset
    bottom, right = node.end_lineno or top, node.end_col_offset or left
    if shed:
        ahead, behind = lines[top - 1].encode()[:left], lines[bottom - 1].encode()[right:]
        if ahead.endswith(b"(") and behind.startswith(b")"):
            left, right = left - 1, right + 1
    return ((top, left), (bottom, right), new)
