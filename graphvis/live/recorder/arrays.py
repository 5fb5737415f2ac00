"""NumPy arrays that lie in the memory of tensors, and that nobody was seen to make."""

from __future__ import annotations

import gc
import math
import sys
import weakref
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import compress, filterfalse, islice
from types import FrameType, ModuleType
from typing import Any, NamedTuple

import torch

from graphvis.live.recorder.frames import variables_of

_MOST_ITEMS = 64  # of a container or an object that a variable holds
_LEFT_ALONE = frozenset({tuple, dict})
_MOST_OBJECTS = 20_000  # that are asked at once for what they refer to


class Shared(NamedTuple):
    """An array that lies in a tensor's memory.

    Attributes:
        array: it.
        tensor: one that lies in that memory, too.
        names: of the variables that are the array; empty where something else holds it, or the tensor, as well.
    """

    array: Any
    tensor: torch.Tensor
    names: tuple[str, ...]


def shared_with(frame: FrameType) -> Iterator[Shared]:
    """The arrays among a frame's variables, or in what these hold, that lie in a tensor's memory."""
    kinds = _kinds()
    if not kinds:
        return
    variables = {**frame.f_globals, **variables_of(frame)}
    found = _arrays_in(variables, kinds)
    while found:
        known = weakref.ref(found.popitem()[1])
        if isinstance(_owner(known()), torch.Tensor):
            names = tuple(name for name, one in variables.items() if one is known())
            # They and our copy of them hold it, and it alone its tensor.
            alone = references(known) == 2 * len(names) + _ASKING and sys.getrefcount(_owner(known())) == _HELD_ONCE
            yield Shared(known(), _owner(known()), names if alone else ())


def _arrays_in(variables: dict[str, Any], kinds: frozenset[type]) -> dict[int, Any]:
    inner = (item for one in variables.values() for item in islice(_held_by(one), _MOST_ITEMS))
    arrays = (_array_of(one, kinds) for one in (*variables.values(), *inner))
    return {id(array): array for array in arrays if array is not None}


def references(known: weakref.ref[Any]) -> int:
    """To what is left of an array, with those that asking makes; 0 if it has died."""
    array = known()
    return 0 if array is None else sys.getrefcount(array)


def _first(holder: list[Any]) -> Any:
    return holder[0]


_KEPT_BY_ONE: list[Any] = [{1}]
OF_ONE = references(weakref.ref(_KEPT_BY_ONE[0]))
"""The references to an array that somebody has once."""
_ASKING = OF_ONE - 1
_HELD_ONCE = sys.getrefcount(_first(_KEPT_BY_ONE))


def may_lie_in_one(tensor: torch.Tensor) -> bool:
    """Whether NumPy may have a tensor's memory: what it was once given, or has given, PyTorch never resizes again."""
    try:
        storage = tensor.untyped_storage()
        return storage.device.type == "cpu" and not storage.resizable() and storage.data_ptr() != 0
    except (RuntimeError, NotImplementedError):
        return False


def span_of(tensor: torch.Tensor) -> tuple[int, int]:
    """The first address of a tensor that has memory, and one past the last."""
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + (last + 1) * tensor.element_size() if tensor.numel() else 0


def find_living(spans: Sequence[tuple[int, int]], known: Set[int]) -> set[int]:
    """In which of several parts of the memory an array lies. All there is is looked through: tenths of a second.

    Args:
        spans: of each part the first address and one past the last.
        known: the arrays that are known, by ``id``, and with them all that lie in them.

    Returns:
        The places of these parts.
    """
    kinds = _kinds()
    found: set[int] = set()
    for array in _living(kinds) if kinds else ():
        if array is not None and known.isdisjoint(map(id, _owners(array))):
            first, last = _span(array)
            found.update(place for place, (start, stop) in enumerate(spans) if first < stop and start < last)
    return found


def _kinds() -> frozenset[type]:
    """The classes of arrays; none where nobody has loaded NumPy."""
    numpy = sys.modules.get("numpy")
    kinds = [getattr(numpy, "ndarray", None)] if numpy is not None else []
    for kind in kinds:  # grows meanwhile
        kinds += type.__subclasses__(kind) if kind is not None else []
    return frozenset(kind for kind in kinds if kind is not None)


def _array_of(value: Any, kinds: frozenset[type]) -> Any:
    """The array that a value is, or that a view of bytes is of."""
    inner = value.obj if type(value) is memoryview else value
    return inner if type(inner) in kinds else None


def _held_by(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, (type, ModuleType, torch.Tensor)):
        return ()
    held = value if type(value) is dict else getattr(value, "__dict__", None)
    return list(held.values()) if type(held) is dict else ()


def _owners(array: Any) -> Iterator[Any]:
    """An array, and all in whose memory it lies."""
    while array is not None:
        yield array
        if isinstance(array, torch.Tensor):
            return
        array = array.obj if type(array) is memoryview else getattr(array, "base", None)


def _owner(array: Any) -> Any:
    """Whose memory an array's is."""
    for one in _owners(array):
        array = one
    return array


def _span(array: Any) -> tuple[int, int]:
    """The address of the first byte of an array, and one past the last."""
    start = stop = array.__array_interface__["data"][0]
    if math.prod(array.shape) == 0:
        return start, start
    for size, stride in zip(array.shape, array.strides, strict=True):
        start, stop = start + min(0, (size - 1) * stride), stop + max(0, (size - 1) * stride)
    return start, stop + array.itemsize


def _living(kinds: frozenset[type]) -> Iterator[Any]:
    """All arrays: the collector does not know them, but what holds them."""
    wanted = kinds | {memoryview}
    objects = gc.get_objects()
    for first in range(0, len(objects), _MOST_OBJECTS):
        held = gc.get_referents(*objects[first : first + _MOST_OBJECTS])
        while held:
            yield from (_array_of(one, kinds) for one in _of_types(held, wanted))
            # Those that hold nothing but arrays and numbers the collector does not know either.
            held = gc.get_referents(*filterfalse(gc.is_tracked, _of_types(held, _LEFT_ALONE)))
    for frame in sys._current_frames().values():
        outer: FrameType | None = frame
        while outer is not None:
            yield from (_array_of(one, kinds) for one in variables_of(outer).values())
            outer = outer.f_back


def _of_types(objects: list[Any], kinds: Set[type]) -> Iterator[Any]:
    return compress(objects, map(kinds.__contains__, map(type, objects)))
