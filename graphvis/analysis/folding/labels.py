"""Which module each unit belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graphvis.analysis.folding.whole import Whole

UNKNOWN = None


def label(whole: Whole, order: Sequence[int]) -> list[str]:
    """The dotted module path of each unit; empty outside of every module.

    A recording says it for functions, and a parameter's name for leaves. Without a recording a function that takes a
    parameter lies in its module, and the others where their neighbours do.

    Args:
        whole: the units.
        order: the units in forward order.
    """
    labels = [""] * len(whole.units)
    owners = _owners(whole)
    if whole.traced:
        for node, module in whole.modules.items():
            labels[whole.units[node]] = module
        prefix = _prefix(whole, owners, labels)
        for leaf, owner in owners.items():
            labels[leaf] = owner.removeprefix(prefix)
        return labels
    for leaf, owner in owners.items():
        labels[leaf] = owner
    _infer(whole, order, owners, labels)
    return labels


def _owners(whole: Whole) -> dict[int, str]:
    """The module that each named parameter belongs to, by its name."""
    found = {}
    for node, info in whole.tensors.items():
        if info.name and "." in info.name and whole.units[node] == node and (info.is_leaf or info.is_parameter):
            found[node] = info.name.rpartition(".")[0]
    return found


def _prefix(whole: Whole, owners: dict[int, str], labels: Sequence[str]) -> str:
    """What parameters' names have in front of recorded modules' paths, as ``model.`` where a local names them."""
    votes: Counter[str] = Counter()
    for unit, inputs in enumerate(whole.inputs):
        for one in inputs:
            if one in owners and labels[unit]:
                owner, module = owners[one], labels[unit]
                if owner == module:
                    votes[""] += 1
                elif owner.endswith("." + module):
                    votes[owner[: -len(module)]] += 1
    return votes.most_common(1)[0][0] if votes else ""


def _infer(whole: Whole, order: Sequence[int], owners: dict[int, str], labels: list[str]) -> None:
    """Functions from their leaves, and the others from their neighbours."""
    known = set()
    for unit in order:
        if whole.kinds[unit] != "function":
            continue
        taken = [owners[one] for one in whole.inputs[unit] if one in owners]
        if taken:
            labels[unit] = taken[0]
            known.add(unit)
    behind: dict[int, str] = {}
    for unit in reversed(order):
        if unit in known:
            behind[unit] = labels[unit]
        if (path := behind.get(unit)) is not None:
            for one in whole.inputs[unit]:
                if one >= 0 and whole.kinds[one] == "function":
                    behind.setdefault(one, path)
    for unit in order:
        if unit in known or whole.kinds[unit] != "function":
            continue
        before = next((labels[one] for one in reversed(whole.inputs[unit]) if one >= 0 and labels[one]), "")
        after = behind.get(unit)
        labels[unit] = before.rpartition(".")[0] if after is None else _common(before, after)


def _common(one: str, other: str) -> str:
    """The innermost module that holds both."""
    parts = []
    for here, there in zip(one.split("."), other.split("."), strict=False):
        if here != there:
            break
        parts.append(here)
    return ".".join(parts)
