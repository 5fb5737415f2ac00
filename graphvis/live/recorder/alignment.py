"""Which of its arguments a function reads place by place: a number of the result depends on no other number of theirs.

PyTorch says so itself of most: it tags an operator ``pointwise`` whose result has at each place what it computed of the
numbers at that place, broadcast. Of the others those that have a form in place keep the places of what they would write
to, whatever else they are given; three mix its numbers, and those that make a view in place move them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch._ops import OpOverload, OpOverloadPacket

from graphvis.analysis.cutting import ACROSS

Aligned = Literal["all", "first", ""]
# Methods that Python calls for its operators, by the operator's name in PyTorch where the two differ; with an `r` or an
# `i` before it for the other order and in place.
_OPERATORS = {
    "truediv": "div", "floordiv": "floor_divide", "mod": "remainder", "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "invert": "bitwise_not",
}  # fmt: skip
_PLAIN = frozenset({*_OPERATORS, "add", "sub", "mul", "div", "pow"})
# Copies of all numbers, in the same places: of what is given, or of the source that is written.
_COPYING = frozenset(
    """contiguous to type float double half bfloat16 long int short char byte bool cpu cuda cfloat cdouble chalf copy_
    _to_copy""".split()
)


def alignment(short: str, public: bool) -> Aligned:
    """Which arguments a function of PyTorch's reads place by place: all tensors, the first one, or none.

    Args:
        short: its own name, e.g. ``mul_`` or ``__iadd__``.
        public: whether it is PyTorch's; nothing is known of others.
    """
    if not public:
        return ""
    base = short.removeprefix("_foreach_")
    if base in _COPYING:
        return "all"
    if base.startswith("__") and base.endswith("__"):
        base = base.strip("_")
        if base not in _PLAIN and base[1:] in _PLAIN:
            base = base[1:]
        base = _OPERATORS.get(base, base)
    base = base.removesuffix("_")
    packets = [packet for name in (base, f"{base}_") if (packet := getattr(torch.ops.aten, name, None)) is not None]
    if any(torch.Tag.pointwise in overload.tags for packet in packets for overload in _overloads(packet)):
        return "all"
    if f"{base}_" in ACROSS or len(packets) < 2 or base.startswith("_") or short.startswith("_foreach_"):
        return ""
    return "first" if all(_keeps_places(overload) for overload in _overloads(packets[1])) else ""


def alignment_of(operator: OpOverload | OpOverloadPacket) -> Aligned:
    """The same of an operator that is called by its own name."""
    packet = operator.overloadpacket if isinstance(operator, OpOverload) else operator
    if packet._qualified_op_name.startswith("aten::"):
        return alignment(packet.__name__, public=True)
    overloads = [operator] if isinstance(operator, OpOverload) else _overloads(operator)
    return "all" if all(torch.Tag.pointwise in overload.tags for overload in overloads) else ""


def _overloads(packet: OpOverloadPacket) -> list[OpOverload]:
    names: list[str] = packet.overloads()  # type: ignore[no-untyped-call]  # PyTorch's own
    return [getattr(packet, name) for name in names]


def _keeps_places(overload: OpOverload) -> bool:
    """Whether an operator writes its result over its first argument, and does not merely show it in another shape."""
    first = next(iter(overload._schema.arguments), None)
    if first is None or first.alias_info is None:
        return str(getattr(first, "type", "")) != "Tensor"  # TorchScript's own, of numbers and lists
    return first.alias_info.is_write and torch.Tag.inplace_view not in overload.tags
