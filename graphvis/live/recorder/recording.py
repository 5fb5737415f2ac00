"""The recording: a function mode that writes down each call."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch._C._autograd import _get_sequence_nr
from torch.overrides import TorchFunctionMode

from graphvis.live.recorder import freezing, hooks
from graphvis.live.recorder.frames import Frames
from graphvis.live.recorder.functions import Function, describe
from graphvis.live.recorder.identity import LEAF, REQUIRES_GRAD, Identities

if TYPE_CHECKING:
    from graphvis.model import Trace

_Tensor = torch.Tensor
_grad_enabled = torch.is_grad_enabled
_inference_enabled = torch.is_inference_mode_enabled
_BACKWARD = frozenset({"Tensor.backward", "torch.autograd.backward", "torch.autograd.grad"})
# What takes a value out of PyTorch and gives a Python object for it.
EXITS = frozenset(
    """Tensor.item Tensor.__float__ Tensor.__int__ Tensor.__bool__ Tensor.__index__ Tensor.__complex__ Tensor.tolist
    Tensor.numpy Tensor.__array__ Tensor.__contains__ Tensor.is_nonzero torch.is_nonzero Tensor.equal torch.equal
    Tensor.allclose torch.allclose Tensor.__dlpack__ Tensor.__reduce_ex__""".split()
)
_MEMORY_EXITS = frozenset({"Tensor.numpy", "Tensor.__array__", "Tensor.__dlpack__"})
_ENTRIES = frozenset({"torch.as_tensor", "torch.asarray", "torch.from_numpy", "torch.frombuffer", "torch.from_dlpack"})


class BackwardEvent:
    """A backward() or autograd.grad that the recorded program makes.

    Attributes:
        call: index of the call in the trace.
        function: ``Tensor.backward``, ``torch.autograd.backward`` or ``torch.autograd.grad``.
        roots: the live tensors that it starts from.
        inputs: the live tensors whose gradients are asked for; None for all leaves.
        place: where it is made; :meth:`Recording.location` spells it.
        gradients: what ``autograd.grad`` gave; None before, and for backward().
        error: the exception that it raised; None before, and where it succeeded.
        done: whether it has run.
    """

    __slots__ = ("call", "function", "roots", "inputs", "place", "gradients", "error", "done")

    def __init__(self, call: int, function: str, roots: list[Any], inputs: list[Any] | None, place: int) -> None:
        self.call, self.function, self.roots, self.inputs, self.place = call, function, roots, inputs, place
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
            super().__enter__()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        try:
            super().__exit__(kind, error, traceback)
        finally:
            self._leave()

    def _leave(self) -> None:
        self._entered -= 1
        if not self._entered:
            hooks.remove(self)

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
        tensors = _tensors_of(args, kwargs)
        return self.watch(index, function, tensors, func, args, kwargs, 2)

    def watch(
        self, index: int, function: Function, tensors: list[Any], func: Any, args: Any, kwargs: Any, depth: int
    ) -> Any:
        """Run one call and write it down."""
        identities = self.identities
        see = identities.see
        inputs = tuple([see(tensor) for tensor in tensors])
        flags = 0
        for tensor in reversed(tensors):
            flags = flags << 2 | (REQUIRES_GRAD if tensor.requires_grad else 0) | (LEAF if tensor.is_leaf else 0)
        modes = _grad_enabled() | _inference_enabled() << 1 | (self.depth > 0) << 2
        written = _written(function, tensors, args, kwargs)
        before = _get_sequence_nr()
        if function.name in _BACKWARD:
            result = self._run_backward(function, tensors, inputs, flags, modes, func, args, kwargs, depth + 1)
            return result
        result = func(*args, **kwargs) if kwargs else func(*args)
        after = _get_sequence_nr()
        outputs: list[int] = []
        results = self._number(result, tensors, inputs, outputs, function)
        writes = self._writes(written, function, args) if written else ()
        if outputs or writes or (inputs and function.name in EXITS) or function.name == "torch._set_grad_enabled":
            if function.name in _MEMORY_EXITS:
                identities.export(tensors[0])
            elif function.name in _ENTRIES and isinstance(result, _Tensor):
                identities.import_(result)
            place, caller, module = self.frames.find(depth)
            self.calls.append(
                (index, inputs, flags, tuple(outputs), results, modes, place, caller,
                 0 if module is None else self._module(module), before, after, writes, _extra(function, args))
            )  # fmt: skip
        return result

    def note_call(
        self, name: str, inputs: list[Any], outputs: Any, before: int, depth: int = 2, own: tuple[int, ...] = ()
    ) -> None:
        """Write down a call that PyTorch does not report, after it ran.

        Args:
            name: its name in the trace.
            inputs: the live tensors that went in.
            outputs: what came out, nested.
            before: the sequence number before it ran.
            depth: how many frames of ours to skip.
            own: numbers of tensors that went in and are not among `inputs`.
        """
        with torch._C.DisableTorchFunction():
            index = self._described.get(name)
            if index is None:
                index = self._described[name] = len(self.functions)
                self.functions.append(Function(name))
            numbers = tuple([self.identities.see(tensor) for tensor in inputs]) + own
            flags = 0
            for tensor in reversed(inputs):
                flags = flags << 2 | (REQUIRES_GRAD if tensor.requires_grad else 0) | (LEAF if tensor.is_leaf else 0)
            modes = _grad_enabled() | _inference_enabled() << 1 | (self.depth > 0) << 2
            found: list[int] = []
            results = self._number(outputs, inputs, numbers, found, self.functions[index])
            place, caller, module = self.frames.find(depth)
            self.calls.append(
                (index, numbers, flags, tuple(found), results, modes, place, caller,
                 0 if module is None else self._module(module), before, _get_sequence_nr(), (), None)
            )  # fmt: skip

    def note_mode(self, name: str, on: bool, depth: int) -> None:
        """Write down that a grad or inference mode is entered."""
        self.note_call(f"{name} ({on})", [], (), _get_sequence_nr(), depth + 1)

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
        self, result: Any, tensors: list[Any], inputs: tuple[int, ...], outputs: list[int], function: Function
    ) -> int:
        """Number what came out; the flags of all of it, two bits each, first lowest."""
        flags = shift = 0
        stack = [result]
        while stack:
            item = stack.pop()
            if isinstance(item, _Tensor):
                number = -1
                for tensor, known in zip(tensors, inputs, strict=False):
                    if item is tensor:
                        number = known
                        break
                if number < 0:
                    number = self.identities.see(item) if function.existing else self.identities.add(item)
                outputs.append(number)
                flags |= ((REQUIRES_GRAD if item.requires_grad else 0) | (LEAF if item.is_leaf else 0)) << shift
                shift += 2
            elif isinstance(item, (tuple, list)):
                stack.extend(reversed(item))
            elif isinstance(item, dict):
                stack.extend(reversed(list(item.values())))
            elif type(item).__name__ in ("tuple_iterator", "list_iterator"):
                state = item.__reduce__()
                if len(state) > 1 and state[1]:
                    stack.append(state[1][0])
        return flags

    def _writes(self, written: list[tuple[Any, int]], function: Function, args: Any) -> tuple[Any, ...]:
        """The writes that a call made: (number, whether the counter saw it) pairs, and the region where it is a part."""
        writes = []
        by_schema = function.writes != "checked"
        for tensor, version in written:
            moved = version >= 0 and not tensor.is_inference() and tensor._version != version
            if moved or by_schema or (version < 0):
                number = self.identities.see(tensor)
                if function.name in ("Tensor.set_", "Tensor.resize_", "Tensor.resize_as_"):
                    self.identities.move(tensor, number)
                writes.append((number, moved))
        return tuple(writes)

    def _run_backward(
        self, function: Function, tensors: list[Any], inputs: tuple[int, ...], flags: int, modes: int,
        func: Any, args: Any, kwargs: Any, depth: int,
    ) -> Any:  # fmt: skip
        """Run a backward, before and after which others are told."""
        place, caller, module = self.frames.find(depth)
        index = self._described[func]
        call = len(self.calls)
        before = _get_sequence_nr()
        self.calls.append(
            (index, inputs, flags, (), 0, modes, place, caller, 0 if module is None else self._module(module),
             before, before, (), None)
        )  # fmt: skip
        roots, wanted = _roots_of(function.name, args, kwargs or {})
        event = BackwardEvent(call, function.name, roots, wanted, place)
        self._tell_backward(event)
        try:
            event.gradients = result = func(*args, **(kwargs or {}))
        except BaseException as error:
            event.error = error
            event.done = True
            self._tell_backward(event)
            raise
        outputs: list[int] = []
        results = self._number(result, tensors, inputs, outputs, function)
        if outputs:
            record = self.calls[call]
            self.calls[call] = (*record[:3], tuple(outputs), results, *record[5:])
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


def _tensors_of(args: Any, kwargs: Any) -> list[Any]:
    """The tensors among the arguments of a call, nested ones too, in order."""
    found = []
    nested = False
    for item in args:
        if isinstance(item, _Tensor):
            found.append(item)
        elif isinstance(item, (tuple, list, dict)):
            nested = True
            break
    if not nested and not kwargs:
        return found
    found = []
    stack = list(reversed(args))
    if kwargs:
        stack[:0] = reversed(list(kwargs.values()))
    while stack:
        item = stack.pop()
        if isinstance(item, _Tensor):
            found.append(item)
        elif isinstance(item, (tuple, list)):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            stack.extend(reversed(list(item.values())))
        elif isinstance(item, slice):
            stack.extend((item.step, item.stop, item.start))
    return found


def _written(function: Function, tensors: list[Any], args: Any, kwargs: Any) -> list[tuple[Any, int]]:
    """The tensors that a call may write to, each with its version before."""
    writes = function.writes
    if writes == "first":
        first = args[0] if args else None
        if isinstance(first, _Tensor):
            targets = [first]
        else:
            targets = [item for item in first if isinstance(item, _Tensor)] if isinstance(first, (tuple, list)) else []
    elif writes == "all" or writes == "checked":
        targets = tensors
    elif writes == "statistics":
        targets = [tensor for tensor in args[1:3] if isinstance(tensor, _Tensor)]
        if kwargs:
            targets += [kwargs[key] for key in ("running_mean", "running_var") if isinstance(kwargs.get(key), _Tensor)]
    else:
        targets = []
    if kwargs and kwargs.get("out") is not None:
        out = kwargs["out"]
        targets = [*targets, *([out] if isinstance(out, _Tensor) else [t for t in out if isinstance(t, _Tensor)])]
    return [(tensor, -1 if tensor.is_inference() else tensor._version) for tensor in targets]


def _extra(function: Function, args: Any) -> Any:
    if function.name == "torch._set_grad_enabled":
        return bool(args[0])
    return None


def _roots_of(name: str, args: Any, kwargs: Any) -> tuple[list[Any], list[Any] | None]:
    key = {"Tensor.backward": "self", "torch.autograd.backward": "tensors"}.get(name, "outputs")
    roots = args[0] if args else kwargs.get(key)
    place = {"Tensor.backward": 4, "torch.autograd.backward": 5}.get(name, 1)
    wanted = args[place] if len(args) > place else kwargs.get("inputs")
    return _listed(roots), None if wanted is None else _listed(wanted)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]
