"""Tensors whose memory comes from elsewhere, is exchanged, or is copied and pickled."""

from __future__ import annotations

import functools
import sys
from types import FrameType
from typing import Any

import torch
import torch.utils.dlpack
from torch._C import DisableTorchFunction
from torch._C._autograd import _get_sequence_nr

from graphvis.live.recorder.frames import TORCH
from graphvis.live.recorder.hooks.places import listening, noting, replace, telling, tensors_in
from graphvis.live.recorder.images import bytes_of
from graphvis.live.recorder.tape import Tape
from graphvis.live.recorder.unseen import BYTES

_MOST_TENSORS = 64  # of one storage, the newest
_MOST_FRAMES = 8  # between Tensor.__deepcopy__ and the copying of its storage


def wrap() -> None:
    """Wrap what does it."""
    for owner, name in ((torch, "from_numpy"), (torch, "frombuffer"), (torch, "from_dlpack"),
                        (torch.utils.dlpack, "from_dlpack")):  # fmt: skip
        replace(owner, name, _wrap_entry(getattr(owner, name), f"torch.{name}"))
    replace(
        torch.autograd.Variable,
        "__new__",
        staticmethod(noting(torch.autograd.Variable.__new__, "torch.autograd.Variable", slice(1, None))),
    )
    replace(torch.nested, "nested_tensor", telling(torch.nested.nested_tensor, _tell_nested))
    replace(torch.nn.Parameter, "__deepcopy__", _wrap_copy(torch.nn.Parameter.__deepcopy__))
    for kind in (torch.Tensor, torch.nn.Parameter):
        replace(kind, "__reduce_ex__", _wrap_pickling(kind.__reduce_ex__))
    replace(torch.Tensor, "set_", _wrap_set(torch.Tensor.set_))
    for name in ("fill_", "copy_", "__setitem__"):
        replace(torch.UntypedStorage, name, _wrap_storage_write(getattr(torch.UntypedStorage, name), name))
    # Of the class itself, which hands it on to those of typed storages too.
    opened = telling(torch.UntypedStorage.from_file, _tell_file)
    replace(torch.UntypedStorage, "from_file", staticmethod(opened))
    replace(torch.UntypedStorage, "__getitem__", telling(torch.UntypedStorage.__getitem__, _tell_bytes))
    replace(torch.UntypedStorage, "tolist", telling(torch.UntypedStorage.tolist, _tell_bytes))
    for storage in (torch.UntypedStorage, torch.TypedStorage):
        replace(storage, "data_ptr", telling(storage.data_ptr, _tell_address_of_storage))
    _wrap_swap()
    replace(torch.autograd.graph, "increment_version", telling(torch.autograd.graph.increment_version, _tell_increment))


def _tell_increment(tape: Tape, args: Any, result: Any, before: int, frame: FrameType) -> None:
    """That of the program's own: it says that a kernel that PyTorch does not know has written."""
    if tape.frames.kind(frame.f_code.co_filename) != TORCH:
        tensors = tensors_in(args[:1] if isinstance(args[0], torch.Tensor) else list(args[0]))
        tape.note_call("torch.autograd.graph.increment_version", tensors, tensors, before, frame, written=tensors)


def _tell_address_of_storage(tape: Tape, args: Any, result: Any, before: int, frame: FrameType) -> None:
    storage = args[0]._untyped_storage if isinstance(args[0], torch.TypedStorage) else args[0]
    known = tape.exposures.known_in(tape.identities.storage_of(storage))
    tape.note_address("UntypedStorage.data_ptr", tuple(known[-_MOST_TENSORS:]), frame)


def _tell_file(tape: Tape, args: Any, result: Any, before: int, frame: FrameType) -> None:
    tape.files.add(result)


def _tell_bytes(tape: Tape, args: Any, result: Any, before: int, frame: FrameType) -> None:
    tape.note_bytes(args[0], result, frame)


def _wrap_storage_write(original: Any, name: str) -> Any:
    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        told = listening()
        start, stop = _written(self, args[0] if args and name == "__setitem__" else slice(None))
        with DisableTorchFunction():
            keep = [recording for recording in told if start < stop and recording.tape.keeping.wants(self)]
            old = bytes_of(self, start, stop).clone() if keep else None
        result = original(self, *args, **kwargs)
        if start < stop:
            for recording in told:
                was, frame = old if recording in keep else None, sys._getframe(1)
                if name == "copy_" and not _deep_copies(frame):
                    recording.tape.unseen.note(BYTES, frame)
                recording.tape.note_storage_write(f"UntypedStorage.{name}", self, start, stop, was, frame)
        return result

    return wrapper


def _deep_copies(frame: FrameType | None) -> bool:
    """Whether a storage is copied for a tensor that is: that call is written down."""
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return False
        if frame.f_code.co_name == "__deepcopy__" and frame.f_code.co_filename == torch._tensor.__file__:
            return True
        frame = frame.f_back
    return False


def _written(storage: Any, index: Any) -> tuple[int, int]:
    """Which bytes of a storage an index selects."""
    if isinstance(index, slice):
        start, stop, _ = index.indices(storage.nbytes())
        return start, stop
    return index % max(storage.nbytes(), 1), index % max(storage.nbytes(), 1) + 1


def _wrap_entry(original: Any, name: str) -> Any:
    def tell(tape: Tape, args: Any, result: Any, before: int, frame: FrameType) -> None:
        tape.note_entry(name, result, args[0] if args else None, before, frame)

    return telling(original, tell)


def _tell_nested(tape: Tape, args: Any, result: Any, before: int, frame: FrameType) -> None:
    parts = args[0] if args and isinstance(args[0], (list, tuple)) else args[:1]
    tape.note_call("torch.nested.nested_tensor", tensors_in(parts), result, before, frame)


def _wrap_set(original: Any) -> Any:
    @functools.wraps(original)
    def set_(self: Any, *args: Any, **kwargs: Any) -> Any:
        told = [] if args and args[0] is self else listening()  # register_parametrization() gives a tensor its own
        with DisableTorchFunction():  # while it lies where it did: afterwards it is another to whoever looks
            old = [recording.tape.identities.see(self) for recording in told]
        result = original(self, *args, **kwargs)
        for recording, number in zip(told, old, strict=True):
            recording.tape.note_exchange("Tensor.set_", self, number, tensors_in(args[:1]), sys._getframe(1))
        return result

    return set_


def _wrap_copy(original: Any) -> Any:
    @functools.wraps(original)
    def __deepcopy__(self: Any, memo: Any) -> Any:  # noqa: N807  # stands in for it
        told = listening()
        before = _get_sequence_nr()
        for recording in told:
            recording.pause()
        try:
            result = original(self, memo)
        finally:
            for recording in told:
                recording.resume()
        for recording in told:
            recording.tape.note_call("Tensor.__deepcopy__", [self], result, before, sys._getframe(1))
        return result

    return __deepcopy__


def _wrap_pickling(original: Any) -> Any:
    @functools.wraps(original)
    def __reduce_ex__(self: Any, protocol: Any) -> Any:  # noqa: N807  # stands in for it
        told = listening()
        for recording in told:
            recording.tape.note_exit("Tensor.__reduce_ex__", self, sys._getframe(1))
            recording.pause()
        try:
            result = original(self, protocol)
        finally:
            for recording in told:
                recording.resume()
        # A Parameter hands over its data, which is pickled in turn: no other tensor to whoever reads the trace.
        for data in tensors_in(result[1]) if type(self) is torch.nn.Parameter else ():
            with DisableTorchFunction():
                for recording in told:
                    recording.tape.identities.bind(data, recording.tape.identities.find(self))
        return result

    return __reduce_ex__


def _wrap_swap() -> None:
    original = torch.utils.swap_tensors

    @functools.wraps(original)
    def swap_tensors(t1: Any, t2: Any) -> Any:
        told = listening()
        with DisableTorchFunction():
            seen = [recording.tape.identities for recording in told]
            numbers = [(identities.find(t1), identities.find(t2)) for identities in seen]
        result = original(t1, t2)  # type: ignore[no-untyped-call]
        with DisableTorchFunction():
            for identities, (first, second) in zip(seen, numbers, strict=True):
                identities.bind(t1, second)
                identities.bind(t2, first)
        return result

    replace(torch.utils, "swap_tensors", swap_tensors)
