"""Whether one recorded call is a cut, and of which kind: a value goes on and its gradient does not."""

from __future__ import annotations

from functools import lru_cache

from graphvis.model import Call, Trace
from graphvis.model.cut import CutKind

_BY_NAME: dict[str, CutKind] = {
    "detach": "detach", "detach_copy": "detach", "detach_": "detach_", "data": "data", "set_": "data",
    "item": "item", "__float__": "item", "__int__": "item", "__bool__": "item", "__index__": "item",
    "__complex__": "item", "tolist": "item", "is_nonzero": "item", "__contains__": "item", "equal": "item",
    "allclose": "item", "__format__": "item", "numpy": "numpy", "__array__": "numpy", "__dlpack__": "numpy",
    "__reduce_ex__": "copy", "__deepcopy__": "copy", "tensor": "copy", "new_tensor": "copy", "as_tensor": "copy",
    "asarray": "copy", "nested_tensor": "copy", "Parameter": "rewrap", "grad": "grad",
    "Variable": "rewrap", "alias": "rewrap", "from_dlpack": "numpy", "from_numpy": "numpy", "frombuffer": "numpy",
}  # fmt: skip
# What these hand out is a tensor of its own, even if it requires grad.
_ALWAYS = frozenset(
    {
        "detach",
        "detach_copy",
        "detach_",
        "data",
        "set_",
        "__set__",
        "tensor",
        "new_tensor",
        "__deepcopy__",
        "__reduce_ex__",
    }
)
# Only the description of the arguments from this place on is read: no value flows through them.
_DESCRIBED_FROM = {
    "zeros_like": 0, "ones_like": 0, "empty_like": 0, "rand_like": 0, "randn_like": 0,
    "randint_like": 0, "new_zeros": 0, "new_ones": 0, "new_empty": 0, "new_empty_strided": 0,
    "to": 1, "view_as": 1, "expand_as": 1, "type_as": 1, "reshape_as": 1, "resize_as_": 1, "unflatten_dense_tensors": 1,
    "resize_as_sparse_": 1, "size": 0, "dim": 0, "numel": 0, "stride": 0, "__len__": 0, "broadcast_shapes": 0,
}  # fmt: skip
# Of these only the first argument's is; what it is filled with may be a tensor too.
_DESCRIBED_FIRST = frozenset({"new_tensor", "new_full", "full_like"})
PACKING = "torch.autograd.graph.saved_tensors_hooks"
"""The name of a call that enters or leaves hooks of the program's own for what is saved."""
WRAPPING = "torch.func"
"""The name of a call that puts a tensor into a wrapper of ``torch.func``, or takes it out again."""
# Whatever the first argument held is gone afterwards: its old value does not flow on.
OVERWRITING = frozenset(
    [
        *("zero_", "fill_", "normal_", "uniform_", "random_", "bernoulli_", "exponential_", "geometric_", "cauchy_"),
        *("log_normal_", "copy_", "set_", "constant_", "ones_", "zeros_", "eye_", "dirac_", "orthogonal_", "sparse_"),
        *("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "trunc_normal_", "__set__"),
        *("_foreach_zero_", "_foreach_copy_", "sparse_resize_and_clear_"),
    ]
)
ACROSS = frozenset({"cumsum_", "cumprod_", "renorm_"})
"""What mixes the numbers of what it writes to."""
PLACING = frozenset(
    "indices _indices crow_indices ccol_indices col_indices row_indices offsets _offsets lengths".split()
)
"""What hands out where the values of a sparse or jagged tensor stand, and nothing else."""
NORMALISING = frozenset(
    """batch_norm native_batch_norm _native_batch_norm_legit _batch_norm_impl_index cudnn_batch_norm
    instance_norm""".split()
)
"""What updates running statistics while it trains, and reads them only where it evaluates."""


def short(call: Call) -> str:
    """The last part of a function's name: ``detach`` for ``Tensor.detach``."""
    return _last_part(call.function)


@lru_cache(maxsize=4096)
def _last_part(function: str) -> str:
    return function.split(" ", 1)[0].rsplit(".", 1)[-1]


def spoken(call: Call) -> str:
    """What people call a call: ``mul`` for ``Tensor.__mul__``, ``Round`` for ``Function.apply (Round)``."""
    if call.function.endswith(")"):
        return call.function[call.function.rindex("(") + 1 : -1]
    return short(call).strip("_")


def flowing(call: Call) -> tuple[int, ...]:
    """The places among a call's inputs through which a value flows into what it makes."""
    places = _places(call.function, len(call.inputs))
    return places[1:] if call.writes and places and places[0] == 0 and overwrites(call) else places


@lru_cache(maxsize=4096)
def _places(function: str, count: int) -> tuple[int, ...]:
    name = _last_part(function)
    if function.startswith("Function."):
        return tuple(range(count))
    if name in _DESCRIBED_FROM:
        return tuple(range(min(_DESCRIBED_FROM[name], count)))
    return tuple(range(1 if name in _DESCRIBED_FIRST or name in OVERWRITING else 0, count))


def overwrites(call: Call) -> bool:
    """Whether what a call writes to held nothing that flows on."""
    name = short(call)
    return name in OVERWRITING or (name == "__setitem__" and all(write.whole for write in call.writes))


def works_in_place(call: Call) -> bool:
    """Whether each number that a call writes comes of what stood there, and of what else it is given."""
    name = short(call)
    return name.endswith("_") and name != "__setitem__" and name not in ACROSS and not overwrites(call)


def classify(trace: Trace, index: int) -> CutKind | None:
    """Why the gradient stops at a call through which a value goes on; None where it does not stop.

    A call inside a ``Function``'s forward is never a cut of its own: its gradient is judged at apply.

    Args:
        trace: the recorded run.
        index: the call's place in :attr:`Trace.calls`.
    """
    call = trace.calls[index]
    name, kind = short(call), cut_by_name(call)
    if call.inner or (kind is None and all(call.results)):
        return None
    if not any(call.connected[i] for i in flowing(call)):
        closes = call.function.startswith("Function.apply") and not all(call.results) and closes_over(trace, index)
        return (_mode(call) or ("checkpoint" if is_checkpoint(call) else "function")) if closes else None
    if name in _ALWAYS or kind in ("item", "numpy", "rewrap"):
        return kind
    if not call.outputs or all(call.results):
        return None
    if (name == "grad" or call.function == WRAPPING) and _within_a_transform(trace, index):
        return None
    if kind is not None:
        return kind
    if call.function.startswith("Function.apply"):
        return _mode(call) or ("checkpoint" if is_checkpoint(call) else "function")
    # A transform turns the grad mode on for itself; around it, it was off.
    return _mode(call) or ("no_grad" if call.function == WRAPPING else "non_differentiable")


def is_checkpoint(call: Call) -> bool:
    """Whether a call is that of a reentrant checkpoint."""
    return call.function == "Function.apply (CheckpointFunction)"


def closes_over(trace: Trace, index: int) -> bool:
    """Whether the forward of a ``Function.apply`` read a connected tensor that is not among its arguments."""
    call = trace.calls[index]
    at = index - 1
    while at >= 0 and trace.calls[at].inner:
        inner = trace.calls[at]
        if any(inner.connected[i] and inner.inputs[i] not in call.inputs for i in range(len(inner.inputs))):
            return True
        at -= 1
    return False


def _within_a_transform(trace: Trace, index: int) -> bool:
    """Whether what a gradient is taken of has a history only within a transform as ``torch.func.jacrev``.

    What the transform was given had none, and so what comes out of it has none.
    """
    call = trace.calls[index]
    needed = {number for number, on in zip(call.inputs, call.connected, strict=False) if on}
    found = False
    for at in range(index - 1, -1, -1):
        if not needed or any(trace.tensors[number].leaf for number in needed):
            break
        call = trace.calls[at]
        if needed.isdisjoint(call.outputs) or call.outputs == call.inputs[:1]:
            continue
        needed.difference_update(call.outputs)
        came = {number for number, on in zip(call.inputs, call.connected, strict=False) if on}
        if call.function == WRAPPING:
            found = True
        needed |= came
    return found and not needed


def cut_by_name(call: Call) -> CutKind | None:
    """The kind of cut that a function is by itself, whatever the grad mode; None for most."""
    return "data" if call.function == "Tensor.data.__set__" else _BY_NAME.get(short(call))


def _mode(call: Call) -> CutKind | None:
    if call.inference:
        return "inference_mode"
    return None if call.grad_mode else "no_grad"
