"""Which values that left PyTorch came back, and with which calls: known, or told by the source of the program."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING

from graphvis.live.recorder.following import COMPREHENSIONS, Program, Returns, expression_at, values_in
from graphvis.live.recorder.frames import USER
from graphvis.live.recorder.raw import RawCall
from graphvis.model import Entry

if TYPE_CHECKING:
    from graphvis.live.recorder.tape import Tape

_MOST_EXITS = 64  # of one line, looked at for each line that its value may come back at


def entries(tape: Tape, raws: list[RawCall], *, following: bool) -> tuple[dict[int, tuple[Entry, ...]], set[int]]:
    """The values that came back with each call, and the calls by which values left to who knows where.

    Args:
        tape: the recording.
        raws: its calls, all or the first of them.
        following: whether to look into the source of the program for those that are not known to be the same objects;
            else nothing is said of where these went.
    """
    adopted = tape.identities.adopted
    found: dict[int, dict[int, bool]] = {}
    for call, raw in enumerate(raws):
        for left, certain in raw.entries:
            found.setdefault(call, {})[left] = certain
        if adopted:
            for number in raw.inputs:
                if number in adopted:
                    found.setdefault(call, {})[adopted[number]] = True
    chains: dict[tuple[int, ...], list[int]] = {}
    for call, chain in tape.exits.chains.items():
        if chain and following and call < len(raws):
            chains.setdefault(chain, []).append(call)
    untold = _infer(tape, raws, chains, found) if chains else set()
    return {
        call: tuple(Entry(exit=left, certain=certain) for left, certain in sorted(lefts.items()))
        for call, lefts in found.items()
    }, untold | tape.exits.elsewhere


def _infer(
    tape: Tape, raws: list[RawCall], chains: dict[tuple[int, ...], list[int]], found: dict[int, dict[int, bool]]
) -> set[int]:
    """Add what the source tells of the values that left by each chain of frames; those that it does not tell all of."""
    untold: set[int] = set()
    first_seen = _first_seen(raws)
    places = tape.frames.places
    made: dict[int, list[int]] = {}
    for call, raw in enumerate(raws):
        if (raw.outputs or raw.writes) and raw.place >= 0:
            made.setdefault(raw.place, []).append(call)
    expressions = [expression_at(*places[place]) for place in made]
    traced = {id(node) for node in expressions if node is not None and not isinstance(node, COMPREHENSIONS)}
    lefts = list(chains.values())
    addresses = sum(1 << value for value, exits in enumerate(lefts) if exits[0] in tape.exits.addresses)
    program = program_of(tape, [places[place][0] for place in made])
    variables = [sorted(tape.exits.variables.get(chain, ())) for chain in chains]
    returns = Returns(program, [[places[place] for place in chain] for chain in chains], traced, addresses, variables)
    latest: list[tuple[int, int]] = []
    for place, calls in made.items():
        held, maybe = returns.reach(places[place])
        latest.append((calls[-1], maybe))
        for value in values_in(held):
            for call in calls:
                certain = bool(returns.constructed >> value & 1) and call in first_seen
                for left in lefts[value][-_MOST_EXITS:]:
                    if left < call:
                        found.setdefault(call, {}).setdefault(left, certain)
    told = returns.untold
    for call, maybe in sorted(latest, reverse=True):
        for value in values_in(maybe & ~told):
            untold.update(left for left in lefts[value] if left < call)
        told |= maybe
    for value in values_in(returns.untold):
        untold.update(lefts[value])
    return untold


def program_of(tape: Tape, computing: list[CodeType]) -> Program:
    """The source of a recorded program, of which `computing` made calls."""
    files = {code.co_filename for code, _ in tape.frames.places}
    return Program(files, lambda file: tape.frames.kind(file) == USER, computing)


def _first_seen(raws: list[RawCall]) -> set[int]:
    """The calls that take a tensor which no call made."""
    known: set[int] = set()
    found = set()
    for call, raw in enumerate(raws):
        if not known.issuperset(raw.inputs):
            found.add(call)
            known.update(raw.inputs)
        known.update(raw.outputs)
    return found
