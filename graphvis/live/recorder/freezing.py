"""From the raw columns of a recording to a Trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from graphvis.live.recorder.arguments import LEAF, REQUIRES_GRAD
from graphvis.live.recorder.frames import locate
from graphvis.live.recorder.returns import Returns, expression_at, operand_of
from graphvis.live.recorder.writing import Part
from graphvis.model import Call, Entry, Location, Trace, TracedTensor, Write

if TYPE_CHECKING:
    from graphvis.live.recorder.recording import Recording

_MOST_EXITS = 64  # of one line, looked at for each line that its value may come back at
# These hand out leaves that require grad, whatever the grad mode.
_MAKE_LEAVES = frozenset({"nn.Parameter", "Tensor.requires_grad_", "Tensor.__deepcopy__", "Tensor.grad"})


def freeze(recording: Recording) -> Trace:
    """What `recording` wrote down until now, as data."""
    locations, places = _locations(recording)
    modules, paths = _modules(recording)
    hollow = _hollow_views(recording)
    _name_what_is_cut(recording)
    tensors = tuple(_tensor(recording, number, hollow) for number in range(len(recording.identities.shapes)))
    entries = _entries(recording)
    calls = tuple(
        _call(recording, raw, tensors, places, paths, hollow, entries.get(i, ()))
        for i, raw in enumerate(recording.calls)
    )
    return Trace(
        torch=str(torch.__version__),
        calls=calls,
        tensors=tensors,
        locations=locations or (Location("<unknown>", 0),),
        modules=modules,
        notes=tuple(recording.notes),
        unseen=recording.unseen,
    )


def _entries(recording: Recording) -> dict[int, tuple[Entry, ...]]:
    """The values that came back with each call: those that are known, and those that the source tells of."""
    found: dict[int, dict[int, bool]] = {}
    for call, raw in enumerate(recording.calls):
        for left, certain in raw[12]:
            found.setdefault(call, {})[left] = certain
    chains: dict[tuple[int, ...], list[int]] = {}
    for call, chain in recording.exits.items():
        if chain:
            chains.setdefault(chain, []).append(call)
    if chains:
        _infer(recording, chains, found)
    return {
        call: tuple(Entry(exit=left, certain=certain) for left, certain in sorted(lefts.items()))
        for call, lefts in found.items()
    }


def _infer(recording: Recording, chains: dict[tuple[int, ...], list[int]], found: dict[int, dict[int, bool]]) -> None:
    """Add what the source tells of the values that left by each chain of frames."""
    first_seen = _first_seen(recording)
    places = recording.frames.places
    made: dict[int, list[int]] = {}
    for call, raw in enumerate(recording.calls):
        if (raw[3] or raw[11]) and raw[6] >= 0:
            made.setdefault(raw[6], []).append(call)
    traced = {id(node) for place in made if (node := expression_at(*places[place])) is not None}
    for chain, exits in chains.items():
        returns = Returns([places[place] for place in chain], traced)
        for place, calls in made.items():
            if not returns.reach(places[place]):
                continue
            for call in calls:
                certain = returns.constructed and call in first_seen
                for left in exits[-_MOST_EXITS:]:
                    if left < call:
                        found.setdefault(call, {}).setdefault(left, certain)


def _first_seen(recording: Recording) -> set[int]:
    """The calls that take a tensor which no call made."""
    known: set[int] = set()
    found = set()
    for call, raw in enumerate(recording.calls):
        if not known.issuperset(raw[1]):
            found.add(call)
            known.update(raw[1])
        known.update(raw[3])
    return found


def _name_what_is_cut(recording: Recording) -> None:
    """Give tensors at which a gradient may stop the name that the source calls them: ``h`` in ``h.detach()``."""
    for raw in recording.calls:
        inputs, flags, results, place = raw[1], raw[2], raw[4], raw[6]
        if not inputs or place < 0 or inputs[0] in recording.names:
            continue
        if flags & REQUIRES_GRAD and not (raw[3] and results & REQUIRES_GRAD):
            node = expression_at(*recording.frames.places[place])
            name = None if node is None else operand_of(node)
            if name is not None:
                recording.names[inputs[0]] = name


def _hollow_views(recording: Recording) -> set[int]:
    """Views made under ``no_grad`` of what requires grad: they say that they do, and lead nowhere."""
    hollow = set()
    for index, inputs, _, outputs, results, modes, *_ in recording.calls:
        if not modes & 1 and inputs and recording.functions[index].name not in _MAKE_LEAVES:
            for i, number in enumerate(outputs):
                if results >> 2 * i & 3 == REQUIRES_GRAD | LEAF and number not in inputs:
                    hollow.add(number)
    return hollow


def _call(
    recording: Recording,
    raw: tuple[Any, ...],
    tensors: tuple[TracedTensor, ...],
    places: list[int],
    paths: list[int],
    hollow: set[int],
    entries: tuple[Entry, ...],
) -> Call:
    index, inputs, flags, outputs, results, modes, place, caller, module, before, after, writes, _, forwarded = raw
    function = recording.functions[index]
    return Call(
        function=function.name,
        inputs=inputs,
        outputs=outputs,
        connected=_connected(flags, inputs, hollow),
        results=_connected(results, outputs, hollow),
        grad_mode=bool(modes & 1),
        inference=bool(modes & 2),
        inner=bool(modes & 4),
        location=places[place] if place >= 0 else 0,
        caller=places[caller] if caller >= 0 else None,
        module=paths[module],
        sequence=(before, after),
        writes=tuple(_write(recording, tensors, function.special == "item", *raw_write) for raw_write in writes),
        entries=entries,
        forwarded=forwarded if function.special != "join" else 0,
        dim=forwarded if function.special == "join" else 0,
    )


def _write(
    recording: Recording,
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
            shape=tensor.shape if tensor.strides else (),
            strides=tensor.strides,
            whole=not partly,
        )
    first, shape, strides = part
    itemsize = recording.identities.dtypes[number].itemsize
    # The tensor's own first element lies at tensor.start, in whatever memory it is a window.
    start = tensor.start + (first - recording.identities.offsets[number]) * itemsize
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


def _connected(flags: int, numbers: tuple[int, ...], hollow: set[int]) -> tuple[bool, ...]:
    # Tensors beyond the flags are results of a Function's forward: no edge leads to them before apply.
    return tuple(
        bool(said & REQUIRES_GRAD) and not (said & LEAF and number in hollow)
        for i, number in enumerate(numbers)
        for said in (flags >> 2 * i & 3,)
    )


def _tensor(recording: Recording, number: int, hollow: set[int]) -> TracedTensor:
    identities = recording.identities
    shape, dtype = tuple(identities.shapes[number]), identities.dtypes[number]
    storage: int | None = identities.storages[number]
    start = identities.offsets[number] * dtype.itemsize
    strides = identities.strides[number]
    steps = () if strides is None else tuple(stride * dtype.itemsize for stride in strides)
    if strides is None:
        count = 1
        for size in shape:
            count *= size
        stop = start + count * dtype.itemsize
    elif 0 in shape:
        stop = start
    else:
        last = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        stop = start + (1 + last) * dtype.itemsize
    if storage in identities.windows:
        storage, shift = identities.windows[storage]
        start, stop = start + shift, stop + shift
    flags = identities.flags[number]
    return TracedTensor(
        name=recording.names.get(number),
        shape=shape,
        dtype=str(dtype).removeprefix("torch."),
        storage=None if storage is not None and storage < 0 else storage,
        start=start,
        stop=stop,
        strides=() if not steps or _is_dense(shape, steps, dtype.itemsize) else steps,
        former=identities.formers.get(number),
        leaf=flags == REQUIRES_GRAD | LEAF and number not in hollow,
    )


def _locations(recording: Recording) -> tuple[tuple[Location, ...], list[int]]:
    known: dict[Location, int] = {}
    numbers = [known.setdefault(locate(place), len(known)) for place in recording.frames.places]
    return tuple(known), numbers


def _modules(recording: Recording) -> tuple[tuple[str, ...], list[int]]:
    """Dotted paths of the modules that were seen, from the outermost ones on."""
    alive = [(i, module) for i, reference in enumerate(recording.modules, 1) if (module := reference()) is not None]
    inside = {id(child) for _, module in alive for child in module.modules() if child is not module}
    found: dict[int, str] = {}
    for _, module in alive:
        if id(module) not in inside:
            for name, child in module.named_modules():
                found.setdefault(id(child), name)
    paths: dict[str, int] = {"": 0}
    numbers = [0] * (len(recording.modules) + 1)
    for i, module in alive:
        name = recording.module_names.get(id(module), found.get(id(module), ""))
        numbers[i] = paths.setdefault(name, len(paths))
    return tuple(paths), numbers
