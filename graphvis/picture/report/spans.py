"""Which part of a source line a finding is about."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Callable, Iterator

Span = tuple[int, int]
"""First character and one past the last, in the line."""

_CALLS: dict[str, frozenset[str]] = {
    "detach": frozenset({"detach", "state_dict"}),
    "detach_": frozenset({"detach_"}),
    "item": frozenset({"item", "tolist", "float", "int", "bool"}),
    "numpy": frozenset({"numpy", "asarray", "array", "__array__"}),
    "copy": frozenset({"tensor", "new_tensor", "as_tensor", "Tensor", "deepcopy", "state_dict"}),
    "rewrap": frozenset({"Parameter", "Variable", "requires_grad_"}),
    "function": frozenset({"apply"}),
    "checkpoint": frozenset({"checkpoint", "checkpoint_sequential"}),
    "grad": frozenset({"grad"}),
    "non_differentiable": frozenset(
        {"argmax", "argmin", "argsort", "one_hot", "long", "int", "bool", "byte", "short", "gt", "lt", "ge", "le", "eq",
         "ne", "sort", "topk", "bucketize", "multinomial", "nonzero"}
    ),
}  # fmt: skip
_ATTRIBUTES: dict[str, frozenset[str]] = {"data": frozenset({"data"}), "grad": frozenset({"grad"})}


def span_of_cut(text: str, kind: str) -> Span:
    """The expression of a line that cuts: the call of ``detach``, the read of ``.data``, ...; else the line's value."""
    calls, attributes = _CALLS.get(kind, frozenset()), _ATTRIBUTES.get(kind, frozenset())

    def fits(node: ast.AST) -> bool:
        if isinstance(node, ast.Call) and _called(node) in calls:
            return True
        return kind == "non_differentiable" and isinstance(node, ast.Compare)

    def reads(node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and node.attr in attributes

    return _find(text, fits) or _find(text, reads) or _by_word(text, calls | attributes) or span_of_value(text)


def subject_of_cut(text: str, kind: str) -> str:
    """What a line cuts, as it is written there: ``h`` of ``h.detach()``; empty where that is more than a name."""
    start, stop = span_of_cut(text, kind)
    tree = _parse(text[start:stop])
    node = getattr(tree.body[0], "value", None) if tree is not None and tree.body else None
    if isinstance(node, ast.Call):
        if _called(node) in _OF_MODULES:
            return ""
        inner = node.func.value if isinstance(node.func, ast.Attribute) else None
        first = 1 if kind == "checkpoint" else 0  # behind what is run
        given = node.args[first] if len(node.args) > first else None
        own = inner is not None and kind not in ("checkpoint", "function") and _dotted(inner) not in _LIBRARIES
        taken = inner if own else given
    else:
        taken = node.value if isinstance(node, ast.Attribute) else None
    return _dotted(taken)


_LIBRARIES = frozenset({"torch", "np", "numpy", "F", "nn", "torch.nn.functional", "torch.nn", "torch.autograd"})
_OF_MODULES = frozenset({"state_dict", "deepcopy"})


def _dotted(node: ast.AST | None) -> str:
    """``self.hidden`` for a name with attributes; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def span_of_call(text: str, function: str) -> Span:
    """The call of `function` (its last part) in a line; for an in-place operator or an item the whole statement."""
    name = function.split(" ", 1)[0].rsplit(".", 1)[-1]
    return _find(text, lambda node: isinstance(node, ast.Call) and _called(node) == name) or _whole(text)


def calls(text: str, name: str) -> bool:
    """Whether a line calls something of that name."""
    return _find(text, lambda node: isinstance(node, ast.Call) and _called(node) == name) is not None


def span_of_name(text: str, name: str) -> Span:
    """Where a line reads the variable of that name; its value where it reads none."""

    def fits(node: ast.AST) -> bool:
        return isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load) and _dotted(node) == name

    return (name and _find(text, fits)) or span_of_value(text)


def span_of_value(text: str) -> Span:
    """What a statement computes: right of the assignment, behind ``return``; the whole line where that is unclear."""
    values = [
        value for statement in _statements(text) if isinstance(value := getattr(statement, "value", None), ast.expr)
    ]
    return _span(text, values[0]) if len(values) == 1 else _whole(text)


_OPERATORS: dict[str, type[ast.operator]] = {
    "Add": ast.Add, "Sub": ast.Sub, "Mul": ast.Mult, "Div": ast.Div, "Mm": ast.MatMult, "Bmm": ast.MatMult,
}  # fmt: skip


def span_of_operand(text: str, node: str, slot: int | None) -> Span:
    """What a line hands to a slot of a node: of ``x + f(h)`` the ``f(h)`` for slot 1 of an ``AddBackward0``.

    Where the line has the operator more than once, or not, what it computes.
    """
    operator, tree = _OPERATORS.get(node.partition("Backward")[0]), _parse(text)
    if operator is None or tree is None or slot not in (0, 1):
        return span_of_value(text)
    found = [item for item in ast.walk(tree) if isinstance(item, ast.BinOp) and isinstance(item.op, operator)]
    return _span(text, (found[0].left, found[0].right)[slot]) if len(found) == 1 else span_of_value(text)


def backward_in(text: str) -> str:
    """The call of a line that starts a backward, as it is written; the whole line where none is seen.

    A line may hold a loop and several statements: ``for _ in range(3): loss = f(); loss.backward()``.
    """
    span = _find(text, lambda node: isinstance(node, ast.Call) and _called(node) in ("backward", "grad"))
    if span is not None:
        return text[span[0] : span[1]]
    return text if len(list(_statements(text))) <= 1 else ""


def _statements(text: str) -> Iterator[ast.stmt]:
    """The simple statements of a line, those of a loop or condition on one line too."""
    tree = _parse(text)
    stack = list(reversed(tree.body)) if tree is not None else []
    while stack:
        statement = stack.pop()
        inner = getattr(statement, "body", None)
        if isinstance(inner, list):
            stack.extend(reversed(inner))
        elif not isinstance(statement, ast.Pass):
            yield statement


def display_width(text: str) -> int:
    """How many columns of a terminal `text` takes: two for each wide character, none for a combining one."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _called(call: ast.Call) -> str:
    function = call.func
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _find(text: str, fits: Callable[[ast.AST], bool]) -> Span | None:
    tree = _parse(text)
    if tree is None:
        return None
    found = [_span(text, node) for node in ast.walk(tree) if isinstance(node, ast.expr) and fits(node)]
    # The smallest: of `f(h.detach())` the detach alone, of `h.detach().numpy()` nothing that stands around it.
    return min(found, key=lambda span: span[1] - span[0], default=None)


# What makes a whole statement of a line that opens a block or goes on with one.
_AROUND = (("", ""), ("", " pass"), ("if 1:\n pass\n", " pass"), ("try:\n pass\n", " pass"))


def _parse(text: str) -> ast.Module | None:
    """The line as a tree; None for a part of a statement."""
    for before, after in _AROUND:
        try:
            return ast.parse(before + text.strip() + after)
        except (SyntaxError, ValueError):
            continue
    return None


def _span(text: str, node: ast.expr) -> Span:
    """Where `node` stands in `text`: the parser counts bytes of the line without its indentation."""
    indent = len(text) - len(text.lstrip())
    line = text.strip().encode()
    stop = len(line) if node.end_col_offset is None else node.end_col_offset
    return indent + len(line[: node.col_offset].decode()), indent + len(line[:stop].decode())


def _by_word(text: str, words: frozenset[str]) -> Span | None:
    """For a line that is only a part of a statement: the word with its empty parentheses."""
    for word in sorted(words, key=len, reverse=True):
        if found := re.search(rf"\.?\b{re.escape(word)}\b(\(\s*\))?", text):
            return found.span()
    return None


def _whole(text: str) -> Span:
    """The line without its indentation and its trailing comment."""
    bare = re.sub(r"\s+#[^'\"]*$", "", text).rstrip()
    return len(bare) - len(bare.lstrip()), max(len(bare), 1)
