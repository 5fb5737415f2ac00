"""What is known of the source of a file, kept together for as long as the file is what it was."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

_Found = TypeVar("_Found")
_MOST_FILES = 512
_files: dict[str, tuple[list[str], dict[object, Any]]] = {}


def of_file(function: Callable[[str], _Found]) -> Callable[[str], _Found]:
    """Have what is known of a file kept together, and forgotten together: its parts refer to nodes of one tree."""

    @wraps(function)
    def look(file: str) -> _Found:
        lines = linecache.getlines(file)
        known = _files.get(file)
        if known is None or (known[0] is not lines and (known[0] or lines)):  # one that cannot be read has none
            known = _files[file] = (lines, {})
        if function not in known[1]:
            known[1][function] = function(file)
        found: _Found = known[1][function]
        return found

    return look


def forget_oldest() -> None:
    """Forget what was looked at first, where there is much: between two readings, for one knows nodes by identity."""
    while len(_files) > _MOST_FILES:
        del _files[next(iter(_files))]


@of_file
def parse(file: str) -> ast.Module | None:
    """A file's source; None where it cannot be read."""
    source = "".join(linecache.getlines(file))
    if not source:
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None


@of_file
def words_of(file: str) -> frozenset[str]:
    """What stands in a file, word by word: most need not be parsed to see that they do not name a thing."""
    return frozenset(re.findall(r"\w+", "".join(linecache.getlines(file))))
