"""A small tensor's value in PyTorch's own print spelling, read without running an op."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

LARGEST = 8  # numbers that a box can show in one line
DIGITS = 4  # what PyTorch prints by default

_FLOAT8 = frozenset(
    getattr(torch, name) for name in ("float8_e5m2", "float8_e5m2fnuz", "float8_e4m3fn", "float8_e4m3fnuz")
)
_INTEGERS = frozenset({torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64})
_FLOATS = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64}) | _FLOAT8
_COMPLEX = frozenset({torch.complex64, torch.complex128})


def format_value(tensor: torch.Tensor) -> str | None:
    """What ``print(tensor)`` shows between ``tensor(`` and the first suffix, on one line.

    At PyTorch's default of 4 digits, whatever ``torch.set_printoptions`` says; where PyTorch
    breaks a line, a space stands. For instance ``[0.7311, 0.8808]``, ``2.``, ``[ True, False]``,
    ``[[1, 2], [3, 4]]``.

    Returns:
        None for what is not shown: more than 8 numbers or two dimensions, a device other than the
        CPU (reading would synchronise it), and tensors whose numbers are not plainly in memory:
        sparse, quantized, nested, meta, lazily conjugated, subclasses that answer for themselves,
        and those that a functorch transform wraps.
    """
    with torch._C.DisableTorchFunction():
        if not _is_plain(tensor):
            return None
        dtype = tensor.dtype
        if dtype in _INTEGERS:
            make: Callable[[list[Any]], Callable[[Any], str]] = _integers
        elif dtype in _FLOATS:
            make = _floats
        elif dtype in _COMPLEX:
            make = _complexes
        else:
            return None
        value = tensor.tolist()
    if tensor.ndim == 0:
        return make([value])(value)
    if not tensor.numel():
        return "[]"
    if tensor.ndim == 1:
        return _row(value, make(value))
    write = make([number for row in value for number in row])
    return "[" + ", ".join(_row(row, write) for row in value) + "]"


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether the numbers lie in CPU memory, few, and can be read without dispatching an op."""
    return (
        type(tensor).__torch_dispatch__ is torch._C._disabled_torch_dispatch_impl
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        and tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_nested
        and not tensor.is_quantized
        and tensor.ndim <= 2
        and tensor.numel() <= LARGEST
        and not tensor.is_conj()
        and not tensor.is_neg()
        and not tensor._is_zerotensor()
    )


def _row(numbers: list[Any], write: Callable[[Any], str]) -> str:
    return "[" + ", ".join([write(number) for number in numbers]) + "]"


def _integers(numbers: list[int]) -> Callable[[int], str]:
    width = max(len(str(number)) for number in numbers)
    return lambda number: str(number).rjust(width)


def _floats(numbers: list[float]) -> Callable[[float], str]:
    """PyTorch's rules (``torch/_tensor_str.py``): one spelling and one width for all numbers."""
    telling = [number for number in numbers if number and math.isfinite(number)]
    if not telling:
        return lambda number: _whole(number)
    sizes = [abs(number) for number in telling]
    if max(sizes) / min(sizes) > 1000.0 or max(sizes) > 1.0e8 or min(sizes) < 1.0e-4:
        width = max(len(f"{number:.{DIGITS}e}") for number in telling)
        return lambda number: f"{number:{width}.{DIGITS}e}"
    if all(number == math.ceil(number) for number in telling):
        width = max(len(f"{number:.0f}") + 1 for number in telling)
        return lambda number: _whole(number).rjust(width)
    width = max(len(f"{number:.{DIGITS}f}") for number in telling)
    return lambda number: f"{number:.{DIGITS}f}".rjust(width)


def _whole(number: float) -> str:
    return f"{number:.0f}." if math.isfinite(number) else f"{number:.0f}"


def _complexes(numbers: list[complex]) -> Callable[[complex], str]:
    real, imaginary = _floats([n.real for n in numbers]), _floats([n.imag for n in numbers])

    def write(number: complex) -> str:
        behind = (imaginary(number.imag) + "j").lstrip()
        return real(number.real) + (behind if behind[0] in "+-" else "+" + behind)

    return write
