"""From the raw columns of a recording to a Trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from graphvis.live.recorder.frames import locate
from graphvis.live.recorder.identity import LEAF, REQUIRES_GRAD
from graphvis.model import Call, Location, Trace, TracedTensor, Write

if TYPE_CHECKING:
    from graphvis.live.recorder.recording import Recording

# These hand out leaves that require grad, whatever the grad mode.
_MAKE_LEAVES = frozenset({"nn.Parameter", "Tensor.requires_grad_", "Tensor.__deepcopy__", "Tensor.grad"})


def freeze(recording: Recording) -> Trace:
    """What `recording` wrote down until now, as data."""
    locations, places = _locations(recording)
    modules, paths = _modules(recording)
    hollow = _hollow_views(recording)
    tensors = tuple(_tensor(recording, number, hollow) for number in range(len(recording.identities.shapes)))
    calls = tuple(_call(recording, raw, tensors, places, paths, hollow) for raw in recording.calls)
    return Trace(
        torch=str(torch.__version__),
        calls=calls,
        tensors=tensors,
        locations=locations,
        modules=modules,
        notes=tuple(recording.notes),
    )


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
) -> Call:
    index, inputs, flags, outputs, results, modes, place, caller, module, before, after, writes, _ = raw
    return Call(
        function=recording.functions[index].name,
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
        writes=tuple(
            Write(
                tensor=number,
                storage=tensors[number].storage,
                start=tensors[number].start,
                stop=tensors[number].stop,
                counted=counted,
            )
            for number, counted in writes
        ),
    )


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
        leaf=flags == REQUIRES_GRAD | LEAF and number not in hollow,
    )


def _locations(recording: Recording) -> tuple[tuple[Location, ...], list[int]]:
    known: dict[Location, int] = {}
    numbers = []
    for place in recording.frames.places:
        numbers.append(known.setdefault(locate(place), len(known)))
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
