"""The recording: a function mode that writes down each call."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch._C._autograd import _get_sequence_nr
from torch.overrides import TorchFunctionMode

from graphvis.live.recorder import freezing, hooks, writing
from graphvis.live.recorder.arguments import flag_of, flags_of, tensors_of
from graphvis.live.recorder.frames import Frames, locate, names_in
from graphvis.live.recorder.functions import Function, describe
from graphvis.live.recorder.identity import Identities

if TYPE_CHECKING:
    from graphvis.model import Location, Trace

_Tensor = torch.Tensor
_grad_enabled = torch.is_grad_enabled
_inference_enabled = torch.is_inference_mode_enabled
_other_modes = torch._C._len_torch_function_stack
_MOST_NUMBERS = 64  # looked at in a list of Python numbers


class BackwardEvent:
    """A backward() or autograd.grad that the recorded program makes.

    Attributes:
        call: index of the call in the trace.
        function: ``Tensor.backward``, ``torch.autograd.backward`` or ``torch.autograd.grad``.
        roots: the live tensors that it starts from.
        inputs: the live tensors whose gradients are asked for; None for all leaves.
        place: where it is made; :meth:`Recording.location` spells it.
        caller: the user's own frame where `place` is a library's; -1 where there is none.
        gradients: what ``autograd.grad`` gave; None before, and for backward().
        error: the exception that it raised; None before, and where it succeeded.
        done: whether it has run.
    """

    __slots__ = ("call", "caller", "done", "error", "function", "gradients", "inputs", "place", "roots")

    def __init__(
        self, call: int, function: str, roots: list[Any], inputs: list[Any] | None, place: int, caller: int
    ) -> None:
        self.call, self.function, self.roots, self.inputs = call, function, roots, inputs
        self.place, self.caller = place, caller
        self.gradients: Any = None
        self.error: BaseException | None = None
        self.done = False


class Recording(TorchFunctionMode):
    """A run being watched; a context manager that :func:`record` makes.

    It keeps no tensor alive and changes no result. It sees the thread that entered it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.identities = Identities()
        self.frames = Frames()
        self.calls: list[tuple[Any, ...]] = []
        self.functions: list[Function] = []
        self.modules: list[weakref.ref[Any]] = []
        self.names: dict[int, str] = {}
        self.module_names: dict[int, str] = {}
        self.notes: dict[str, None] = {}
        self.thread = threading.get_ident()
        self.depth = 0  # how many Function.forward are running
        self.unseen = False
        self.scalars: dict[int, tuple[float, int]] = {}  # floats that left, kept so that their id stays theirs
        self.exits: dict[int, tuple[int, ...]] = {}
        self._described: dict[Any, int] = {}
        self._modules: dict[int, int] = {}
        self._entered = 0
        self._paused = 0
        self._backward: list[Callable[[BackwardEvent], None]] = []
        self._optimizer: list[Callable[[str, Any], None]] = []

    # -- being on and off

    def __enter__(self) -> Recording:
        if not self._entered:
            self.thread = threading.get_ident()
            hooks.install(self)
        self._entered += 1
        try:
            super().__enter__()  # type: ignore[no-untyped-call]
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        try:
            super().__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]
        finally:
            self._leave()
        self._name_locals()

    def _leave(self) -> None:
        self._entered -= 1
        if not self._entered:
            hooks.remove(self)

    def _name_locals(self) -> None:
        """Take the names of the user's locals, and of the parameters of the modules among them."""
        frame = self.frames.users(2)
        if frame is not None:
            with torch._C.DisableTorchFunction():
                self.name(names_in(frame))

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

    def freeze(self) -> Trace:
        """What was recorded until now, as data."""
        return freezing.freeze(self)

    def number(self, tensor: torch.Tensor) -> int | None:
        """The place of a live tensor in :attr:`Trace.tensors`; None if the recording did not see it."""
        with torch._C.DisableTorchFunction():
            return self.identities.find(tensor)

    def memory(self, tensor: torch.Tensor) -> tuple[int, int, int] | None:
        """Where a live tensor lies, in the trace's numbers: storage, first byte, one past the last."""
        with torch._C.DisableTorchFunction():
            return self.identities.memory(tensor)

    def location(self, place: int) -> Location:
        """The source line of a place that an event tells of."""
        return locate(self.frames.places[place])

    def name(self, names: Mapping[str, Any]) -> None:
        """Attach names to tensors that were seen; what is no tensor is passed over. The first name stays."""
        for name, value in names.items():
            if isinstance(value, _Tensor):
                number = self.number(value)
                if number is not None:
                    self.names.setdefault(number, name)

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
        index = self._described.get(func)
        if index is None:
            index = self._describe(func)
        function = self.functions[index]
        if function.skip or self._paused:
            return func(*args, **kwargs) if kwargs else func(*args)
        if function.special == "backward":
            return self._run_backward(index, function, func, args, kwargs)
        if function.special == "switch":
            index = self._named(f"{function.name} ({bool(args[0])})")
        # The program's other modes and subclasses must not see us look.
        guarded = bool(types) or _other_modes() > 0
        if guarded:
            with torch._C.DisableTorchFunction():
                before = self._before(function, args, kwargs)
        else:
            before = self._before(function, args, kwargs)
        result = func(*args, **kwargs) if kwargs else func(*args)
        if guarded or type(result) is not _Tensor:
            with torch._C.DisableTorchFunction():
                self._after(index, function, args, before, result)
        else:
            self._after(index, function, args, before, result)
        return result

    def _before(self, function: Function, args: Any, kwargs: Any) -> tuple[Any, ...]:
        """What must be looked at before a call runs."""
        tensors = tensors_of(args, kwargs if not kwargs or "out" not in kwargs else _without_out(kwargs))
        return (
            tensors,
            self.identities.see_all(tensors),
            flags_of(tensors),
            _grad_enabled() | _inference_enabled() << 1 | (self.depth > 0) << 2,
            writing.targets(function, tensors, args, kwargs) if function.writes or kwargs else (),
            self._entries(function, args, kwargs) if self.scalars or function.special == "entry" else (),
            _get_sequence_nr(),
            kwargs,
        )

    def _after(self, index: int, function: Function, args: Any, before: tuple[Any, ...], result: Any) -> None:
        """Write down a call that has run."""
        tensors, inputs, flags, modes, written, entries, first, kwargs = before
        last = _get_sequence_nr()
        # What was given as out= comes out again, and is not among the inputs: its old value does not flow.
        existing = function.existing or bool(written and not function.writes)
        outputs, results = self._number(result, tensors, inputs, existing)
        writes = writing.note(self.identities, function, written, args) if written else ()
        special = function.special
        if special:
            if special in ("exchange", "item"):
                outputs, results = self._exchanged(function, args, outputs, results)
            elif special in ("exit", "memory") and inputs:
                self._left(function, tensors[0], result, 3)
            elif special == "entry" and isinstance(result, _Tensor):
                entries = self._adopt(result, entries)
        if outputs or writes or special in ("exit", "memory", "switch"):
            place, caller, module = self.frames.find(3)
            self.calls.append(
                (index, inputs, flags, outputs, results, modes, place, caller,
                 0 if module is None else self._module(module), first, last, writes, entries,
                 _dim_of(args, kwargs) if special == "join" else 0)
            )  # fmt: skip

    def note_call(
        self, name: str, inputs: list[Any], outputs: Any, before: int, depth: int = 2, own: tuple[int, ...] = (),
        entries: tuple[Any, ...] = (),
    ) -> None:  # fmt: skip
        """Write down a call that PyTorch does not report, after it ran.

        Args:
            name: its name in the trace.
            inputs: the live tensors that went in.
            outputs: what came out, nested.
            before: the sequence number before it ran.
            depth: how many frames of ours to skip.
            own: numbers of tensors that went in and are not among `inputs`.
            entries: the exits whose values come back with it, as (call, certain).
        """
        with torch._C.DisableTorchFunction():
            index = self._named(name)
            numbers = tuple([self.identities.see(tensor) for tensor in inputs])
            flags = flags_of(inputs)
            found, results = self._number(outputs, inputs, numbers, False)
            place, caller, module = self.frames.find(depth)
            self.calls.append(
                (index, numbers + own, flags, found, results, self._modes(), place, caller,
                 0 if module is None else self._module(module), before, _get_sequence_nr(), (), entries, len(own))
            )  # fmt: skip

    def note_mode(self, name: str, on: bool, depth: int) -> None:
        """Write down that an inference mode is entered."""
        self.note_call(f"{name} ({on})", [], (), _get_sequence_nr(), depth + 1)

    def note_exit(self, name: str, tensor: Any, depth: int) -> None:
        """Write down that a value leaves."""
        self.exits[len(self.calls)] = self.frames.chain(depth)
        self.note_call(name, [tensor], (), _get_sequence_nr(), depth + 1)

    def note_entry(self, name: str, tensor: Any, before: int, depth: int) -> None:
        """Write down that another library's memory came in as a tensor."""
        with torch._C.DisableTorchFunction():
            exporter = self.identities.adopt(tensor)
        self.note_call(name, [], tensor, before, depth + 1, (), () if exporter is None else ((exporter, True),))

    def note_exchange(self, name: str, tensor: Any, inputs: list[Any], depth: int) -> None:
        """Write down that a tensor's memory was exchanged for another."""
        with torch._C.DisableTorchFunction():
            old, flag = self.identities.see(tensor), flag_of(tensor)
            self.identities.drop(tensor)
        self.note_call(name, inputs, tensor, _get_sequence_nr(), depth + 1)
        record = self.calls[-1]
        self.identities.formers[record[3][0]] = old
        self.calls[-1] = (record[0], (old, *record[1]), record[2] << 2 | flag, *record[3:])

    def note_unseen(self, what: str) -> None:
        """Note that something ran that the calls do not show."""
        self.notes.setdefault(what)
        self.unseen = True

    def _modes(self) -> int:
        return _grad_enabled() | _inference_enabled() << 1 | (self.depth > 0) << 2

    def _named(self, name: str) -> int:
        index = self._described.get(name)
        if index is None:
            index = self._described[name] = len(self.functions)
            self.functions.append(Function(name))
        return index

    def _exchanged(
        self, function: Function, args: Any, outputs: tuple[int, ...], results: int
    ) -> tuple[tuple[int, ...], int]:
        """What a call that returns nothing made of its first argument."""
        if not isinstance(args[0], _Tensor):
            return outputs, results
        number = self.identities.renew(args[0]) if function.special == "exchange" else self.identities.see(args[0])
        return (number,), flag_of(args[0])

    def _left(self, function: Function, tensor: Any, result: Any, depth: int) -> None:
        """Note that a value left: the Python numbers that it is now, or the memory that others see."""
        call = len(self.calls)
        if function.special == "memory":
            self.identities.export(tensor, call)
        elif type(result) is float:
            self.scalars[id(result)] = (result, call)
        elif type(result) is list:
            flat: list[Any] = [result]
            budget = _MOST_NUMBERS
            while flat and budget:
                item = flat.pop()
                budget -= 1
                if type(item) is list:
                    flat.extend(item)
                elif type(item) is float:
                    self.scalars[id(item)] = (item, call)
        if not function.steers:
            self.exits[call] = self.frames.chain(depth + 1)

    def _entries(self, function: Function, args: Any, kwargs: Any) -> tuple[tuple[int, bool], ...]:
        """The exits whose very values come back as arguments."""
        found: dict[tuple[int, bool], None] = {}
        if function.special == "entry" and args and self.identities.exported and not isinstance(args[0], _Tensor):
            interface = getattr(args[0], "__array_interface__", None)
            exporter = self.identities.exporter(interface["data"][0]) if interface else None
            if exporter is not None:
                found[exporter[2], True] = None
        stack = [*args, *kwargs.values()] if kwargs else list(args)
        budget = _MOST_NUMBERS
        while stack and budget:
            item = stack.pop()
            budget -= 1
            if type(item) is float:
                known = self.scalars.get(id(item))
                if known is not None:
                    found[known[1], True] = None
            elif isinstance(item, (list, tuple)):
                stack.extend(item)
        return tuple(found)

    def _adopt(self, tensor: Any, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        exporter = self.identities.adopt(tensor)
        return entries if exporter is None or (exporter, True) in entries else (*entries, (exporter, True))

    def _describe(self, func: Any) -> int:
        index = self._described[func] = len(self.functions)
        self.functions.append(describe(func))
        return index

    def _module(self, module: Any) -> int:
        index = self._modules.get(id(module))
        if index is None or self.modules[index - 1]() is not module:
            for outer in (module, *self.frames.modules()):
                if outer is module or id(outer) not in self._modules:
                    self.modules.append(weakref.ref(outer))
                    self._modules[id(outer)] = len(self.modules)
            index = self._modules[id(module)]
        return index

    def _number(
        self, result: Any, tensors: list[Any], inputs: tuple[int, ...], existing: bool
    ) -> tuple[tuple[int, ...], int]:
        """Number what came out: the numbers, and the flags, two bits each, the first lowest."""
        if type(result) is _Tensor:  # nearly always: one result, and new
            for tensor, known in zip(tensors, inputs, strict=False):
                if result is tensor:
                    return (known,), flag_of(result)
            number = self.identities.see(result) if existing else self.identities.add(result)
            return (number,), self.identities.flags[number] if not existing else flag_of(result)
        outputs: list[int] = []
        flags = shift = 0
        for item in tensors_of((result,), None):
            for tensor, known in zip(tensors, inputs, strict=False):
                if item is tensor:
                    outputs.append(known)
                    break
            else:
                outputs.append(self.identities.see(item) if existing else self.identities.add(item))
            flags |= flag_of(item) << shift
            shift += 2
        return tuple(outputs), flags

    def _run_backward(self, index: int, function: Function, func: Any, args: Any, kwargs: Any) -> Any:
        """Run a backward, before and after which others are told."""
        place, caller, module = self.frames.find(3)
        call, before = len(self.calls), _get_sequence_nr()
        with torch._C.DisableTorchFunction():
            tensors = tensors_of(args, kwargs)
            inputs = tuple([self.identities.see(tensor) for tensor in tensors])
            record = (
                index, inputs, flags_of(tensors), (), 0, self._modes(), place, caller,
                0 if module is None else self._module(module), before, before, (), (), 0,
            )  # fmt: skip
        self.calls.append(record)
        roots, wanted = _roots_of(function.name, args, kwargs or {})
        event = BackwardEvent(call, function.name, roots, wanted, place, caller)
        self._tell_backward(event)
        try:
            event.gradients = result = func(*args, **(kwargs or {}))
        except BaseException as error:
            event.error = error
            event.done = True
            self._tell_backward(event)
            raise
        with torch._C.DisableTorchFunction():
            outputs, results = self._number(result, tensors, inputs, False)
        if outputs:
            self.calls[call] = (*record[:3], outputs, results, *record[5:9], before, _get_sequence_nr(), (), (), 0)
        event.done = True
        self._tell_backward(event)
        return result

    def _tell_backward(self, event: BackwardEvent) -> None:
        self.pause()
        try:
            for callback in self._backward:
                callback(event)
        finally:
            self.resume()


def record() -> Recording:
    """Watch the calls of the block: ``with graphvis.record() as trace: loss = step(model, batch)``."""
    return Recording()


def _dim_of(args: Any, kwargs: Any) -> int:
    dim = args[1] if len(args) > 1 else (kwargs or {}).get("dim", (kwargs or {}).get("axis", 0))
    return dim if type(dim) is int else 0


def _without_out(kwargs: Any) -> dict[str, Any]:
    return {key: value for key, value in kwargs.items() if key != "out"}


def _roots_of(name: str, args: Any, kwargs: Any) -> tuple[list[Any], list[Any] | None]:
    key = {"Tensor.backward": "self", "torch.autograd.backward": "tensors"}.get(name, "outputs")
    roots = args[0] if args else kwargs.get(key)
    place = {"Tensor.backward": 4, "torch.autograd.backward": 5}.get(name, 1)
    wanted = args[place] if len(args) > place else kwargs.get("inputs")
    return _listed(roots), None if wanted is None else _listed(wanted)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]
