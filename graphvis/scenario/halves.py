"""The code of each half, and a scenario as a plain program, both derived from its source."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Sequence
from typing import NamedTuple

from graphvis.scenario.catalogue import Scenario
from graphvis.scenario.marker import Side
from graphvis.scenario.statements import ATOMS, Statement, first_line, program_of, statements_of


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


def halves_of(scenario: Scenario) -> Halves:
    """The statements that set each half apart.

    A program that yields twice shows the last statement before its first yield, and those between
    the two. ``program(cut)`` is read once for False and once for True, and shows what differs; where
    one of them only lacks a statement, the next common one is shown in both.
    """
    if scenario.takes_cut:
        lists = [[item for item in statements_of(scenario, cut) if item.moment is None] for cut in (False, True)]
        before, after = _differing(*lists)
    else:
        before, after = ([group] for group in _between_yields(statements_of(scenario, None)))
    return Halves(_joined(before), _joined(after), _lines_of(before), _lines_of(after))


def plain_source(scenario: Scenario, side: Side) -> str:
    """The program of one half as it could be pasted into a prompt: no yields, no function around it.

    It ends with the backward that the moment asks about, and with a line break.
    """
    module = ast.parse(scenario.source)
    lines = scenario.source.split("\n")
    readable = [node for node in module.body if _is_for_readers(node, module)]
    imports = [node for node in readable if isinstance(node, ast.Import | ast.ImportFrom)]
    others = [node for node in readable if node not in imports]
    parts = [
        "\n".join(_lines_of_node(node, lines) for node in imports),
        *(_lines_of_node(node, lines) for node in others),
    ]
    items = statements_of(scenario, {"before": False, "after": True}[side] if scenario.takes_cut else None)
    last = next((i for i, item in enumerate(items) if item.moment and _side_of(item.moment) == side), len(items))
    program = _rows_of(items[:last], _comments_of(scenario.source), program_of(module).body[0].lineno)
    if last < len(items) and (call := items[last].moment) and call.args:
        program += [*_blank_between(program, 0, ""), _backward_of(call.args[0], scenario.source)]
    return "\n\n".join(part for part in (*parts, "\n".join(program)) if part) + "\n"


def _lines_of_node(node: ast.stmt, lines: list[str]) -> str:
    return "\n".join(lines[first_line(node) - 1 : node.end_lineno])


def _rows_of(items: Sequence[Statement], comments: dict[int, tuple[str, bool]], line: int) -> list[str]:
    """The statements as lines from `line` on, with their comments, and without the yields."""
    rows: list[str] = []
    for item in items:
        indent = "    " * item.depth
        alone = [f"{indent}{comments[n][0]}" for n in range(line, item.line) if comments.get(n, ("", False))[1]]
        line = item.end + 1
        if item.moment is not None:
            continue
        aside, has_line = comments.get(item.end, ("", True))
        rows += [*_blank_between(rows, item.depth, item.text), *alone]
        rows += [f"{indent}{text}" if text else "" for text in item.text.split("\n")]
        rows[-1] += "" if has_line else f"  {aside}"
    return rows


def _blank_between(rows: list[str], depth: int, text: str) -> list[str]:
    """An empty line where a block ends at the outermost level: a prompt waits for it."""
    goes_on = text.startswith(("else", "elif", "except", "finally"))
    return [""] if depth == 0 and rows and rows[-1].startswith(" ") and not goes_on else []


def _is_for_readers(node: ast.stmt, module: ast.Module) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return False
        case ast.ImportFrom(module=name) if name and name.startswith(("graphvis", "__future__")):
            return False
        case ast.Assign(targets=[ast.Name(id="ORDER")]):
            return False
    return node is not program_of(module)


def _backward_of(output: ast.expr, source: str) -> str:
    text = ast.get_source_segment(source, output) or ast.unparse(output)
    if isinstance(output, ast.Tuple | ast.List | ast.Dict):
        return f"torch.autograd.backward({text if text[0] in '([{' else f'({text})'})"
    return f"{text}.backward()" if isinstance(output, ATOMS) else f"({text}).backward()"


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


def _between_yields(items: Sequence[Statement]) -> tuple[list[Statement], list[Statement]]:
    yields = [i for i, item in enumerate(items) if item.moment is not None]
    first = [item for item in items[: yields[0]] if item.moment is None][-1:] if yields else []
    if len(yields) < 2:
        return ([], first) if yields and _side_of(_call(items[yields[0]])) == "after" else (first, [])
    return first, [item for item in items[yields[0] + 1 : yields[1]] if item.moment is None]


def _call(item: Statement) -> ast.Call:
    assert item.moment is not None
    return item.moment


def _differing(before: list[Statement], after: list[Statement]) -> tuple[list[list[Statement]], list[list[Statement]]]:
    """What stands in one of them alone, in groups of neighbours."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, [item.key for item in before], [item.key for item in after], autojunk=False)
    shown: tuple[list[list[Statement]], list[list[Statement]]] = ([], [])
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            continue
        if i == j or k == m:  # one half lacks it: a neighbour that both have gives the eye a hold
            outer = min(item.depth for item in (*before[i:j], *after[k:m]))
            if j < len(before) and (before[j].depth >= outer or not i):
                j, m = j + 1, m + 1
            elif i and k:
                i, k = i - 1, k - 1
        shown[0].append(before[i : _with_body(before, j)])
        shown[1].append(after[k : _with_body(after, m)])
    return shown if shown[0] else ([before[-1:]], [after[-1:]])


def _with_body(items: list[Statement], end: int) -> int:
    """Where a slice must end so that no header closes it without a statement of its body."""
    while 0 < end < len(items) and items[end].depth > items[end - 1].depth:
        end += 1
    return end


def _joined(groups: Sequence[Sequence[Statement]]) -> str:
    lines: list[str] = []
    for group in groups:
        outer = min((item.depth for item in group), default=0)
        lines += ["    " * (item.depth - outer) + line for item in group for line in item.text.splitlines()]
    return "\n".join(lines)


def _lines_of(groups: Sequence[Sequence[Statement]]) -> str:
    items = [item for group in groups for item in group]
    if not items:
        return ""
    first, last = items[0].line, items[-1].end
    return f"line {first}" if first == last else f"lines {first} to {last}"
