"""What was imported by name before anything was recorded: to replace it where it comes from does not reach that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_OURS = ("torch", "graphvis")
# By module how many names it had when it was looked through, and which were of what was looked for.
_looked: dict[tuple[str, int], tuple[int, list[str]]] = {}


def imported(value: Any) -> Iterator[tuple[ModuleType, str]]:
    """The modules that have a value, and the names that they have for it; not PyTorch's own and ours.

    A module is looked through again when it has come to have more names, or fewer.
    """
    for word, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or word.partition(".")[0] in _OURS:
            continue
        names = vars(module)
        known = _looked.get((word, id(value)))
        if known is None or known[0] != len(names):
            known = _looked[word, id(value)] = len(names), [name for name, one in list(names.items()) if one is value]
        for name in known[1]:
            if names.get(name) is value:
                yield module, name
