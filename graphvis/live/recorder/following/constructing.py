"""Tensors that a constructor of old may have made, ``torch.FloatTensor([1.0])``: nobody is told of its calls."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterable

import torch

_DTYPES = {
    "FloatTensor": torch.float32, "DoubleTensor": torch.float64, "HalfTensor": torch.float16,
    "BFloat16Tensor": torch.bfloat16, "LongTensor": torch.int64, "IntTensor": torch.int32, "ShortTensor": torch.int16,
    "CharTensor": torch.int8, "ByteTensor": torch.uint8, "BoolTensor": torch.bool,
}  # fmt: skip
_CALLED = re.compile(
    r"(?<![\w.])(?:\w+\.)?(?:cuda\.)?(\w*Tensor)\("
)  # and no overload of an operator, `aten.add.Tensor()`


def constructed_in(files: Iterable[str]) -> frozenset[torch.dtype]:
    """The dtypes of what the constructors make that are called in these files."""
    names = {name for file in files for name in _CALLED.findall("".join(linecache.getlines(file)))}
    dtypes = {dtype for name, dtype in _DTYPES.items() if name in names}
    if "Tensor" in names:  # which may also be the program's own name for one of the others
        dtypes.add(torch.get_default_dtype())
    return frozenset(dtypes)
