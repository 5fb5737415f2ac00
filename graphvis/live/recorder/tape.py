"""What a recording has written down until now, and the writing down of it."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable
from types import FrameType
from typing import Any

import torch
from torch._C import DisableTorchFunction
from torch._C._autograd import _get_sequence_nr

from graphvis.live.recorder import arrays
from graphvis.live.recorder.arguments import REQUIRES_GRAD, flag_of, tensors_of
from graphvis.live.recorder.exits import Exits, may_be_known
from graphvis.live.recorder.exposures import Exposures
from graphvis.live.recorder.files import Files
from graphvis.live.recorder.frames import TORCH, USER, Frames
from graphvis.live.recorder.functions import Function, describe
from graphvis.live.recorder.identity import Identities
from graphvis.live.recorder.images import bytes_of
from graphvis.live.recorder.keeping import Keeping
from graphvis.live.recorder.raw import EXCHANGE, RawCall
from graphvis.live.recorder.showing import Showing
from graphvis.live.recorder.stakes import ALIASING, APART
from graphvis.live.recorder.unseen import BYTES, INSIDE, Unseen

_Tensor = torch.Tensor
_grad_enabled = torch.is_grad_enabled
_inference_enabled = torch.is_inference_mode_enabled
_OUTPUTS, _WRITES = RawCall._fields.index("outputs"), RawCall._fields.index("writes")


class Tape:
    """The calls of a run, raw, and the numbers that they speak in.

    Attributes:
        calls: each as :class:`RawCall` has it.
        functions: what was called.
        plain: of each, whether its calls only take tensors and hand out new ones.
        exposures: of memory to other libraries.
        showing: of memory by others, where no call shows how they came to.
        keeping: of what is overwritten.
        modules: what ran them, seen from 1 on.
        names: of tensors, by number.
        module_names: of modules, by ``id``, where somebody knows better than the outermost module's paths.
        unseen: what ran that the calls do not show.
        files: the storages that show one.
        depth: how many ``Function.forward`` are running.

    Args:
        values: whether all that is overwritten is kept.
    """

    def __init__(self, values: bool = False) -> None:
        self.identities = Identities()
        self.frames = Frames()
        self.exits = Exits(self.identities, self.frames)
        self.calls: list[tuple[Any, ...]] = []
        self.functions: list[Function] = []
        self.plain: list[bool] = []
        self.exposures = Exposures(self.identities, self.calls, self.functions, self.plain)
        self.showing = Showing(self.identities, self.exposures, self.calls)
        self.keeping = Keeping(values, self.identities, self.exposures, self.calls, self.functions)
        self.modules: list[weakref.ref[Any]] = []
        self.names: dict[int, str] = {}
        self.module_names: dict[int, str] = {}
        self.unseen = Unseen(self.frames)
        self.files = Files()
        self.depth = 0
        self.described: dict[Any, int] = {}
        self._modules: dict[int, int] = {}
        self.identities.on_alias = self._note_alias

    def describe(self, func: Any) -> int:
        """The index of a function that is called for the first time."""
        index = self.described[func] = len(self.functions)
        function = describe(func)
        self.functions.append(function)
        self.keeping.stakes.aliasing |= function.name in ALIASING | APART
        self.plain.append(function.plain and not self.exposures.shared)
        return index

    def named(self, name: str) -> int:
        """The index of a function that is known by name only."""
        index = self.described.get(name)
        if index is None:
            index = self.described[name] = len(self.functions)
            self.functions.append(Function(name))
            self.keeping.stakes.aliasing |= name in ALIASING | APART
            self.plain.append(False)
        return index

    def modes(self) -> int:
        """The modes of now, as :attr:`RawCall.modes`."""
        return _grad_enabled() | _inference_enabled() << 1 | (self.depth > 0) << 2

    def number(
        self, result: Any, tensors: list[Any], inputs: tuple[int, ...], existing: bool
    ) -> tuple[tuple[int, ...], int]:
        """Number what came out: the numbers, and the flags, two bits each, the first lowest."""
        if type(result) is _Tensor:  # nearly always: one result, and new
            for tensor, known in zip(tensors, inputs, strict=False):
                if result is tensor:
                    return (known,), self.flag(result, known)
            number = self.identities.see(result) if existing else self.identities.add(result)
            return (number,), self.flag(result, number)
        outputs: list[int] = []
        flags = shift = 0
        for item in tensors_of((result,), None):
            for tensor, known in zip(tensors, inputs, strict=False):
                if item is tensor:
                    outputs.append(known)
                    break
            else:
                outputs.append(self.identities.see(item) if existing else self.identities.add(item))
            flags |= self.flag(item, outputs[-1]) << shift
            shift += 2
        return tuple(outputs), flags

    def flag(self, tensor: Any, number: int) -> int:
        """What a tensor of that number says of itself."""
        return self.identities.flag(tensor, number)

    def module(self, module: Any, frame: FrameType) -> int:
        """The index of a module that runs in `frame`, and of those around it."""
        index = self._modules.get(id(module))
        if index is None or self.modules[index - 1]() is not module:
            for outer in self.frames.modules(frame):
                known = self._modules.get(id(outer))
                if known is None or self.modules[known - 1]() is not outer:
                    self.modules.append(weakref.ref(outer))
                    self._modules[id(outer)] = len(self.modules)
            index = self._modules[id(module)]
        return index

    def append(
        self, index: int, inputs: tuple[int, ...], flags: int, outputs: tuple[int, ...], results: int, modes: int,
        before: int, after: int, frame: FrameType, writes: Any = (), entries: Any = (), forwarded: int = 0,
    ) -> None:  # fmt: skip
        """Write down a call that was made in `frame`; the rest as in :class:`RawCall`."""
        if self.exposures.shared:
            self.exposures.look((*inputs, *outputs), results)
        place, caller, module = self.frames.find(frame)
        self.calls.append(
            (index, inputs, flags, outputs, results, modes, place, caller,
             0 if module is None else self.module(module, frame), before, after, writes, entries, forwarded)
        )  # fmt: skip

    # -- what PyTorch does not report

    def note_call(
        self, name: str, inputs: list[Any], outputs: Any, before: int, frame: FrameType, own: tuple[int, ...] = (),
        entries: tuple[tuple[int, bool], ...] = (), written: Iterable[Any] = (),
    ) -> None:  # fmt: skip
        """Write down a call that PyTorch does not report, after it ran.

        Args:
            name: its name in the trace.
            inputs: the live tensors that went in.
            outputs: what came out, nested.
            before: the sequence number before it ran.
            frame: where it was made; frames of ours are passed over.
            own: numbers of tensors that went in and are not among `inputs`.
            entries: the exits whose values come back with it, as (call, certain).
            written: the live tensors that it wrote to, seen by their version counters.
        """
        with DisableTorchFunction():
            numbers, flags = self.identities.see_all(inputs)
            found, results = self.number(outputs, inputs, numbers, False)
            self.append(
                self.named(name), numbers + own, flags, found, results, self.modes(), before, _get_sequence_nr(),
                frame, tuple((self.identities.see(tensor), True, None) for tensor in written), entries, len(own),
            )  # fmt: skip

    def note_mode(self, name: str, on: bool, frame: FrameType, given: list[Any] | None = None) -> None:
        """Write down that a mode is entered or left; `given` are the tensors that it keeps."""
        self.note_call(f"{name} ({on})", given or [], (), _get_sequence_nr(), frame)

    def note_mode_inside(self, mode: Any, frame: FrameType) -> None:
        """Note that a mode runs inside of calls, where nobody is told of others; a library's only passes them on."""
        file = getattr(sys.modules.get(type(mode).__module__), "__file__", None)
        if file is None or self.frames.kind(file) == USER:
            self.unseen.note(INSIDE, frame)

    def note_exit(self, name: str, tensor: Any, frame: FrameType, elsewhere: bool = False) -> None:
        """Write down that a value leaves, and whether it goes where nobody looks."""
        self.note_call(name, [tensor], (), _get_sequence_nr(), frame)
        self.exits.chains[len(self.calls) - 1] = self.frames.chain(frame)
        if elsewhere:
            self.exits.elsewhere.add(len(self.calls) - 1)

    def note_arrays(self, frame: FrameType) -> None:
        """Write down that arrays are there already that lie in the memory of tensors: whoever has one may read it."""
        users = self.frames.users(frame)
        for array, tensor, names in arrays.shared_with(users) if users is not None else ():
            with DisableTorchFunction():
                if self.identities.storage_of(tensor.untyped_storage()) in self.exposures.shared:
                    continue
                self.note_call("numpy.ndarray", [tensor], (), _get_sequence_nr(), frame)
                self.exits.leave_before(len(self.calls) - 1, names, frame)
                self.identities.export(tensor, len(self.calls) - 1)
                self.exposures.hand_out(tensor, array)

    def note_address(self, name: str, numbers: tuple[int, ...], frame: FrameType) -> None:
        """Write down that code other than PyTorch's was told where tensors lie: it may read and write there unseen."""
        if self.frames.kind(frame.f_code.co_filename) == TORCH or not numbers:
            return
        now, call = _get_sequence_nr(), len(self.calls)
        self.append(self.named(name), numbers, 0, (), 0, self.modes(), now, now, frame)
        self.exits.chains[call] = self.frames.chain(frame)
        self.exits.addresses.add(call)

    def note_read(self, numbers: list[int], frame: FrameType) -> None:
        """Write down that the program's code read tensors inside of a call, of which nothing else is known."""
        if numbers:
            now = _get_sequence_nr()
            self.exits.elsewhere.add(len(self.calls))
            self.append(self.named("Tensor.read"), tuple(numbers), 0, (), 0, self.modes(), now, now, frame)

    def note_shared_writes(self, frame: FrameType) -> None:
        """Write down that what the last call has written others see too, by whose memory it lies in."""
        now = _get_sequence_nr()
        for number, *_ in self.calls[-1][_WRITES]:
            if self.exposures.read_by_others(self.identities.tensors[number][3]):
                self.exits.elsewhere.add(len(self.calls))
                self.append(
                    self.named("memory.write"),
                    (number,),
                    self.showing.said(number),
                    (),
                    0,
                    self.modes(),
                    now,
                    now,
                    frame,
                )

    def note_entry(self, name: str, tensor: Any, source: Any, before: int, frame: FrameType) -> None:
        """Write down that another library's memory came in as a tensor."""
        with DisableTorchFunction():
            entries = self.exits.adopt(tensor)
            self.exposures.take_in(tensor)
            self.exposures.come_from(tensor, source)
            if not entries and may_be_known(source) and self.identities.claim(tensor):
                number = self.identities.add(tensor)
                inputs, flags = self.showing.under(number)
                self.append(
                    self.named(name), inputs, flags, (number,), flag_of(tensor), self.modes(), before,
                    _get_sequence_nr(), frame,
                )  # fmt: skip
                return
        self.note_call(name, [], tensor, before, frame, (), entries)
        with DisableTorchFunction():
            self.exposures.begin(self.calls[-1][_OUTPUTS], len(self.calls) - 1)

    def _note_alias(self, number: int) -> None:
        """Write down that a tensor shows known memory, which was made where nobody was told."""
        inputs, flags = self.showing.under(number)
        if inputs:
            said = self.identities.tensors[number][2]
            name = "Tensor.view" if said == REQUIRES_GRAD else "Tensor.alias"
            now = _get_sequence_nr()
            self.append(self.named(name), inputs, flags, (number,), said, self.modes(), now, now, sys._getframe(1))

    def note_moved(
        self, tensor: Any, former: int, inputs: tuple[int, ...], flags: int, modes: int, frame: FrameType
    ) -> tuple[int, ...]:
        """Write down that the call that is written down next has given a tensor other memory, to write to it there.

        Args:
            tensor: it, as nearly each write to a sparse one does.
            former: its number before.
            inputs: what goes into the call.
            flags: of those.
            modes: of the call.
            frame: where it was made.

        Returns:
            What goes into the call, the tensor by its new number.
        """
        number = self.identities.renew(tensor)
        flag = flags >> 2 * inputs.index(former) & 3 if former in inputs else self.showing.said(former)
        now = _get_sequence_nr()
        self.append(self.named(EXCHANGE), (former,), flag, (number,), flag, modes, now, now, frame)
        return tuple(number if one == former else one for one in inputs)

    def note_bytes(self, storage: Any, result: Any, frame: FrameType, outputs: tuple[int, ...] = ()) -> None:
        """Note that bytes of a storage were taken out; not of a file's, as those that weights are loaded from.

        Args:
            storage: it.
            result: what they are now: a number, a storage that shows a part, a tensor.
            frame: where that was done.
            outputs: the numbers of the tensors that they are now.
        """
        if isinstance(storage, torch.TypedStorage):
            storage = storage._untyped_storage
        others = set(self.exposures.known_in(self.identities.storage_of(storage))).difference(outputs)
        if others or not self.files.have(storage):
            self.unseen.note(BYTES, frame)
        elif isinstance(result, torch.UntypedStorage):
            self.files.add(result)

    def note_storage_write(self, name: str, storage: Any, start: int, stop: int, old: Any, frame: FrameType) -> None:
        """Write down that bytes of a storage itself were written, which were `old`; None where that is not kept."""
        with DisableTorchFunction():
            number = self._bytes_of(storage, start, stop)
            if old is not None:
                self.keeping.images.keep(len(self.calls), self.identities, [(storage, start, old)])
            now = _get_sequence_nr()
            self.append(self.named(name), (), 0, (), 0, self.modes(), now, now, frame, ((number, False, None),))

    def _bytes_of(self, storage: Any, start: int = 0, stop: int | None = None) -> int:
        """A number for these bytes of a storage, as a tensor that shows them has one."""
        alias = bytes_of(storage, start, storage.nbytes() if stop is None else stop)
        number = self.identities.add(alias)
        self.identities.drop(alias)
        return number

    def note_exchange(self, name: str, tensor: Any, old: int, inputs: list[Any], frame: FrameType) -> None:
        """Write down that the memory of a tensor was exchanged for another, which was the one of the number `old`."""
        with DisableTorchFunction():
            flag = flag_of(tensor)
            self.identities.drop(tensor)
        self.note_call(name, inputs, tensor, _get_sequence_nr(), frame)
        call = RawCall._make(self.calls[-1])
        self.identities.formers[call.outputs[0]] = old
        # It was given a tensor, or a bare storage: then what others show of that.
        taken, flags = (call.inputs, call.flags) if inputs else self.showing.under(call.outputs[0])
        if not taken and tensor.untyped_storage().nbytes():  # whoever lies there and comes later was there before
            taken, flags = (self._bytes_of(tensor.untyped_storage()),), 0
        self.calls[-1] = tuple(call._replace(inputs=(old, *taken), flags=flags << 2 | flag))
