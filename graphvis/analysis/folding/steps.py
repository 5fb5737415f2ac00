"""Loops: stretches in which the same functions come again and again, in the same order, in the same modules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from operator import eq, sub

import msgspec

from graphvis.analysis.folding.whole import Whole

_FEWEST_ROUNDS = 4
_FEWEST_FUNCTIONS = 32
_PERIODS_TRIED = 6
_TIMES_IN_A_ROUND = 4
"""How often one function in one module may come in a round for the round to be found by it."""
_FEWEST_CUTS = 3
_ROUNDS_SEEN = 64
"""Rounds from which it is read where one begins: among so many some are cut off from the one before."""


class _Stretch(msgspec.Struct, frozen=True):
    start: int
    period: int
    rounds: int


def number_steps(whole: Whole, order: Sequence[int], labels: list[str]) -> None:
    """Give each round of a loop a module of its own, ``step 0``, ``step 1``, ..., inside the module that loops.

    Args:
        whole: the units.
        order: the units in forward order.
        labels: the module of each unit; changed in place.
    """
    functions = _in_time(whole, [unit for unit in order if whole.kinds[unit] == "function"])
    faces: dict[tuple[str, str], int] = {}
    tokens = [faces.setdefault((whole.names[unit], labels[unit]), len(faces)) for unit in functions]
    # What comes but now and then is no part of a round, wherever it stands between.
    often = {token for token, count in Counter(tokens).items() if count >= _FEWEST_ROUNDS}
    functions = [unit for unit, token in zip(functions, tokens, strict=True) if token in often]
    tokens = [token for token in tokens if token in often]
    if len(tokens) < _FEWEST_FUNCTIONS or len(often) * 2 > len(tokens):
        return
    counts: Counter[str] = Counter()
    found: dict[int, str] = {}
    steps: dict[int, str] = {}
    loops: list[list[str]] = []
    for stretch in _stretches(tokens):
        start = stretch.start + _phase(whole, functions, stretch)
        first = functions[start : start + stretch.period]
        common = _shared([labels[unit] for unit in first])
        rounds = (stretch.start + stretch.period * stretch.rounds - start) // stretch.period
        loops.append([f"{common}.step {counts[common] + step}".lstrip(".") for step in range(rounds)])
        counts[common] += rounds
        for step, name in enumerate(loops[-1]):
            for unit in functions[start + step * stretch.period : start + (step + 1) * stretch.period]:
                rest = labels[unit][len(common) :].lstrip(".")
                found[unit] = f"{name}.{rest}" if rest else name
                steps[unit] = name
    _take_along(whole, labels, steps, found)
    _chain(whole, loops, steps, found)
    for unit, path in found.items():
        labels[unit] = path


def _chain(whole: Whole, loops: Sequence[Sequence[str]], steps: Mapping[int, str], found: dict[int, str]) -> None:
    """Steps from one cut to the next are one module, ``steps 10–19``, and repeat where the cuts do.

    Without a recording a cut shows as a step that takes less than others do from those before.
    """
    taken = _taken(whole, steps)
    chunks: dict[str, str] = {}
    for paths in loops:
        usual, often = Counter(taken[path] for path in paths[1:]).most_common(1)[0]
        starts = [place for place, path in enumerate(paths) if place and taken[path] != usual]
        if len(starts) < _FEWEST_CUTS or often < len(starts):
            continue
        outer, _, number = paths[0].rpartition("step ")
        for first, after in pairwise([0, *starts, len(paths)]):
            if after - first == 1:
                continue  # a step by itself is called what it is
            name = f"{outer}steps {int(number) + first}–{int(number) + after - 1}."
            chunks.update((path, f"{name}{path[len(outer) :]}") for path in paths[first:after])
    for unit, path in found.items():
        step = steps.get(unit, path)  # a parameter that came along has no other path
        if step in chunks:
            found[unit] = chunks[step] + path[len(step) :]


def _taken(whole: Whole, steps: Mapping[int, str]) -> dict[str, tuple[tuple[int, int, bool], ...]]:
    """For each step what it takes from others: the places of both ends in their steps, and whether it is cut."""
    places: dict[int, int] = {}
    sizes: Counter[str] = Counter()
    for unit, path in steps.items():
        places[unit] = sizes[path]
        sizes[path] += 1
    cut = set(whole.cuts)
    taken: dict[str, set[tuple[int, int, bool]]] = {path: set() for path in sizes}
    for unit, path in steps.items():
        for one in whole.inputs[unit]:
            if steps.get(one, path) != path:
                taken[path].add((places[unit], places[one], (one, unit) in cut))
    return {path: tuple(sorted(ends)) for path, ends in taken.items()}


def _in_time(whole: Whole, functions: list[int]) -> list[int]:
    """Functions in the order in which they ran, or in one in which they may have."""
    if all(unit in whole.calls for unit in functions):
        return sorted(functions, key=whole.calls.__getitem__)  # functions of one call keep their order
    # Depth first, inputs in order: what one round needs comes before the next, where several are outputs too.
    waiting, inputs, found = bytearray(len(whole.units)), whole.inputs, list[int]()
    for unit in functions:
        waiting[unit] = 1
    for end in reversed(functions):
        stack = [end]
        while stack:
            unit = stack.pop()
            if unit < 0:  # all that it needs is there
                found.append(~unit)
            elif waiting[unit]:
                waiting[unit] = 0
                stack.append(~unit)
                stack += [one for one in reversed(inputs[unit]) if one >= 0 and waiting[one]]
    return found


def _stretches(tokens: Sequence[int]) -> list[_Stretch]:
    """Stretches of at least four rounds, the longest first, that have nothing in common."""
    found: list[_Stretch] = []
    for period in _periods(tokens):
        same = bytes(map(eq, tokens, tokens[period:]))
        for match in re.finditer(rb"\x01+", same):
            rounds = (match.end() - match.start()) // period + 1
            if rounds < _FEWEST_ROUNDS or rounds * period < _FEWEST_FUNCTIONS:
                continue
            if len(set(tokens[match.start() : match.start() + period])) > 1:  # else it is one function over and over
                found.append(_Stretch(match.start(), period, rounds))
    found.sort(key=lambda one: (-one.period * one.rounds, one.period, one.start))
    taken = bytearray(len(tokens))
    kept = []
    for one in found:
        end = one.start + one.period * one.rounds
        if not any(taken[one.start : end]):
            taken[one.start : end] = b"\x01" * (end - one.start)
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def _periods(tokens: Sequence[int]) -> list[int]:
    """Candidates: the distances at which what is seldom comes again, then those at which most does.

    What comes several times in a round is as far from itself as the round is long only some times further on.
    """
    places: dict[int, list[int]] = {}
    for place, token in enumerate(tokens):
        places.setdefault(token, []).append(place)
    often = [found for found in places.values() if len(found) >= _FEWEST_ROUNDS]
    votes: Counter[int] = Counter()
    further: Counter[int] = Counter()
    for found in often:
        votes.update(map(sub, found[1:], found))
        for times in range(2, _TIMES_IN_A_ROUND + 1):
            further.update(map(sub, found[times:], found))
    seldom = [period for period, _ in sorted(votes.items(), key=lambda v: (-v[1] * v[0], v[0]))[:_PERIODS_TRIED]]
    most = [period for period, _ in sorted((votes + further).items(), key=lambda v: (-v[1], v[0]))[:_PERIODS_TRIED]]
    return list(dict.fromkeys([*seldom, *most]))


def _phase(whole: Whole, functions: Sequence[int], stretch: _Stretch) -> int:
    """Where in the stretch a round begins: where the fewest values pass from one round to the next."""
    period = stretch.period
    places = {unit: place for place, unit in enumerate(functions[stretch.start :][: _ROUNDS_SEEN * period])}
    crossing = [0] * period
    for unit, place in places.items():
        if place < period:
            continue
        for one in whole.inputs[unit]:
            came = places.get(one)
            if came is not None and place - came < period:
                for boundary in range(came + 1, place + 1):
                    crossing[boundary % period] += 1
    return crossing.index(min(crossing))


def _shared(paths: Iterable[str]) -> str:
    """The innermost module that holds all."""
    split = [path.split(".") if path else [] for path in set(paths)]
    parts = []
    for level in zip(*split, strict=False):
        if len(set(level)) > 1:
            break
        parts.append(level[0])
    return ".".join(parts)


def _take_along(whole: Whole, labels: Sequence[str], steps: dict[int, str], found: dict[int, str]) -> None:
    """Parameters that one round alone uses and that lie in no other module belong to it."""
    users: dict[int, str | None] = {}
    for unit, inputs in enumerate(whole.inputs):
        for one in inputs:
            if one >= 0 and whole.kinds[one] == "leaf":
                step = steps.get(unit)
                users[one] = step if users.get(one, step) == step else None
    found.update(
        (leaf, path)
        for leaf, path in users.items()
        if path is not None and path.rpartition("step ")[0].rstrip(".") == labels[leaf]
    )
