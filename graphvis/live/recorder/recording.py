"""The recording: a function mode that writes down each call."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch._C import DisableTorchFunction
from torch._C._autograd import _get_sequence_nr
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from graphvis.live.recorder import backwards, freezing, hooks, insides, overriding, writing
from graphvis.live.recorder.arguments import tensors_of
from graphvis.live.recorder.events import BackwardEvent
from graphvis.live.recorder.exits import may_be_known
from graphvis.live.recorder.frames import locate, names_in
from graphvis.live.recorder.functions import Function, switched_by
from graphvis.live.recorder.tape import Tape
from graphvis.live.recorder.unseen import TURNED_OFF

if TYPE_CHECKING:
    from graphvis.model import Location, Trace

_Tensor = torch.Tensor
_STRIDED = torch.strided
_grad_enabled = torch.is_grad_enabled
_inference_enabled = torch.is_inference_mode_enabled
_other_modes = torch._C._len_torch_function_stack


class Recording(TorchFunctionMode):
    """A run being watched; a context manager that ``graphvis.record()`` makes.

    It keeps no tensor alive and changes no result. It sees the thread that entered it.

    Args:
        values: whether all that is overwritten is kept; see :func:`graphvis.record`.
    """

    def __init__(self, values: bool = False) -> None:
        super().__init__()
        self.tape = Tape(values)
        self.thread = threading.get_ident()
        self._entered = 0
        self._paused = 0
        self._backward: list[Callable[[BackwardEvent], None]] = []
        self._optimizer: list[Callable[[str, Any], None]] = []

    def __repr__(self) -> str:
        calls = len(self.tape.calls)
        return f"<graphvis.Recording: {calls} call{'s' * (calls != 1)}>"

    # -- being on and off

    def __enter__(self) -> Recording:
        if not self._entered:
            self.thread = threading.get_ident()
            self.tape.frames.start(sys._getframe(1))
            self.tape.unseen.bystanders.start()
            self._look_at_modes(sys._getframe(1))
            hooks.install(self)
            self.tape.note_arrays(sys._getframe(1))
            self.tape.identities.births.start()
        self._entered += 1
        try:
            super().__enter__()  # type: ignore[no-untyped-call]
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.pause()  # that it is taken off the stack of modes now is no secret
        try:
            super().__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]
        finally:
            self.resume()
            self._leave()
        # The names of the user's locals, and of the parameters of the modules among them.
        frame = self.tape.frames.users(sys._getframe(1))
        if frame is not None:
            with DisableTorchFunction():
                self.name(names_in(frame))

    def _leave(self) -> None:
        self._entered -= 1
        if not self._entered:
            hooks.remove(self)
            self.tape.identities.births.stop()
            self.tape.unseen.look_around()
            self.tape.frames.stop()

    def _look_at_modes(self, frame: FrameType) -> None:
        """Note the modes that are on and run inside of each call that is made."""
        if torch._C._is_torch_function_all_disabled():
            self.tape.unseen.note(TURNED_OFF, frame)
        functions = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]  # PyTorch's own
        for mode in (*functions, *_get_current_dispatch_mode_stack()):
            if not isinstance(mode, Recording):
                self.tape.note_mode_inside(mode, frame)

    def pause(self) -> None:
        """Stop writing down until as many :meth:`resume` have come."""
        self._paused += 1

    def resume(self) -> None:
        """Go on writing down."""
        self._paused -= 1

    @property
    def active(self) -> bool:
        """Whether calls of the running thread are written down now."""
        return self._entered > 0 and not self._paused and threading.get_ident() == self.thread

    # -- what others ask for

    def freeze(self, *, following: bool = True) -> Trace:
        """What was recorded until now, as data.

        Args:
            following: whether to read the source of the program for where values went that left PyTorch, which may take
                longer than all else. Else :meth:`follow` does, if anybody asks.
        """
        if self._entered:
            self.tape.unseen.look_around()
        return freezing.freeze(self.tape, following=following)

    def follow(self, trace: Trace) -> Trace:
        """What was frozen without following, with what the source tells of the values that had left until then."""
        return freezing.follow(self.tape, trace)

    def number(self, tensor: torch.Tensor) -> int | None:
        """The place of a live tensor in :attr:`Trace.tensors`; None if the recording did not see it."""
        with DisableTorchFunction():
            return self.tape.identities.find(tensor)

    def memory(self, tensor: torch.Tensor) -> tuple[int, int, int] | None:
        """Where a live tensor lies, in the trace's numbers: storage, first byte, one past the last."""
        with DisableTorchFunction():
            return self.tape.identities.memory(tensor)

    def location(self, place: int) -> Location:
        """The source line of a place that an event tells of."""
        return locate(self.tape.frames.places[place])

    def name(self, names: Mapping[str, Any]) -> None:
        """Attach names to tensors that were seen; what is no tensor is passed over. The first name stays."""
        for name, value in names.items():
            if isinstance(value, _Tensor):
                number = self.number(value)
                if number is not None:
                    self.tape.names.setdefault(number, name)

    def name_of(self, tensor: torch.Tensor) -> str | None:
        """The name of a live tensor; None if it has none, or was not seen."""
        number = self.number(tensor)
        return None if number is None else self.tape.names.get(number)

    def on_backward(self, callback: Callable[[BackwardEvent], None]) -> None:
        """Have `callback` called before and after each backward() and autograd.grad, unrecorded."""
        self._backward.append(callback)

    def on_optimizer(self, callback: Callable[[str, Any], None]) -> None:
        """Have `callback` called with ``("built", optimizer)`` and ``("stepped", optimizer)``, unrecorded."""
        self._optimizer.append(callback)

    def tell_optimizer(self, what: str, optimizer: Any) -> None:
        """Pass on that an optimizer was built or has stepped."""
        self.pause()
        try:
            for callback in self._optimizer:
                callback(what, optimizer)
        finally:
            self.resume()

    # -- the calls

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tape = self.tape
        index = tape.described.get(func)
        if index is None:
            index = tape.describe(func)
        function = tape.functions[index]
        if function.skip or self._paused:
            return func(*args, **kwargs) if kwargs else func(*args)
        if not tape.plain[index] or types or (kwargs and "out" in kwargs) or _other_modes():
            return self._run(index, function, func, types, args, kwargs)
        if tape.exits.scalars and tape.exits.may_come_back(args, kwargs):
            return self._run(index, function, func, types, args, kwargs)
        # Nearly every call takes tensors and makes a new one; for it the general way is written out here.
        identities = tape.identities
        tensors = tensors_of(args, kwargs)
        inputs, flags = identities.see_all(tensors)
        modes = _grad_enabled() | _inference_enabled() << 1 | (tape.depth > 0) << 2
        before = _get_sequence_nr()
        result = func(*args, **kwargs) if kwargs else func(*args)
        if type(result) is not _Tensor or id(result) in map(id, tensors):
            with DisableTorchFunction():
                self._after(index, function, args, (tensors, inputs, flags, modes, (), (), before, kwargs), result)
            return result
        after = _get_sequence_nr()
        number = identities.add(result)
        frame = sys._getframe(1)
        place, caller, module = tape.frames.find(frame)
        tape.calls.append(
            (index, inputs, flags, (number,), identities.tensors[number][2], modes, place, caller,
             0 if module is None else tape.module(module, frame), before, after, (), (), 0)
        )  # fmt: skip
        return result

    def _run(self, index: int, function: Function, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Run and write down any call."""
        if types:
            result = overriding.run(self, self.tape.unseen, func, types, args, kwargs)
            if result is not NotImplemented:
                return result
        if function.special == "backward":
            return backwards.run(self.tape, self._tell_backward, index, func, args, kwargs or {})
        if function.special == "address":
            result = func(*args, **kwargs) if kwargs else func(*args)
            with DisableTorchFunction():
                self.tape.note_address(function.name, (self.tape.identities.see(args[0]),), sys._getframe(2))
            return result
        if function.special == "switch":
            index = self.tape.named(f"{function.name}{switched_by(sys._getframe(1))} ({bool(args[0])})")
        writes = function.writes or function.special == "exchange" or (kwargs and "out" in kwargs)
        kept = self.tape.keeping.look(function, args, kwargs) if writes else ()
        # The program's other modes and subclasses must not see us look.
        guarded = bool(types) or _other_modes() > 0
        if guarded:
            with DisableTorchFunction():
                looked = self._before(function, args, kwargs)
        else:
            looked = self._before(function, args, kwargs)
        asks = bool(types) and insides.have_code(types, self.tape.frames)
        if (asks or function.inside) and not _other_modes():
            inside = insides.Inside(self.tape, asks)
            result = inside.run(func, types, args, kwargs)
            self.tape.note_read([number for number in inside.read if number not in looked[1]], sys._getframe(2))
        else:
            result = func(*args, **kwargs) if kwargs else func(*args)
        if guarded or type(result) is not _Tensor:
            with DisableTorchFunction():
                self._after(index, function, args, looked, result)
        else:
            self._after(index, function, args, looked, result)
        if kept:
            self.tape.keeping.keep(len(self.tape.calls) - 1, function, args, kept)
        if writes and self.tape.exposures.shared:
            self.tape.note_shared_writes(sys._getframe(1))
        return result

    def _before(self, function: Function, args: Any, kwargs: Any) -> tuple[Any, ...]:
        """What must be looked at before a call runs."""
        tape = self.tape
        given = args[:1] if function.special == "deepcopy" else args
        tensors = tensors_of(given, kwargs if not kwargs or "out" not in kwargs else _without_out(kwargs))
        return (
            tensors,
            *tape.identities.see_all(tensors),
            tape.modes(),
            writing.targets(function, tensors, args, kwargs) if function.writes or kwargs else (),
            tape.exits.entries(function, args, kwargs) if tape.exits.scalars or function.special == "entry" else (),
            _get_sequence_nr(),
            kwargs,
        )

    def _after(self, index: int, function: Function, args: Any, looked: tuple[Any, ...], result: Any) -> None:
        """Write down a call that has run."""
        tensors, inputs, flags, modes, written, entries, before, kwargs = looked
        tape, after, frame = self.tape, _get_sequence_nr(), sys._getframe(1)
        for tensor, _ in written:
            if tensor.layout is not _STRIDED and (former := tape.identities.moved(tensor)) is not None:
                inputs = tape.note_moved(tensor, former, inputs, flags, modes, frame)
        # What was given as out= comes out again, and is not among the inputs: its old value does not flow.
        existing = function.existing or bool(written and not function.writes)
        outputs, results = tape.number(result, tensors, inputs, existing)
        writes = writing.note(tape.identities, function, written, args) if written else ()
        writes += tape.showing.through(writes) if writes and tape.identities.held else ()
        special = function.special
        if special:
            if special in ("exchange", "item"):
                outputs, results = self._exchanged(function, args, outputs, results)
            elif special in ("exit", "memory") and inputs:
                tape.exits.leave(len(tape.calls), function, tensors[0], result, frame)
                if special == "memory":
                    tape.exposures.hand_out(tensors[0], result)
            elif special == "entry" and isinstance(result, _Tensor):
                entries = tape.exits.adopt(result, entries)
                source = args[0] if args else None
                if isinstance(source, (torch.UntypedStorage, torch.TypedStorage)):
                    tape.note_bytes(source, result, frame, outputs)
                source = None if isinstance(source, str) else source  # the name of a file
                tape.exposures.take_in(result, source)
                tape.exposures.come_from(result, source)
                tape.exposures.begin(outputs, len(tape.calls))
                if not entries and may_be_known(source) and tape.identities.claim(result):
                    more, said = tape.showing.under(outputs[0])
                    inputs, flags = (*inputs, *more), flags | said << 2 * len(inputs)
        if outputs or writes or special in ("exit", "memory", "switch"):
            forwarded = _dim_of(args, kwargs) if special == "join" else 0
            tape.append(index, inputs, flags, outputs, results, modes, before, after, frame, writes, entries, forwarded)

    def _exchanged(
        self, function: Function, args: Any, outputs: tuple[int, ...], results: int
    ) -> tuple[tuple[int, ...], int]:
        """What a call that returns nothing made of its first argument."""
        if not isinstance(args[0], _Tensor):
            return outputs, results
        number = (
            self.tape.identities.renew(args[0]) if function.special == "exchange" else self.tape.identities.see(args[0])
        )
        return (number,), self.tape.flag(args[0], number)

    def _tell_backward(self, event: BackwardEvent) -> None:
        self.pause()
        try:
            for callback in self._backward:
                callback(event)
        finally:
            self.resume()


def record(*, values: bool = False) -> Recording:
    """Watch the calls of the block: ``with graphvis.record() as trace: loss = step(model, batch)``.

    Args:
        values: whether all that is overwritten is kept; see :func:`graphvis.record`.
    """
    return Recording(values)


def _dim_of(args: Any, kwargs: Any) -> int:
    dim = args[1] if len(args) > 1 else (kwargs or {}).get("dim", (kwargs or {}).get("axis", 0))
    return dim if type(dim) is int else 0


def _without_out(kwargs: Any) -> dict[str, Any]:
    return {key: value for key, value in kwargs.items() if key != "out"}
