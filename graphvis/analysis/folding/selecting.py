"""What somebody asked to see, by pattern or by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

import msgspec

from graphvis.analysis.folding.tree import ROOT, Modules
from graphvis.analysis.folding.whole import Whole
from graphvis.errors import SelectionError

_NAMED_IN_ERRORS = 6


class Selection(msgspec.Struct, frozen=True):
    """What is to be seen.

    Attributes:
        modules: those that are to be open.
        units: what the focus is on.
    """

    modules: frozenset[int] = frozenset()
    units: frozenset[int] = frozenset()


def select(whole: Whole, modules: Modules, expand: Collection[str], focus: str | None) -> Selection:
    """The modules that fit the patterns, and what is called `focus`: a module, a tensor or a function.

    A path fits where its end does: ``h.3`` is ``transformer.h.3``.

    Raises:
        SelectionError: if nothing fits.
    """
    wanted: set[int] = set()
    for pattern in expand:
        found = [module for module in range(1, len(modules.paths)) if _fits(modules.paths[module], pattern)]
        if not found:
            raise SelectionError(f"no module is called {pattern!r}", _advice(modules))
        wanted.update(found)
    if focus is None:
        return Selection(frozenset(wanted))
    inside = [module for module in range(1, len(modules.paths)) if _fits(modules.paths[module], focus)]
    outermost = [module for module in inside if modules.parents[module] not in inside]
    if outermost:
        wanted.update(outermost)
        return Selection(frozenset(wanted), frozenset(unit for one in outermost for unit in modules.units(one)))
    called = [
        *((node, name) for node, name in enumerate(whole.names) if name),
        *((node, name) for node, info in whole.tensors.items() for name in (info.name, *info.aliases) if name),
    ]
    units = {whole.units[node] for node, name in called if name == focus}
    units = units or {whole.units[node] for node, name in called if _fits(name, focus)}
    if not units:
        raise SelectionError(f"no module, tensor or function is called {focus!r}", _advice(modules))
    wanted.update(modules.homes[unit] for unit in units)
    return Selection(frozenset(wanted - {ROOT}), frozenset(units))


def keep(whole: Whole, units: Iterable[int]) -> set[int]:
    """These units, what they come from, what comes of them, and what else that needs at once."""
    chosen = set(units)
    onward: list[list[int]] = [[] for _ in whole.units]
    for unit, inputs in enumerate(whole.inputs):
        for one in inputs:
            if one >= 0:
                onward[one].append(unit)
    found = set(chosen)
    for ends in (onward, whole.inputs):
        seen = set(chosen)
        stack = list(chosen)
        while stack:
            for one in ends[stack.pop()]:
                if one >= 0 and one not in seen:
                    seen.add(one)
                    stack.append(one)
        found |= seen
    for unit in chosen:
        for consumer in onward[unit]:
            found.update(one for one in whole.inputs[consumer] if one >= 0)
    return found


def _fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) or fnmatchcase(path, "*." + pattern)


def _advice(modules: Modules) -> str:
    top = [modules.paths[child] for child in modules.children[ROOT]]
    if not top:
        return "The graph knows no modules: record the run, or name its parameters."
    told = ", ".join(top[:_NAMED_IN_ERRORS])
    return f"Its modules are {told}{', ...' if len(top) > _NAMED_IN_ERRORS else ''}; * stands for any part."
