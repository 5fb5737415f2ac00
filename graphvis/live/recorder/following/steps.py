"""What is looked at: what hands on values in the source, and what is to be done when others come to hold more."""

from __future__ import annotations

import ast
from collections.abc import Callable

from graphvis.live.recorder.following.classes import class_attributes
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.protocols import operated_on
from graphvis.live.recorder.following.source import Scope, definitions_with_values, statements

_HAND_ON = (
    ast.Return, ast.Yield, ast.YieldFrom, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For,
    ast.AsyncFor, ast.comprehension, ast.withitem, ast.Match, ast.Call, ast.Raise, ast.ExceptHandler,
)  # fmt: skip


class Task:
    """What is to be done again when what it reads has come to hold more."""

    __slots__ = ("run",)

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run


class Step:
    """What hands on what it holds: an assignment, a call, a return, ... in the scope that it runs in."""

    __slots__ = ("file", "node", "scope")

    def __init__(self, scope: Scope, file: str, node: ast.AST) -> None:
        self.scope, self.file, self.node = scope, file, node


def steps_of(scope: Scope, file: str, program: Program) -> tuple[list[Step], list[int]]:
    """What hands on values in a scope, and the ``id`` of each expression whose value nobody takes."""
    nodes = [*statements(scope), *class_attributes(scope)]
    dropped = [id(node.value) for node in nodes if isinstance(node, ast.Expr)]
    steps = [Step(scope, file, node) for node in nodes if isinstance(node, _HAND_ON)]
    steps += [Step(scope, file, node) for node in nodes if _is_of_program(node, file, program)]
    steps += [Step(scope, file, node) for node in definitions_with_values(scope)]
    if isinstance(scope, ast.Lambda):  # it returns its body
        steps.append(Step(scope, file, scope))
    return steps, dropped


def _is_of_program(node: ast.AST, file: str, program: Program) -> bool:
    """Whether an operator may be a function of the program."""
    return any(program.special(name, file) for name in operated_on(node)[0])
