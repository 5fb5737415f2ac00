"""What a backward starts from, looked up in the recording: enough to tell whether one like it was seen before."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import torch

from graphvis.live.recorder import Recording


class Origins(NamedTuple):
    """Where the values come from that a backward starts from.

    Two executions of a line with equal origins cut the same parameters at the same lines.

    Attributes:
        made: the lines that made the values themselves.
        calls: the lines, with their functions and modules, of all calls that led to them.
        parameters: the parameters among them, by their numbers in the recording.
    """

    made: frozenset[tuple[int, ...]]
    calls: frozenset[tuple[int, ...]]
    parameters: frozenset[int]


def trace_origins(recording: Recording, roots: Iterable[Any], parameters: Collection[int]) -> Origins:
    """Follow values back, through cuts as well, by the tensors that calls took and gave.

    What is written into memory is not followed: a layer's running statistics would lead to all rounds before.

    Args:
        recording: the recording that runs, paused.
        roots: what the backward starts from.
        parameters: numbers of the parameters; nothing is followed beyond them, for an optimizer's step makes them of
            what the round before gave.
    """
    numbers = {recording.number(root) for root in roots if isinstance(root, torch.Tensor)}
    first = numbers - {None}
    wanted: set[Any] = first - set(parameters)
    met: set[Any] = set(first)
    made: set[tuple[int, ...]] = set()
    lines: set[tuple[int, ...]] = set()
    exits: set[int] = set()
    calls = recording.tape.calls
    for index in range(len(calls) - 1, -1, -1):
        call = calls[index]
        inputs, outputs = call[1], call[3]
        if wanted.isdisjoint(outputs) and index not in exits:
            continue
        line = (call[0], call[6], call[7], call[8])
        lines.add(line)
        if not first.isdisjoint(outputs):
            made.add(line)
        met.update(inputs)
        wanted.update(number for number in inputs if number not in parameters)
        exits.update(way_out for way_out, _ in call[12])
    return Origins(frozenset(made), frozenset(lines), frozenset(met.intersection(parameters)))
