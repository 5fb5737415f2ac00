"""What a picture or a verdict needs to know about a tensor, without the tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal

import msgspec

SavedState = Literal["intact", "overwritten", "detached", "freed", "unknown"]


class TensorInfo(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The state of one tensor at the moment of the walk.

    Attributes:
        name: the first name it was known by; None where it had none.
        aliases: its other names (two locals may hold one tensor).
        shape: the sizes, outermost first; ``()`` for a scalar.
        dtype: PyTorch's word without its prefix, e.g. ``float32``.
        device: e.g. ``cpu`` or ``cuda:0``.
        requires_grad: as PyTorch says it. True does not prove a connection: a view made under
            ``no_grad`` of a tensor that requires grad says True and leads nowhere.
        is_leaf: as PyTorch says it.
        grad_fn: the name of the node that made it, e.g. ``SigmoidBackward0``; None without one.
        version: ``_version``, the number of recorded in-place writes; None for inference tensors,
            which have no counter.
        storage: tensors with the same number share one storage; None where it has none (meta,
            sparse). Numbers count from 0 in visit order.
        value: the value as PyTorch would print it at 4 digits, for a small tensor on the CPU;
            None where it is not shown (too large, or on a device that reading would synchronise).
        grad: ``.grad`` in the same spelling; None where it is None or not shown.
        has_grad: whether ``.grad`` is not None.
        is_parameter: whether it is an ``nn.Parameter``.
        trace_number: its number in the trace that was recorded; None without a trace.
    """

    name: str | None = None
    aliases: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    device: str = "cpu"
    requires_grad: bool = False
    is_leaf: bool = True
    grad_fn: str | None = None
    version: int | None = 0
    storage: int | None = None
    value: str | None = None
    grad: str | None = None
    has_grad: bool = False
    is_parameter: bool = False
    trace_number: int | None = None


class Tensors(Mapping[int, TensorInfo]):
    """The states of tensors by their node, made when first asked for.

    A walk meets a hundred thousand leaves of a few kinds; a :class:`TensorInfo` for each would take longer than the
    rest of the walk, and whoever asks for the shape of the graph needs none of them.

    Args:
        nodes: the node of each tensor, ascending.
        likes: for each tensor a state that has all that `columns` does not give.
        columns: by the name of an attribute of :class:`TensorInfo`, that attribute of each tensor.
    """

    __slots__ = ("_columns", "_likes", "_made", "_nodes")

    def __init__(self, nodes: Sequence[int], likes: Sequence[TensorInfo], columns: Mapping[str, Iterable[Any]]) -> None:
        self._nodes = nodes
        self._likes = likes
        self._columns = columns
        self._made: dict[int, TensorInfo] | None = None

    def _all(self) -> dict[int, TensorInfo]:
        if self._made is None:
            columns = [
                self._columns[name] if name in self._columns else map(attrgetter(name), self._likes)
                for name in TensorInfo.__struct_fields__
            ]
            self._made = dict(zip(self._nodes, map(TensorInfo, *columns), strict=True))
            self._nodes, self._likes, self._columns = (), (), {}
        return self._made

    def __getitem__(self, node: int) -> TensorInfo:
        return self._all()[node]

    def __contains__(self, node: object) -> bool:
        return node in self._all()

    def __iter__(self) -> Iterator[int]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._nodes) if self._made is None else len(self._made)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self._all(),)

    def __repr__(self) -> str:
        return repr(self._all())


class Saved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A tensor that a node keeps for its backward.

    Attributes:
        name: the attribute without its prefix: ``result`` for ``_saved_result``; ``tensors[0]``
            for what a custom Function saved.
        state: ``overwritten`` where PyTorch refuses to hand it out because its version counter
            moved; ``detached`` where it refuses because ``detach_()`` took the tensor's history;
            ``freed`` after a backward that did not retain the graph; ``unknown`` where looking
            would run user code again (a checkpoint, a hook).
        shape: sizes; empty where unknown.
        dtype: as in :class:`TensorInfo`.
        nbytes: size of the storage that is kept alive, in bytes; 0 where unknown.
        storage: the same numbers as :attr:`TensorInfo.storage`.
        saved_version: ``_version`` when it was saved; None where it cannot be told.
        version: ``_version`` now; None where it cannot be told.
        leaf: whether what was saved is a leaf (its own identity is then known to C++).
        memory: where it lies, in the trace's numbers: storage (-1 for one that no call showed), first
            byte, one past the last; None without a trace.
    """

    name: str
    state: SavedState = "intact"
    shape: tuple[int, ...] = ()
    dtype: str = ""
    nbytes: int = 0
    storage: int | None = None
    saved_version: int | None = None
    version: int | None = None
    leaf: bool = False
    memory: tuple[int, int, int] | None = None
