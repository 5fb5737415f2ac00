"""What a function is, worked out once a function: its name, what it writes to, whether it is worth a record."""

from __future__ import annotations

import types
from typing import Any, NamedTuple

# Reads of a tensor's description: no value flows and nothing changes.
_DESCRIPTIONS = frozenset(
    """__len__ size dim numel nelement ndimension stride storage_offset data_ptr element_size is_contiguous
    is_floating_point is_complex is_signed get_device type_name is_pinned is_shared is_inference is_conj is_neg is_set_to
    is_same_size is_nonzero_meta dense_dim sparse_dim has_names untyped_storage storage storage_type typed_storage
    _version _typed_storage register_hook register_post_accumulate_grad_hook retain_grad _backward_hooks
    has_torch_function __hash__ __dir__ __dlpack_device__ dim_order _is_view _nnz is_coalesced
    _record_function_enter_new _record_function_exit _RecordFunction promote_types result_type can_cast
    _set_deterministic_algorithms get_default_dtype set_default_dtype manual_seed
    broadcast_shapes is_storage is_tensor is_inference_mode_enabled""".split()
)
_DESCRIBING_ATTRIBUTES = frozenset(
    """shape dtype device requires_grad is_leaf grad_fn _version layout ndim names is_cuda is_cpu is_mps is_meta is_xpu
    is_sparse is_sparse_csr is_quantized is_mkldnn is_nested is_vulkan is_ipu is_maia is_mtia is_xla is_ort name
    _backward_hooks _post_accumulate_grad_hooks retains_grad itemsize nbytes output_nr volatile _cdata
    _grad_fn _has_symbolic_sizes_strides""".split()
)
# These names end in an underscore and yet write to no value: `detach_` severs, `requires_grad_` marks.
_NO_WRITE = frozenset({"detach_", "requires_grad_", "rename_", "share_memory_", "_coalesced_", "retain_grad_"})
_AUGMENTED = frozenset(
    {f"__i{name}__" for name in ("add sub mul truediv div floordiv mod pow and or xor lshift rshift").split()}
)


class Function(NamedTuple):
    """What is known of a function.

    Attributes:
        name: dotted, as :attr:`graphvis.model.Call.function`.
        skip: whether its calls are not worth a record.
        writes: which arguments it writes to: ``first``, ``all`` (the tensors of every list), ``statistics``
            (of BatchNorm), ``checked`` (a composite: whatever moves a version), or nothing.
        existing: whether it may hand out a tensor that was there before and is not among its arguments.
    """

    name: str
    skip: bool = False
    writes: str = ""
    existing: bool = False


def describe(function: Any) -> Function:
    """Work out what a function is."""
    short = getattr(function, "__name__", "") or type(function).__name__
    owner = getattr(function, "__self__", None)
    if short in ("__get__", "__set__", "__delete__") and isinstance(owner, (types.GetSetDescriptorType, property)):
        return _describe_attribute(owner, short)
    name = _dotted(function, short)
    if short in _DESCRIPTIONS or name.startswith("profiler."):
        return Function(name, skip=True)
    if short in ("batch_norm", "native_batch_norm", "instance_norm", "_batch_norm_impl_index"):
        return Function(name, writes="statistics")
    if short in ("__setitem__", "set_", "resize_", "resize_as_") or short in _AUGMENTED:
        return Function(name, writes="first")
    if short.startswith(("_fused_", "fused_")) and short.endswith("_"):
        return Function(name, writes="all")
    if short.endswith("_") and not short.endswith("__"):
        return Function(name, writes="" if short in _NO_WRITE else "first")
    if isinstance(function, types.FunctionType):
        return Function(name, writes="checked")
    return Function(name)


def _describe_attribute(owner: Any, accessor: str) -> Function:
    attribute = getattr(owner, "__name__", None) or getattr(getattr(owner, "fget", None), "__name__", "?")
    name = f"Tensor.{attribute}" if accessor == "__get__" else f"Tensor.{attribute}.{accessor}"
    skip = attribute in _DESCRIBING_ATTRIBUTES and accessor == "__get__"
    return Function(name, skip=skip, existing=attribute in ("grad", "_grad", "_base"))


def _dotted(function: Any, short: str) -> str:
    owner = getattr(function, "__objclass__", None)
    if owner is not None:
        return f"Tensor.{short}" if "Tensor" in owner.__name__ else f"{owner.__name__}.{short}"
    module = getattr(function, "__module__", None)
    qualified = getattr(function, "__qualname__", short)
    if module == "torch._tensor" and qualified.startswith("Tensor."):
        return qualified
    if module in (None, "torch._C", "torch._C._VariableFunctions", "builtins"):
        return f"torch.{short}"
    for public, prefixes in _PUBLIC:
        if module.startswith(prefixes):
            return f"{public}.{short.removeprefix(public.removeprefix('torch.') + '_')}"
    return f"{module}.{short}" if module.startswith("torch") else f"torch.{module.removeprefix('_')}.{short}"


_PUBLIC = (
    ("torch.nn.functional", ("torch.nn.functional", "torch._C._nn")),
    ("torch", ("torch.functional", "torch._VF", "torch._C._VariableFunctions", "torch._tensor")),
    ("torch.linalg", ("torch._C._linalg",)),
    ("torch.fft", ("torch._C._fft",)),
    ("torch.special", ("torch._C._special",)),
    ("torch.autograd", ("torch.autograd",)),
    ("torch.nn.init", ("torch.nn.init",)),
)
