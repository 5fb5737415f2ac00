"""What boxes are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

_SIGNS = {"add": "+", "mul": "×", "sub": "−", "div": "÷", "matmul": "@", "mm": "@", "bmm": "@"}
_SPOKEN = {
    "native_layer_norm": "layer_norm", "fused_rms_norm": "rms_norm", "native_batch_norm": "batch_norm",
    "native_group_norm": "group_norm", "safe_softmax": "softmax", "nll_loss": "nll_loss", "addmm": "linear",
    "max_pool2d_with_indices": "max_pool2d", "convolution": "conv", "mkldnn_convolution": "conv",
}  # fmt: skip
_SILENT = frozenset({
    "view", "unsafe_view", "transpose", "t", "permute", "expand", "alias", "reshape", "reshape_alias", "squeeze",
    "unsqueeze", "slice", "select", "clone", "to_copy", "as_strided", "split", "unbind", "contiguous", "flatten",
    "accumulate_grad", "size", "chunk", "detach", "to", "float", "type_as", "expand_as", "view_as", "split_with_sizes",
    "unsafe_split", "unflatten", "movedim", "narrow", "data", "getitem", "index",
})  # fmt: skip
"""Operations that move a value and do not change it: a reader is told of them only where there is nothing else."""

_TELLING = 3
_MOST_OPERATIONS = 8


@cache
def operation(name: str) -> str:
    """``softmax`` for ``SoftmaxBackward0``; a call's name stays as it is."""
    short = re.sub(r"(Backward)?\d*$", "", name) if "Backward" in name else name
    if not short[:1].isupper() or "Backward" not in name:
        return short
    short = re.sub(r"(?<=\d)D(?![a-z])", "d", short)  # MaxPool2D is max_pool2d
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", short).lower()
    if snake.startswith("scaled_dot_product"):
        return "scaled_dot_product_attention"
    return _SPOKEN.get(snake, snake)


def operations(names: Iterable[str]) -> tuple[str, ...]:
    """Each operation once, in order, at most eight."""
    found = dict.fromkeys(operation(name) for name in dict.fromkeys(names) if name != "AccumulateGrad")
    return tuple(found)[:_MOST_OPERATIONS]


def telling(names: Sequence[str]) -> list[str]:
    """The operations that tell what a row of functions does, each once; its last one where none tells anything."""
    spoken = (operation(name) for name in dict.fromkeys(names))
    found = dict.fromkeys(_SIGNS.get(one, one) for one in spoken if one not in _SILENT)
    return list(found) or [operation(names[-1])]


def is_silent(names: Iterable[str]) -> bool:
    """Whether these functions only move a value."""
    return all(operation(name) in _SILENT for name in dict.fromkeys(names))


def title(parts: Iterable[str]) -> str:
    """What a box is called: at most three of its parts."""
    told = list(dict.fromkeys(parts))
    return ", ".join(told if len(told) <= _TELLING else [*told[: _TELLING - 1], "…", told[-1]])


def row(names: Sequence[str]) -> str:
    """``h.0–11`` for h.0 to h.11, ``step 1–199``, ``heads.0, 3, …, 27``; of others the first and the last."""
    first, last = names[0], names[-1]
    outers = [name.rstrip("0123456789–") for name in names]
    numbers = [name[len(outer) :] for name, outer in zip(names, outers, strict=True)]
    number = numbers[-1]
    if outers[0] == outers[-1] and number.isdigit() and numbers[0].isdigit():
        if int(number) - int(numbers[0]) == len(names) - 1 or not all(map(str.isdigit, numbers)):
            return f"{first}–{number}"
        return ", ".join([first, *numbers[1:]] if len(names) <= _TELLING else [first, numbers[1], "…", number])
    return f"{first} … {number if number and outers[0] == outers[-1] else '.'.join(last.split('.')[-2:])}"
