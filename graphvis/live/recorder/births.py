"""Whether a tensor came into being while a recording is on, which nothing that can be asked of it tells.

Python's collector does: what there is when a recording begins is made to leave the collector's youngest generation, so
that all that is met in it from then on is younger than the recording. Before anything leaves it again, the collector
tells us.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

import torch

_KINDS = frozenset({torch.Tensor, torch.nn.Parameter})
_MOST_OBJECTS = 50_000  # in the youngest generation, where the program has the collector seldom run or never


class Births:
    """Tells which of the plain tensors that are alive came into being since it was last started."""

    def __init__(self) -> None:
        # The id of one is never that of one that there was before and still is: they were alive together.
        self._born: set[int] = set()
        self._looked: list[object] = []  # stands in the youngest generation where it was looked through until
        self._listener: Any = None

    def start(self) -> None:
        """From here on; nothing is known where the program has turned the collector off."""
        if not gc.isenabled():
            return
        gc.collect(0)
        self._born, self._looked = set(), []
        mine = weakref.ref(self)

        def collects(phase: str, _: dict[str, Any]) -> None:
            if phase == "start" and (births := mine()) is not None:
                births._look()

        self._listener = collects
        gc.callbacks.append(collects)

    def stop(self) -> None:
        """Until here."""
        if self._listener in gc.callbacks:
            gc.callbacks.remove(self._listener)
        self._listener = None

    def saw(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor came into being since it was started; False where that is not known."""
        if self._listener is None or type(tensor) not in _KINDS:
            return False
        if id(tensor) not in self._born and gc.get_count()[0] < _MOST_OBJECTS:
            self._look()
        return id(tensor) in self._born

    def _look(self) -> None:
        """Note the tensors that are new in the youngest generation, whose newest stand last."""
        young = gc.get_objects(0)
        for one in reversed(young):
            if one is self._looked:
                break
            if type(one) in _KINDS:
                self._born.add(id(one))
        self._looked = []
