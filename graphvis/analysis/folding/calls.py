"""Modules that are called several times side by side, as a discriminator on what is real and on what is not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from graphvis.analysis.folding.whole import Whole
from graphvis.analysis.folding.words import is_silent

_FEWEST_FUNCTIONS = 3


def number_calls(whole: Whole, order: Sequence[int], labels: list[str]) -> None:
    """Give each call of such a module one of its own, ``call 1``, ``call 2``, ..., inside it; parameters stay outside.

    One box for all calls would tie together what has nothing to do with each other.

    Args:
        whole: the units.
        order: the units in forward order.
        labels: the module of each unit; changed in place.
    """
    shared = _shared(whole, labels)
    if not shared:
        return
    members: dict[str, list[int]] = {}
    prefixes = {path for leaf in shared for path in _around(labels[leaf])}
    near: dict[str, list[str]] = {}  # many units have one label
    for unit in order:
        if whole.kinds[unit] == "function":
            label = labels[unit]
            if label not in near:
                near[label] = [path for path in _around(label) if path in prefixes]
            for path in near[label]:
                members.setdefault(path, []).append(unit)
    split: set[str] = set()
    for leaf, users in shared.items():
        for path in _around(labels[leaf]):
            if path in split:
                break
            calls = _calls(whole, members.get(path, ()), users)
            if len(calls) > 1:
                split.add(path)
                _name(path, calls, labels)
                break


def _shared(whole: Whole, labels: Sequence[str]) -> dict[int, list[int]]:
    """Parameters that several functions of their own module take."""
    leaves = {unit for unit, kind in enumerate(whole.kinds) if kind == "leaf" and labels[unit]}
    users: dict[int, list[int]] = {}
    for unit, inputs in enumerate(whole.inputs):
        for one in inputs:
            if one in leaves and whole.kinds[unit] == "function":
                users.setdefault(one, []).append(unit)
    return {
        leaf: found
        for leaf, found in users.items()
        if len(found) > 1 and all(f"{labels[unit]}.".startswith(f"{labels[leaf]}.") for unit in found)
    }


def _around(path: str) -> Iterator[str]:
    """The modules around and including one, the outermost first."""
    parts = path.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1)) if path else iter(())


def _calls(whole: Whole, units: Collection[int], users: Collection[int]) -> list[list[int]]:
    """The functions of a module in groups that no value passes between, where each of `users` is in another group."""
    inside = set(units)
    group = {unit: unit for unit in units}

    def find(unit: int) -> int:
        while group[unit] != unit:
            group[unit] = group[group[unit]]
            unit = group[unit]
        return unit

    for unit in units:
        for one in whole.inputs[unit]:
            if one in inside:
                group[find(one)] = find(unit)
    if len({find(unit) for unit in users if unit in inside}) < len(users):
        return []
    found: dict[int, list[int]] = {}
    for unit in units:
        found.setdefault(find(unit), []).append(unit)
    calls = [found[find(user)] for user in users]
    telling = (sum(not is_silent((whole.names[unit],)) for unit in call) for call in calls)
    return sorted(calls, key=lambda call: _begun(whole, call)) if min(telling) >= _FEWEST_FUNCTIONS else []


def _begun(whole: Whole, call: Sequence[int]) -> int:
    return min((whole.calls[unit] for unit in call if unit in whole.calls), default=-call[0])


def _name(path: str, calls: Sequence[Sequence[int]], labels: list[str]) -> None:
    for number, call in enumerate(calls, start=1):
        for unit in call:
            labels[unit] = f"{path}.call {number}{labels[unit][len(path) :]}"
