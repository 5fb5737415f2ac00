"""What a statement or a call in the source does with a value: what it assigns, returns, is given, keeps or shows."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection

from graphvis.live.recorder.following.source import names_of

CONSTRUCTORS = frozenset({"Tensor", "FloatTensor", "DoubleTensor", "HalfTensor", "BFloat16Tensor"})
# The object that these write is their first argument; what it is written to comes second.
SAVING = frozenset({"save", "dump"})
GATHERING = frozenset({"append", "extend", "add", "insert", "update", "put", "appendleft", "setdefault"})
# What is given to these is shown to somebody, whoever they belong to.
SHOWING = frozenset(
    """debug info warning warn error exception critical print log log_dict log_metric log_metrics logkv record
    add_scalar add_scalars add_text add_histogram set_postfix set_postfix_str set_description""".split()
)
CATCHING = frozenset({"redirect_stdout", "redirect_stderr", "StreamHandler", "FileHandler", "basicConfig"})
"""What is given to these gets what is shown."""
WRITERS = ("write", "emit")
"""The methods that are called with what is shown."""
STREAMS = frozenset({"stdout", "stderr"})
"""The attributes to which what is shown goes."""
BUILTINS = frozenset(vars(builtins))
_OF_BUILTINS = frozenset(name for kind in (dict, list, set, str, int) for name in dir(kind))  # methods


def returned_by(node: ast.AST) -> ast.AST | None:
    """What a function hands on there to whoever called it."""
    if isinstance(node, (ast.Return, ast.Yield)):
        return node.value
    return node if isinstance(node, ast.YieldFrom) else node.body if isinstance(node, ast.Lambda) else None


def assigned_by(node: ast.AST) -> tuple[ast.AST | None, list[ast.AST]]:
    """What is assigned there, and what to."""
    if isinstance(node, ast.Assign):
        return node.value, [*node.targets]
    if isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
        return node.value, [node.target]
    if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        return node.iter, [node.target]
    if isinstance(node, ast.withitem) and node.optional_vars is not None:
        return node.context_expr, [node.optional_vars]
    if isinstance(node, ast.Match):
        return node.subject, [ast.Name(name, ast.Store()) for name in names_of(node)]
    return None, []


def only_keeps(node: ast.Call, imported: Collection[str]) -> bool:
    """Whether a call of nobody's function is one that does with a number what it does with any: of Python itself."""
    if isinstance(node.func, ast.Name):
        return node.func.id in BUILTINS
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _OF_BUILTINS | SHOWING:
        return False
    owner = node.func.value
    return not (isinstance(owner, ast.Name) and owner.id in imported)


def can_be_filled(node: ast.expr) -> bool:
    """Whether an argument names an object that its caller keeps."""
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript))


class SetByFunction(ast.Attribute):
    """An attribute of what a function was given that it sets: what it is of any object is told there."""


def attributes_set(name: str) -> str:
    """What the attributes hold that a function sets of the parameter of that name: no name of a variable."""
    return f"{name}.="


def filled(name: str) -> str:
    """What a caller's object holds that was given as the parameter of that name: no name of a variable."""
    return f"*{name}"
