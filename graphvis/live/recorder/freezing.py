"""From the raw columns of a recording to a Trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from graphvis.live.recorder.arguments import LEAF, REQUIRES_GRAD
from graphvis.live.recorder.entries import entries, program_of
from graphvis.live.recorder.following import constructed_in, expression_at, forget_oldest, operand_of
from graphvis.live.recorder.frames import locate
from graphvis.live.recorder.functions import Function
from graphvis.live.recorder.opaque import memories
from graphvis.live.recorder.raw import EXCHANGE, Part, RawCall, RawTensor
from graphvis.model import Call, Entry, Location, Trace, TracedTensor, Write

if TYPE_CHECKING:
    from graphvis.live.recorder.tape import Tape

# These hand out leaves that require grad, whatever the grad mode.
_MAKE_LEAVES = frozenset({"nn.Parameter", "Tensor.requires_grad_", "Tensor.__deepcopy__", "Tensor.grad", EXCHANGE})


def freeze(tape: Tape, *, following: bool) -> Trace:
    """What a recording wrote down until now, as data; `following` as :func:`entries` has it."""
    forget_oldest()
    raws = [RawCall._make(raw) for raw in tape.calls]
    locations, places = _locations(tape)
    modules, paths = _modules(tape)
    hollow = _hollow_views(tape, raws)
    _name_what_is_cut(tape, raws)
    unmade = _unmade(tape)
    opaque = memories(tape, raws)
    tensors = tuple(
        _tensor(tape, number, hollow, unmade, opaque.get(number)) for number in range(len(tape.identities.tensors))
    )
    returned, untold = entries(tape, raws, following=following)
    calls = tuple(
        _call(tape, raw, tensors, places, paths, hollow, returned.get(i, ()), i in untold) for i, raw in enumerate(raws)
    )
    return Trace(
        torch=str(torch.__version__),
        calls=calls,
        tensors=tensors,
        locations=locations or (Location("<unknown>", 0),),
        modules=modules,
        notes=tape.unseen.sentences(),
        changes=tape.exposures.changes(),
        unseen=bool(tape.unseen),
    )


def follow(tape: Tape, trace: Trace) -> Trace:
    """A trace that was frozen without it, with what the source tells of the values that had left PyTorch by then."""
    raws = [RawCall._make(raw) for raw in tape.calls[: len(trace.calls)]]
    returned, untold = entries(tape, raws, following=True)
    calls = [
        msgspec.structs.replace(call, entries=returned.get(i, ()), untold=i in untold)
        if i in returned or i in untold
        else call
        for i, call in enumerate(trace.calls)
    ]
    return msgspec.structs.replace(trace, calls=tuple(calls))


def _unmade(tape: Tape) -> set[int]:
    """The tensors that nobody saw being made, but for those that the program may have made of numbers."""
    unmade, tensors = tape.identities.unmade, tape.identities.tensors
    made = constructed_in(program_of(tape, []).files) if unmade else ()
    return {number for number in unmade if RawTensor._make(tensors[number]).dtype not in made}


def _name_what_is_cut(tape: Tape, raws: list[RawCall]) -> None:
    """Give tensors at which a gradient may stop the name that the source calls them: ``h`` in ``h.detach()``."""
    for raw in raws:
        inputs, place = raw.inputs, raw.place
        if not inputs or place < 0 or inputs[0] in tape.names:
            continue
        if raw.flags & REQUIRES_GRAD and not (raw.outputs and raw.results & REQUIRES_GRAD):
            code, offset = tape.frames.places[place]
            node = expression_at(code, offset)
            name = None if node is None else operand_of(node, code.co_filename)
            if name is not None:
                tape.names[inputs[0]] = name


def _hollow_views(tape: Tape, raws: list[RawCall]) -> set[int]:
    """Views made under ``no_grad`` of what requires grad: they say that they do, and lead nowhere."""
    hollow = set()
    for raw in raws:
        if not raw.modes & 1 and raw.inputs and tape.functions[raw.function].name not in _MAKE_LEAVES:
            for i, number in enumerate(raw.outputs):
                if raw.results >> 2 * i & 3 == REQUIRES_GRAD | LEAF and number not in raw.inputs:
                    hollow.add(number)
    return hollow


def _call(
    tape: Tape,
    raw: RawCall,
    tensors: tuple[TracedTensor, ...],
    places: list[int],
    paths: list[int],
    hollow: set[int],
    entries: tuple[Entry, ...],
    untold: bool,
) -> Call:
    function = tape.functions[raw.function]
    joins = function.special == "join"
    return Call(
        function=function.name,
        inputs=raw.inputs,
        outputs=raw.outputs,
        connected=_connected(raw.flags, raw.inputs, hollow),
        results=_connected(raw.results, raw.outputs, hollow),
        grad_mode=bool(raw.modes & 1),
        inference=bool(raw.modes & 2),
        inner=bool(raw.modes & 4),
        location=places[raw.place] if raw.place >= 0 else 0,
        caller=places[raw.caller] if raw.caller >= 0 and raw.caller != raw.place else None,
        module=paths[raw.module],
        sequence=(raw.before, raw.after),
        writes=tuple(_write(tape, tensors, function.special == "item", *write) for write in raw.writes),
        entries=entries,
        untold=untold,
        forwarded=0 if joins else raw.forwarded,
        dim=raw.forwarded if joins else 0,
        aligned=_aligned(function, len(raw.inputs)),
    )


def _aligned(function: Function, count: int) -> int:
    """How many of its first inputs a call reads place by place."""
    if function.name == "torch.where" and count < 2:
        return 0  # of a condition alone it tells where that is true
    return {"all": count, "first": min(count, 1), "": 0}[function.aligned]


def _write(
    tape: Tape,
    tensors: tuple[TracedTensor, ...],
    partly: bool,
    number: int,
    counted: bool,
    part: Part | None,
) -> Write:
    tensor = tensors[number]
    if part is None:
        return Write(
            tensor=number,
            storage=tensor.storage,
            start=tensor.start,
            stop=tensor.stop,
            counted=counted,
            shape=(tensor.values or tensor.shape) if tensor.strides else (),
            strides=tensor.strides,
            whole=not partly,
        )
    first, shape, strides = part
    seen = RawTensor._make(tape.identities.tensors[number])
    itemsize = seen.dtype.itemsize
    # The tensor's own first element lies at tensor.start, in whatever memory it is a window.
    start = tensor.start + (first - seen.offset) * itemsize
    steps = tuple(stride * itemsize for stride in strides)
    last = sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
    gaps = not _is_dense(shape, steps, itemsize)
    return Write(
        tensor=number,
        storage=tensor.storage,
        start=start,
        stop=start if 0 in shape else start + last + itemsize,
        counted=counted,
        shape=shape if gaps else (),
        strides=steps if gaps else (),
    )


def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> bool:
    """Whether a region has no gaps."""
    length = itemsize
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size != 1:
            if stride != length:
                return False
            length = stride * size
    return True


def _is_contiguous(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> bool:
    length = itemsize
    for stride, size in zip(reversed(strides), reversed(shape), strict=False):  # none are known of a nested tensor
        if size != 1:
            if stride != length:
                return False
            length = stride * size
    return True


def _connected(flags: int, numbers: tuple[int, ...], hollow: set[int]) -> tuple[bool, ...]:
    # Tensors beyond the flags are results of a Function's forward: no edge leads to them before apply.
    return tuple(
        bool(said & REQUIRES_GRAD) and not (said & LEAF and number in hollow)
        for i, number in enumerate(numbers)
        for said in (flags >> 2 * i & 3,)
    )


def _tensor(tape: Tape, number: int, hollow: set[int], unmade: set[int], opaque: int | None) -> TracedTensor:
    identities = tape.identities
    seen = RawTensor._make(identities.tensors[number])
    shape = _sizes(seen.shape)
    known = identities.layouts.get(number)
    dtype, strides = seen.dtype, None if -1 in shape else seen.strides
    storage: int | None = seen.storage
    start = seen.offset * dtype.itemsize
    steps = () if strides is None else tuple(stride * dtype.itemsize for stride in strides)
    if strides is None:
        count = 1
        for size in shape:
            count *= size
        stop = start + abs(count) * dtype.itemsize
    elif 0 in shape:
        stop = start
    else:
        last = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        stop = start + (1 + last) * dtype.itemsize
    if storage in identities.windows:
        storage, shift = identities.windows[storage]
        start, stop = start + shift, stop + shift
    return TracedTensor(
        name=tape.names.get(number),
        shape=shape if known is None else _sizes(known[0]),
        dtype=str(dtype).removeprefix("torch."),
        storage=opaque if storage is not None and storage < 0 else storage,
        start=start,
        stop=stop,
        strides=() if 0 in shape or _is_contiguous(shape, steps, dtype.itemsize) else steps,
        former=identities.formers.get(number),
        leaf=seen.flags == REQUIRES_GRAD | LEAF and number not in hollow,
        layout="strided" if known is None else str(known[1]).removeprefix("torch."),
        values=() if known is None or seen.storage < 0 else shape,
        wrapped=identities.is_wrapper(number),
        indices=identities.patterns.get(number, ()),
        unmade=number in unmade,
    )


def _sizes(shape: Sequence[Any]) -> tuple[int, ...]:
    """The sizes of a tensor; a ragged dimension of a nested one is no number."""
    return tuple(size if type(size) is int else -1 for size in shape)


def _locations(tape: Tape) -> tuple[tuple[Location, ...], list[int]]:
    known: dict[Location, int] = {}
    numbers = [known.setdefault(locate(place), len(known)) for place in tape.frames.places]
    return tuple(known), numbers


def _modules(tape: Tape) -> tuple[tuple[str, ...], list[int]]:
    """Dotted paths of the modules that were seen, from the outermost ones on."""
    alive = [(i, module) for i, reference in enumerate(tape.modules, 1) if (module := reference()) is not None]
    inside = {id(child) for _, module in alive for child in module.modules() if child is not module}
    found: dict[int, str] = {}
    for _, module in alive:
        if id(module) not in inside:
            for name, child in module.named_modules():
                found.setdefault(id(child), name)
    paths: dict[str, int] = {"": 0}
    numbers = [0] * (len(tape.modules) + 1)
    for i, module in alive:
        name = tape.module_names.get(id(module), found.get(id(module), ""))
        numbers[i] = paths.setdefault(name, len(paths))
    return tuple(paths), numbers
