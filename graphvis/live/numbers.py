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
_SMALL, _LARGE = 1.0e-4, 1.0e8  # beyond which PyTorch writes an exponent
_SCIENTIFIC, _FIXED = f"{{:.{DIGITS}e}}".format, f"{{:.{DIGITS}f}}".format
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
        those that a functorch transform wraps, and those whose memory was given back
        (``untyped_storage().resize_(0)``).
    """
    with torch._C.DisableTorchFunction():
        if tensor.dtype not in _WRITERS or not _is_plain(tensor):
            return None
        value = tensor.tolist()
        dimensions = tensor.ndim
    return write_value(value, dimensions, tensor.dtype)


def is_written(dtype: torch.dtype, shape: tuple[int, ...]) -> bool:
    """Whether :func:`format_value` shows a tensor of this kind, if it lies plainly in the memory of the CPU."""
    return dtype in _WRITERS and len(shape) <= 2 and math.prod(shape) <= LARGEST


def write_value(value: Any, dimensions: int, dtype: torch.dtype) -> str:
    """What :func:`format_value` shows, from what ``tolist()`` gave."""
    write = _WRITERS[dtype]
    if dimensions == 1:
        return _row(write(value))
    if not dimensions:
        return write([value])[0]
    texts = write([number for row in value for number in row])
    length = len(value[0]) if value else 0
    return _row([_row(texts[i : i + length]) for i in range(0, len(texts), length)]) if texts else "[]"


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether the numbers lie in CPU memory, few, and can be read without dispatching an op."""
    return (
        type(tensor).__torch_dispatch__ is torch._C._disabled_torch_dispatch_impl
        and tensor.is_cpu
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        and tensor.layout is torch.strided
        and not tensor.is_nested
        and tensor.ndim <= 2
        and tensor.numel() <= LARGEST
        and not tensor.is_conj()
        and not tensor.is_neg()
        and not tensor._is_zerotensor()
        and bool(not tensor.numel() or tensor.untyped_storage().nbytes())
    )


def _row(texts: list[str]) -> str:
    return f"[{', '.join(texts)}]"


def _integers(numbers: list[int]) -> list[str]:
    return _aligned(numbers, numbers, str)


def _floats(numbers: list[float]) -> list[str]:
    """PyTorch's rules (``torch/_tensor_str.py``): one spelling and one width for all numbers."""
    if len(numbers) == 1:
        return [_float(numbers[0])]
    telling = [number for number in numbers if number and math.isfinite(number)]
    if not telling:
        return list(map(_whole, numbers))
    sizes = list(map(abs, telling))
    least, most = min(sizes), max(sizes)
    if most / least > 1000.0 or most > _LARGE or least < _SMALL:
        return _aligned(numbers, telling, _SCIENTIFIC)
    return _aligned(numbers, telling, _whole if all(map(float.is_integer, telling)) else _FIXED)


def _float(number: float) -> str:
    """A number that stands alone, by the same rules: most small parameters and every loss are one."""
    if _SMALL <= abs(number) <= _LARGE:
        return f"{number:.0f}." if number.is_integer() else _FIXED(number)
    return _SCIENTIFIC(number) if number and math.isfinite(number) else _whole(number)


def _aligned(numbers: list[Any], telling: list[Any], write: Callable[[Any], str]) -> list[str]:
    """The numbers in the width that `telling` take."""
    width = max(map(len, map(write, telling)), default=0)
    return [write(number).rjust(width) for number in numbers]


def _whole(number: float) -> str:
    return f"{number:.0f}." if math.isfinite(number) else f"{number:.0f}"


def _complexes(numbers: list[complex]) -> list[str]:
    real, imaginary = _floats([number.real for number in numbers]), _floats([number.imag for number in numbers])
    behind = [f"{text}j".lstrip() for text in imaginary]
    return [one + (two if two[0] in "+-" else f"+{two}") for one, two in zip(real, behind, strict=True)]


_WRITERS: dict[torch.dtype, Callable[[list[Any]], list[str]]] = {
    **dict.fromkeys(_INTEGERS, _integers),
    **dict.fromkeys(_FLOATS, _floats),
    **dict.fromkeys(_COMPLEX, _complexes),
}
"""How the numbers of a dtype are written."""
