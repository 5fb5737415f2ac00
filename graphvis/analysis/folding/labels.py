"""Which module each unit belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from graphvis.analysis.folding.whole import NEUTRAL, NONE, Whole
from graphvis.analysis.folding.words import is_silent


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
    owned = {leaf: next((p for p in prefixes if p and f"{owner}.".startswith(p)), "") for leaf, owner in owners.items()}
    _enclose(whole, order, found, {leaf: prefix for leaf, prefix in owned.items() if prefix})
    for unit, prefix in found.items():
        labels[unit] = (prefix + labels[unit]).removesuffix(".")


def _enclose(whole: Whole, order: Sequence[int], found: dict[int, str], before: dict[int, str]) -> None:
    """A model's own functions, which a recording gives no path, lie between functions of modules inside it.

    `found` has for each function of which that is known what its model's path begins with, and gains more; `before`
    has the same for parameters, and is changed.
    """
    behind = _labels_behind(whole, order, found)
    for unit in order:
        prefix = found.get(unit)
        if prefix is None and whole.kinds[unit] == "function":
            near = {before[one] for one in whole.inputs[unit] if one in before}
            after = behind.get(unit)
            prefix = after if after in near else min(near, default=None)
            if after is not None and after in near:
                found[unit] = after
        if prefix is not None:
            before[unit] = prefix


def _infer(whole: Whole, order: Sequence[int], owners: Mapping[int, str], labels: list[str]) -> None:
    """Functions from their leaves, and the others from their neighbours."""
    known: dict[int, str] = {}
    functions = [unit for unit in order if whole.kinds[unit] == "function"]
    for unit in functions:
        for one in whole.inputs[unit]:
            if one in owners:
                known[unit] = owners[one]
                break
    _reshape(whole, functions, known)
    behind = _labels_behind(whole, functions, known)
    ranks = {unit: rank for rank, unit in enumerate(functions)}
    before: dict[int, str] = {}
    consumers = whole.consumers
    for unit in functions:
        path = known.get(unit)
        if path is None:
            came = [one for one in whole.inputs[unit] if one in before]
            if not came:
                continue
            latest = max(came, key=ranks.__getitem__) if len(came) > 1 else came[0]
            into = known.get(consumers[unit], "") if len(came) > 1 else ""
            others = tuple([before[one] for one in came if one != latest]) if len(came) > 1 else ()
            path = _between(before[latest], others, behind.get(unit, ""), into)
            if latest not in known and not path.startswith(labels[latest]) and labels[latest].startswith(path):
                path = labels[latest]  # whatever follows the end of a block is its end too
            before[unit] = before[latest]
        else:
            before[unit] = path
        labels[unit] = path


def _reshape(whole: Whole, functions: Sequence[int], known: dict[int, str]) -> None:
    """A layer's own reshaping is its own: ``addmm`` behind the ``t`` of its weight, ``view`` before and behind."""
    silent = {name for name in {whole.names[unit] for unit in functions} if is_silent((name,))}
    moves = {unit for unit in functions if whole.names[unit] in silent}
    for unit in functions:
        if unit not in known:
            for one in whole.inputs[unit]:
                if one in moves and one in known:
                    known[unit] = known[one]
                    break
    consumers = whole.consumers
    found = {}
    for unit in moves:
        if unit not in known:
            inputs = whole.inputs[unit]
            near = (consumers[unit], inputs[0] if len(inputs) == 1 else NONE)
            path = next((known[one] for one in near if one in known), None)
            if path is not None:
                found[unit] = path
    known.update(found)


def _labels_behind(whole: Whole, functions: Sequence[int], known: Mapping[int, str]) -> dict[int, str]:
    """For each function the module of the nearest one behind it of which that is known."""
    behind: dict[int, str] = {}
    for unit in reversed(functions):
        path = known.get(unit) or behind.get(unit)
        if path is not None:
            for one in whole.inputs[unit]:
                behind[one] = path
    return behind


@lru_cache(maxsize=1 << 14)
def _between(latest: str, others: tuple[str, ...], after: str, into: str) -> str:
    """The module of a function that lies behind functions of some modules and in front of one of another.

    Args:
        latest: the module of the function right before it.
        others: the modules of what else comes in.
        after: the module of the nearest one behind it; empty where there is none.
        into: the module of the only one that takes what it brings together; empty where it does not.
    """
    near = [one for one in (*others, after) if one and one != latest]
    if not near:
        return latest.rpartition(".")[0] if after else ""
    shared = max((_common(latest, one) for one in near), key=len)
    if shared and into.startswith(shared + ".") and (first := into[len(shared) + 1 :].partition("."))[2]:
        return f"{shared}.{first[0]}"  # a block begins by bringing together what it takes
    if shared == latest:
        return shared
    block = _block_within(latest, shared)
    return block if block != latest else latest.rpartition(".")[0]


@lru_cache(maxsize=1 << 14)
def _block_within(path: str, outer: str) -> str:
    """The outermost numbered module inside `outer` on the way to `path`; `outer` itself where there is none."""
    parts = path.split(".")
    start = len(outer.split(".")) if outer else 0
    place = next((place for place in range(start, len(parts)) if parts[place].isdigit()), start - 1)
    return ".".join(parts[: place + 1])


@lru_cache(maxsize=1 << 14)
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
    if not any(whole.classes[unit] == NEUTRAL for unit in order):
        return
    for unit in reversed(order):
        if whole.classes[unit] == NEUTRAL and whole.kinds[unit] == "function" and len(used.get(unit, ())) == 1:
            labels[unit] = next(iter(used[unit]))
        for one in whole.inputs[unit]:
            if one >= 0 and whole.classes[one] == NEUTRAL:
                used.setdefault(one, set()).add(labels[unit])
