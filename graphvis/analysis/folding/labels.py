"""Which module each unit belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from graphvis.analysis.folding.whole import NEUTRAL, Whole


def label(whole: Whole, order: Sequence[int]) -> list[str]:
    """The dotted module path of each unit; empty outside of every module.

    A recording says it for functions, and a parameter's name for leaves. Without a recording a function that takes a
    parameter lies in its module, and the others where their neighbours do. A constant lies where it is used.

    Args:
        whole: the units.
        order: the units in forward order.
    """
    labels = [""] * len(whole.units)
    owners = _owners(whole)
    if whole.traced:
        for node, module in whole.modules.items():
            labels[whole.units[node]] = module
        prefixes = _prefixes(whole, owners, labels)
        if len(prefixes) > 1:
            _prepend(whole, order, owners, labels, prefixes)
        for leaf, owner in owners.items():
            labels[leaf] = owner.removeprefix(next(iter(prefixes))) if len(prefixes) == 1 else owner
    else:
        for leaf, owner in owners.items():
            labels[leaf] = owner
        _infer(whole, order, owners, labels)
    _draw_constants(whole, order, labels)
    return labels


def _owners(whole: Whole) -> dict[int, str]:
    """The module that each named parameter belongs to, by its name."""
    found = {}
    for node, info in whole.tensors.items():
        if info.name and "." in info.name and whole.units[node] == node and (info.is_leaf or info.is_parameter):
            found[node] = info.name.rpartition(".")[0]
    return found


def _prefixes(whole: Whole, owners: Mapping[int, str], labels: Sequence[str]) -> list[str]:
    """What parameters' names have in front of recorded modules' paths, as ``model.`` where a local names them."""
    votes: Counter[str] = Counter()
    for unit, inputs in enumerate(whole.inputs):
        module = labels[unit]
        for one in inputs:
            owner = owners.get(one)
            if owner is None or not module:
                continue
            if owner == module:
                votes[""] += 1
            elif owner.endswith("." + module):
                votes[owner[: -len(module)]] += 1
    if not votes:
        return []
    # Parameters that another module uses (tied weights) vote for nonsense now and then, and seldom.
    most = votes.most_common(1)[0][1]
    return [prefix for prefix, count in votes.items() if count * _RARE >= most]


_RARE = 20


def _prepend(
    whole: Whole, order: Sequence[int], owners: Mapping[int, str], labels: list[str], prefixes: Sequence[str]
) -> None:
    """Tell the modules of several models apart, which a recording calls by paths of their own."""
    found: dict[int, str] = {}
    for unit in order:
        module = labels[unit]
        if not module or whole.kinds[unit] != "function":
            continue
        inputs = whole.inputs[unit]
        own = (owners[one] for one in inputs if one in owners)
        own_prefix = next(
            (o[: -len(module)] for o in own if o.endswith(module) and o[: -len(module)] in prefixes), None
        )
        if own_prefix is None:
            own_prefix = next((found[one] for one in inputs if one in found), None)
        if own_prefix is not None:
            found[unit] = own_prefix
    for unit, prefix in found.items():
        labels[unit] = prefix + labels[unit]


def _infer(whole: Whole, order: Sequence[int], owners: Mapping[int, str], labels: list[str]) -> None:
    """Functions from their leaves, and the others from their neighbours."""
    known = set()
    for unit in order:
        if whole.kinds[unit] == "function":
            taken = next((owners[one] for one in whole.inputs[unit] if one in owners), None)
            if taken is not None:
                labels[unit] = taken
                known.add(unit)
    _follow_weights(whole, order, known, labels)
    behind = _labels_behind(whole, order, known, labels)
    before: dict[int, str] = {}
    for unit in order:
        if whole.kinds[unit] != "function":
            continue
        if unit not in known:
            came = [before[one] for one in whole.inputs[unit] if one in before]
            if came:
                labels[unit] = _between(came, behind.get(unit))
                before[unit] = came[-1]
        else:
            before[unit] = labels[unit]


def _labels_behind(whole: Whole, order: Sequence[int], known: set[int], labels: Sequence[str]) -> dict[int, str]:
    """For each function the module of the nearest one behind it of which that is known."""
    behind: dict[int, str] = {}
    for unit in reversed(order):
        if unit in known:
            behind[unit] = labels[unit]
        path = behind.get(unit)
        if path is not None:
            for one in whole.inputs[unit]:
                if one >= 0 and whole.kinds[one] == "function":
                    behind.setdefault(one, path)
    return behind


def _follow_weights(whole: Whole, order: Sequence[int], known: set[int], labels: list[str]) -> None:
    """What takes nothing but one module's reshaped parameters and a value is that module's: ``addmm`` behind ``t``."""
    pure: dict[int, str] = {}
    for unit in order:
        inputs = [one for one in whole.inputs[unit] if one >= 0]
        if unit in known:
            if all(whole.kinds[one] != "function" for one in inputs):
                pure[unit] = labels[unit]
        elif whole.kinds[unit] == "function":
            taken = [pure[one] for one in inputs if one in pure]
            if taken:
                labels[unit] = taken[0]
                known.add(unit)


def _between(came: Sequence[str], after: str | None) -> str:
    """The module of a function that lies behind functions of some modules and in front of one of another."""
    last = came[-1]
    block = _block(last)
    if after is not None and _is_within(shared := _common(last, after), block):
        return shared
    for one in came:
        last = _common(last, one)
    return last if len(came) > 1 and _is_within(last, block) else came[-1].rpartition(".")[0]


def _block(path: str) -> str:
    """The outermost numbered module that holds it; empty where there is none."""
    parts = path.split(".")
    place = next((place for place, part in enumerate(parts) if part.isdigit()), -1)
    return ".".join(parts[: place + 1])


def _is_within(path: str, block: str) -> bool:
    return not block or path == block or path.startswith(block + ".")


def _common(one: str, other: str) -> str:
    """The innermost module that holds both."""
    parts = []
    for here, there in zip(one.split("."), other.split("."), strict=False):
        if here != there:
            break
        parts.append(here)
    return ".".join(parts)


def _draw_constants(whole: Whole, order: Sequence[int], labels: list[str]) -> None:
    """A constant that one module uses goes there, lest it stand alone for something that nobody asked for."""
    used: dict[int, set[str]] = {}
    for unit in reversed(order):
        if whole.classes[unit] == NEUTRAL and whole.kinds[unit] == "function" and len(used.get(unit, ())) == 1:
            labels[unit] = next(iter(used[unit]))
        for one in whole.inputs[unit]:
            if one >= 0 and whole.classes[one] == NEUTRAL:
                used.setdefault(one, set()).add(labels[unit])
