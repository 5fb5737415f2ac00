"""The state of live tensors, read without running an op on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from graphvis.live.numbers import format_value
from graphvis.live.walker.naming import Names
from graphvis.live.walker.numbering import Numbers
from graphvis.live.walker.structure import name_of
from graphvis.model.tensor import TensorInfo

_ADDRESS: Callable[[torch.Tensor], int] = vars(torch._C)[
    "_storage_id"
]  # a storage's _cdata, without making the storage


class Storages:
    """Numbers for storages, counted as they are met.

    What is numbered must stay alive until the walk is over, else a number may be given twice.
    """

    def __init__(self) -> None:
        self._numbers = Numbers()

    def look(self, tensor: torch.Tensor) -> tuple[int | None, int]:
        """The number and the size in bytes of the storage of `tensor`; (None, 0) where it has none."""
        if tensor.is_meta:
            return None, 0
        try:
            storage = tensor.untyped_storage()
            nbytes = storage.nbytes()
        except (RuntimeError, NotImplementedError):  # sparse, or wrapped by a functorch transform
            return None, 0
        if type(nbytes) is not int:  # a symbol, while a compiler traces
            nbytes = 0
        number = self._numbers.find(storage._cdata)
        if number is None:
            number = self._numbers[storage._cdata] = self._numbers.count
        return number, nbytes

    def look_all(self, tensors: Sequence[torch.Tensor]) -> tuple[Sequence[int | None], bool]:
        """The number of the storage of each of many tensors, of which none is on the meta device; whether all have one.

        Those of a sparse tensor have none, nor has one that a functorch transform wraps.
        """
        try:
            addresses = list(map(_ADDRESS, tensors))
        except (RuntimeError, NotImplementedError):
            return [self.look(tensor)[0] for tensor in tensors], False
        return self._numbers.number_all(addresses, self._numbers.count)[0], True


class _Words(dict[object, str]):
    """PyTorch's words for dtypes and devices, each made once: a walk asks for them a million times."""

    def __missing__(self, key: object) -> str:
        word = self[key] = str(key).removeprefix("torch.")
        return word


_WORDS = _Words()


def word_of(what: torch.dtype | torch.device) -> str:
    """PyTorch's word for a dtype, without its prefix, or for a device."""
    return _WORDS[what]


def dtype_of(tensor: torch.Tensor) -> str:
    """PyTorch's word for the dtype, without its prefix."""
    return _WORDS[tensor.dtype]


def shape_of(tensor: torch.Tensor) -> tuple[int, ...]:
    """The sizes; -1 for one that is no number (a ragged or symbolic dimension)."""
    try:
        shape = tuple(tensor.shape)
    except RuntimeError:  # a nested tensor of the strided layout has no sizes of its own
        return ()
    if tensor._has_symbolic_sizes_strides:
        return tuple(size if type(size) is int else -1 for size in shape)
    return shape


def runs_code(tensor: torch.Tensor) -> bool:
    """Whether an op on `tensor` runs Python code of its class."""
    return type(tensor).__torch_dispatch__ is not torch._C._disabled_torch_dispatch_impl


def version_of(tensor: torch.Tensor) -> int | None:
    """``_version``; None for an inference tensor, which has no counter."""
    try:
        return tensor._version
    except RuntimeError:  # asking first whether it is one takes ten times as long
        return None


def describe(
    tensor: torch.Tensor,
    names: Names,
    storage: int | None,
    number: Callable[[torch.Tensor], int | None] | None,
    values: bool,
) -> TensorInfo:
    """The state of `tensor` now.

    Args:
        tensor: any tensor.
        names: where its names are looked up.
        storage: its storage's number.
        number: its number in the running record; None without a record.
        values: whether to read the value and the gradient of a small tensor.
    """
    known = names.of(tensor)
    is_leaf = tensor.is_leaf
    grad_fn = None if is_leaf else tensor.grad_fn
    # Reading .grad of other tensors warns, and gives None.
    grad = tensor.grad if is_leaf or tensor.retains_grad else None
    return TensorInfo(
        name=known[0] if known else None,
        aliases=known[1:],
        shape=shape_of(tensor),
        dtype=dtype_of(tensor),
        device="cpu" if tensor.is_cpu else _WORDS[tensor.device],
        requires_grad=tensor.requires_grad,
        is_leaf=is_leaf,
        grad_fn=None if grad_fn is None else name_of(grad_fn),
        version=version_of(tensor),
        storage=storage,
        value=format_value(tensor) if values else None,
        grad=format_value(grad) if values and grad is not None else None,
        has_grad=grad is not None,
        # The test for a parameter asks Python code of its metaclass; a plain tensor need not be put to it.
        is_parameter=type(tensor) is not torch.Tensor and isinstance(tensor, torch.nn.Parameter),
        trace_number=None if number is None else number(tensor),
    )
