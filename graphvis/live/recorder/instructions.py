"""Code objects, and the lines that their instructions stand in."""

from __future__ import annotations

from functools import lru_cache
from types import CodeType

Place = tuple[CodeType, int]
"""An instruction: its code object, and its offset there in bytes."""


class Same:
    """A code object by its identity: its own hash goes over its constants and instructions each time."""

    __slots__ = ("code",)

    def __init__(self, code: CodeType) -> None:
        self.code = code

    def __hash__(self) -> int:
        return id(self.code)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.code is self.code


def line_of(place: Place) -> int:
    """The line of an instruction; the first of its function where it has none."""
    code, offset = place
    lines, index = _lines(Same(code)), offset // 2
    line = lines[index] if 0 <= index < len(lines) else None
    return code.co_firstlineno if line is None else line


@lru_cache(maxsize=1024)
def _lines(same: Same) -> list[int | None]:
    return [line for line, *_ in same.code.co_positions()]
