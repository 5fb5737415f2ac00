"""Where in the source something happened."""

from __future__ import annotations

from pathlib import PurePath

import msgspec


class Location(msgspec.Struct, frozen=True):
    """A line of source.

    Attributes:
        file: absolute path, or a name in angle brackets such as ``<stdin>``.
        line: counted from 1; 0 where it is not known.
        function: qualified name of the enclosing function; ``<module>`` at the top level.
        text: the line without its indentation; empty where the source cannot be read.
    """

    file: str
    line: int
    function: str = ""
    text: str = ""

    @property
    def short(self) -> str:
        """``train.py:42``: its file without folders, and the line."""
        return f"{PurePath(self.file).name}:{self.line}"
