"""Storages that show a file, as those from which saved weights are loaded: no tensor's values are in their bytes."""

from __future__ import annotations

import weakref
from typing import Any


class Files:
    """The storages that were seen to be opened on a file, and the parts that were taken of these."""

    def __init__(self) -> None:
        self._storages: dict[int, weakref.ref[Any]] = {}

    def add(self, storage: Any) -> None:
        """Note that one shows a file."""
        self._storages[id(storage)] = weakref.ref(storage)

    def have(self, storage: Any) -> bool:
        """Whether one does."""
        known = self._storages.get(id(storage))
        return known is not None and known() is storage
