"""What a function is, worked out once a function: its name, what it writes to, whether it is worth a record."""

from __future__ import annotations

import types
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch._ops import OpOverload, OpOverloadPacket

from graphvis.live.recorder.alignment import Aligned, alignment, alignment_of

# An argument that is written to: its place, its name, whether it is a list of tensors.
Mark = tuple[int, str, bool]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Reads of a tensor's description: no value flows and nothing changes.
_DESCRIPTIONS = _words(
    """__len__ size dim numel nelement ndimension stride storage_offset element_size is_contiguous
    is_floating_point is_complex is_signed get_device is_pinned is_shared is_inference is_conj is_neg is_set_to
    is_same_size dense_dim sparse_dim has_names untyped_storage storage storage_type typed_storage
    _typed_storage register_hook register_post_accumulate_grad_hook retain_grad has_torch_function __hash__ __dir__
    __dlpack_device__ dim_order _is_view _nnz is_coalesced promote_types result_type can_cast get_default_dtype
    set_default_dtype manual_seed broadcast_shapes is_storage is_tensor is_inference_mode_enabled _use_count
    is_grad_enabled get_rng_state set_rng_state initial_seed seed"""
)
_DESCRIBING_ATTRIBUTES = _words(
    """shape dtype device requires_grad is_leaf grad_fn _version layout ndim names is_cuda is_cpu is_mps is_meta is_xpu
    is_sparse is_sparse_csr is_quantized is_mkldnn is_nested is_vulkan is_ipu is_maia is_mtia is_xla is_ort name
    _backward_hooks _post_accumulate_grad_hooks retains_grad itemsize nbytes output_nr volatile _cdata
    _grad_fn _has_symbolic_sizes_strides"""
)
# These names end in an underscore and yet write to no value: `detach_` severs, `requires_grad_` marks.
_NO_WRITE = _words("detach_ requires_grad_ rename_ share_memory_ _coalesced_ retain_grad_")
_AUGMENTED = frozenset(
    f"__i{name}__" for name in _words("add sub mul truediv div floordiv mod pow and or xor lshift rshift")
)
_STATISTICS = _words("batch_norm native_batch_norm instance_norm _batch_norm_impl_index cudnn_batch_norm")
_BACKWARD = _words("Tensor.backward torch.autograd.backward torch.autograd.grad")
# What takes a value out of PyTorch: as a Python object, or as memory that others see.
_EXITS = _words(
    """Tensor.item Tensor.__float__ Tensor.__int__ Tensor.__index__ Tensor.__complex__ Tensor.tolist
    Tensor.__format__ Tensor.__reduce_ex__"""
)
_STEERING = _words(
    """Tensor.__bool__ Tensor.__contains__ Tensor.is_nonzero torch.is_nonzero Tensor.equal torch.equal Tensor.allclose
    torch.allclose Tensor.__repr__"""
)
_MEMORY = _words("Tensor.numpy Tensor.__array__ Tensor.__dlpack__")
_TAKING_FUNCTIONS = _words("apply_ map_ map2_")
_OWN_OPERATORS = tuple(f"torch.ops.{name}." for name in ("aten", "prim", "prims", "c10d", "_c10d_functional"))
_JOINING = _words("cat concat concatenate stack")
_ENTRIES = _words(
    """torch.as_tensor torch.asarray torch.tensor torch.frombuffer torch.from_file Tensor.new_tensor
    torch.sparse_coo_tensor"""
)


class Function(NamedTuple):
    """What is known of a function.

    Attributes:
        name: dotted, as :attr:`graphvis.model.Call.function`.
        skip: whether its calls are not worth a record.
        writes: which arguments it writes to: ``first``, ``all`` (the tensors of every list), ``statistics``
            (of BatchNorm), ``marked`` (by its schema), ``checked`` (a composite: whatever moves a version), or nothing.
        special: ``backward``; ``switch`` (of the grad mode); ``exit``, ``memory``, ``entry`` (out of PyTorch and back);
            ``address`` (where a tensor lies); ``join`` (along a dimension); ``deepcopy`` (its other argument is the
            book of all that has been copied); ``exchange`` (a tensor's memory for another); ``item`` (a write that
            returns nothing); or nothing.
        steers: whether its Python value only steers the program or is printed.
        existing: whether it may hand out a tensor that was there before and is not among its arguments.
        marked: the arguments that its schema marks as written to.
        inplace: the place of the argument that has it write to its first one; -1 where it has none.
        aligned: which of its tensors it reads place by place.
        inside: whether the program's own code may run inside of it.
    """

    name: str
    skip: bool = False
    writes: str = ""
    existing: bool = False
    special: str = ""
    steers: bool = False
    marked: tuple[Mark, ...] = ()
    inplace: int = -1
    aligned: Aligned = ""
    inside: bool = False

    @property
    def plain(self) -> bool:
        """Whether its calls only take tensors and hand out new ones."""
        return not (self.writes or self.existing or self.special or self.inside)


def describe(function: Any) -> Function:
    """Work out what a function is."""
    if isinstance(function, (OpOverload, OpOverloadPacket)):
        return _describe_operator(function)._replace(aligned=alignment_of(function))
    short = getattr(function, "__name__", "") or type(function).__name__
    module = getattr(function, "__module__", None) or "torch"
    return _describe(function, short)._replace(aligned=alignment(short, module.split(".")[0] in ("torch", "builtins")))


def _describe(function: Any, short: str) -> Function:
    owner = getattr(function, "__self__", None)
    if short in ("__get__", "__set__", "__delete__") and isinstance(owner, (types.GetSetDescriptorType, property)):
        return _describe_attribute(owner, short)
    name = _dotted(function, short)
    if short in _DESCRIPTIONS or "_record_function" in short:
        return Function(name, skip=True)
    special = _special(name)
    if special:
        return Function(name, special=special, existing=special == "deepcopy", steers=name in _STEERING)
    if short in _STATISTICS:
        return Function(name, writes="statistics")
    if short == "__setitem__":
        return Function(name, writes="first", special="item")
    if short in ("resize_", "resize_as_") or short in _AUGMENTED:
        return Function(name, writes="first")
    if short.startswith(("_fused_", "fused_")) and short.endswith("_"):
        return Function(name, writes="all")
    if short.endswith("_") and not short.endswith("__"):
        return Function(name, writes="" if short in _NO_WRITE else "first", inside=short in _TAKING_FUNCTIONS)
    if isinstance(function, types.FunctionType):
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        return Function(name, writes="checked", inplace=names.index("inplace") if "inplace" in names else -1)
    marked = _marked(function, short)
    return Function(name, writes="marked" if marked else "", marked=marked)


def _describe_operator(function: OpOverload | OpOverloadPacket) -> Function:
    """What is known of an operator that is called by its own name, ``torch.ops.aten.mul_`` or one of a library's."""
    packet = function.overloadpacket if isinstance(function, OpOverload) else function
    short = packet.__name__
    marked = () if short in _NO_WRITE else _marked(function, short)
    name = f"torch.ops.{packet._qualified_op_name.replace('::', '.')}"
    return Function(name, writes="marked" if marked else "", marked=marked, inside=not name.startswith(_OWN_OPERATORS))


def _marked(function: Any, short: str) -> tuple[Mark, ...]:
    """The arguments that the schemas of a function mark as written to, out= aside."""
    if isinstance(function, OpOverloadPacket):
        names: list[str] = function.overloads()  # type: ignore[no-untyped-call]  # PyTorch's own
        schemas = [getattr(function, name)._schema for name in names]
    elif isinstance(function, OpOverload):
        schemas = [function._schema]
    else:
        schemas = torch._C._jit_get_schemas_for_operator(f"aten::{short}")
    found: dict[Mark, None] = {}
    for schema in schemas:
        for place, argument in enumerate(schema.arguments):
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written and not argument.kwarg_only and "Tensor" in (kind := str(argument.type)):
                found[place, argument.name, "List" in kind] = None
    return tuple(found)


_GRAD_MODES = torch.no_grad.__enter__.__code__.co_filename
# set_grad_enabled(), used as a decorator, undoes what it did when it was made.
_ROLES = {"__enter__": ".__enter__", "__exit__": ".__exit__", "__call__": ".__exit__"}


def switched_by(frame: FrameType | None) -> str:
    """What in PyTorch switches the grad mode: ``.__enter__`` or ``.__exit__`` of a context manager; empty for a call.

    Args:
        frame: that of a recording that is told of the call. Between it and the manager may stand frames of other modes,
            and never one of the program: a manager calls nothing else.
    """
    role = ""
    while frame is not None and frame.f_code.co_filename != _GRAD_MODES:
        frame = frame.f_back
    while frame is not None and frame.f_code.co_filename == _GRAD_MODES:
        role = _ROLES.get(frame.f_code.co_name, role)
        frame = frame.f_back
    return role


def _special(name: str) -> str:
    if name in _BACKWARD:
        return "backward"
    if name == "torch._set_grad_enabled":
        return "switch"
    if name in _MEMORY:
        return "memory"
    if name == "Tensor.data_ptr":
        return "address"
    if name in _EXITS or name in _STEERING:
        return "exit"
    if name.startswith("torch.") and name.removeprefix("torch.") in _JOINING:
        return "join"
    if name == "Tensor.__deepcopy__":
        return "deepcopy"
    return "entry" if name in _ENTRIES else ""


def _describe_attribute(owner: Any, accessor: str) -> Function:
    attribute = getattr(owner, "__name__", None) or getattr(getattr(owner, "fget", None), "__name__", "?")
    name = f"Tensor.{attribute}" if accessor == "__get__" else f"Tensor.{attribute}.{accessor}"
    if name == "Tensor.requires_grad.__set__":
        return Function("Tensor.requires_grad_", special="item")
    if name == "Tensor.data.__set__":
        return Function(name, special="exchange")
    # Autograd sets _backward_hooks where it makes the grad_fn of a view anew, and holds a lock meanwhile for which
    # whoever asks the view anything would wait forever.
    skip = attribute in _DESCRIBING_ATTRIBUTES and (accessor == "__get__" or attribute == "_backward_hooks")
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
