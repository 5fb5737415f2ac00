"""Which special methods an expression or a statement calls without naming them."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from graphvis.live.recorder.following.arguing import BUILTINS

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.MatMult: "matmul", ast.USub: "neg", ast.UAdd: "pos", ast.LShift: "lshift",
    ast.RShift: "rshift", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.In: "contains",
    ast.NotIn: "contains",
}  # fmt: skip
_GONE_OVER = ("__iter__", "__next__", "__aiter__", "__anext__", "__getitem__")
_METHODS: dict[type[ast.AST], Sequence[str]] = {
    ast.Subscript: ("__getitem__", "__missing__"),
    ast.Await: ("__await__",),
    ast.For: _GONE_OVER,
    ast.AsyncFor: _GONE_OVER,
    ast.comprehension: _GONE_OVER,
    ast.withitem: ("__enter__", "__aenter__"),
}
MISSING = ("__getattr__", "__getattribute__")
"""What hands out an attribute that nobody has set."""
DESCRIBED = ("__get__",)
"""What hands out an attribute that a class describes."""


_SHOWING = frozenset({"str", "repr", "format", "print"})


def methods_of(node: ast.AST) -> Sequence[str]:
    """The special methods that may be called where a node stands, for what it reads, calls or goes over."""
    if isinstance(node, (ast.BinOp, ast.UnaryOp)):
        word = _OPERATORS.get(type(node.op))
        return () if word is None else (f"__{word}__", f"__r{word}__")
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _SHOWING:
            return ()
        if isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
            return (f"__{node.func.id}__", *_GONE_OVER)
        return () if isinstance(node.func, ast.Attribute) else ("__call__",)
    return _METHODS.get(type(node), ())


def operated_on(node: ast.AST) -> tuple[Sequence[str], Sequence[ast.expr]]:
    """The special methods that may be called where an operator stands, and what they may be given."""
    if isinstance(node, ast.BinOp):
        word = _OPERATORS.get(type(node.op), "")
        return (f"__{word}__", f"__r{word}__"), (node.left, node.right)
    if isinstance(node, ast.AugAssign):
        word = _OPERATORS.get(type(node.op), "")
        return (f"__i{word}__", f"__{word}__", f"__r{word}__"), (node.value,)
    if isinstance(node, ast.Compare):
        words = [_OPERATORS.get(type(one), "") for one in node.ops]
        return [f"__{word}__" for word in words], (node.left, *node.comparators)
    return (("__getitem__", "__delitem__"), (node.slice,)) if isinstance(node, ast.Subscript) else ((), ())
