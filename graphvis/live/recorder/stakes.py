"""Which memory a backward may still need as it is, and which writes to it no version counter will tell of.

A program that writes past a version counter does it nearly always when no backward needs the memory: an optimizer
after ``backward()``, a moving average, the first values of a weight. So a call is looked at only when such a write
comes, and once: what it may have saved lies in the memory that it took or made.
"""

from __future__ import annotations

from typing import Any

from graphvis.live.recorder.arguments import LEAF, REQUIRES_GRAD
from graphvis.live.recorder.functions import Function
from graphvis.live.recorder.identity import Identities
from graphvis.live.recorder.raw import RawCall

ALIASING = frozenset({"Tensor.data", "Tensor.data.__set__", "Tensor.set_"})
"""What gives a tensor memory of another and a version counter of its own; views share that counter."""
_IN_A_FORWARD = 4  # of RawCall.modes
_WRITES = RawCall._fields.index("writes")


class Stakes:
    """What is at stake until the next backward.

    Attributes:
        aliasing: whether a call of :data:`ALIASING` has been made.
        evaluated: whether a normalisation has read its running statistics, which its training updates uncounted.
    """

    def __init__(self, identities: Identities, calls: list[tuple[Any, ...]], functions: list[Function]) -> None:
        """Begin; all three are those of the recording, and grow."""
        self._identities, self._calls, self._functions = identities, calls, functions
        self.aliasing = self.evaluated = False
        self._aliases: set[int] = set()
        self._storages: set[int] = set()
        self._looked = 0  # so many calls were looked at
        self._since = 0  # the first call after the last backward

    def release(self) -> None:
        """Note that a backward has freed what it needed."""
        self._storages.clear()
        self._since = len(self._calls)

    def may_lose(self, function: Function) -> bool:
        """Whether a call may write past a version counter, as far as its function tells."""
        return function.writes in ("all", "statistics") or self.aliasing or bool(self._identities.windows)

    def loses(self, function: Function, tensor: Any) -> bool:
        """Whether a call that writes to a tensor writes past a version counter what a backward may need."""
        if function.writes == "statistics":
            return self.evaluated and self.needs(tensor)
        if not self.needs(tensor):
            return False
        number = self._identities.see(tensor)
        storage = self._identities.tensors[number][3]
        return function.writes == "all" or number in self._aliases or storage in self._identities.windows

    def needs(self, tensor: Any) -> bool:
        """Whether a backward may need the memory that a tensor lies in."""
        self._look()
        place = self._identities.memory(tensor) if self._storages else None
        return place is not None and place[0] in self._storages

    def needs_storage(self, storage: Any) -> bool:
        """Whether a backward may need what lies in a storage."""
        self._look()
        number = self._identities.storage_of(storage)
        return self._identities.windows.get(number, (number, 0))[0] in self._storages

    def _memory(self, number: int) -> int:
        storage = self._identities.tensors[number][3]
        windows = self._identities.windows
        return windows[storage][0] if storage in windows else int(storage)

    def _look(self) -> None:
        """Look at the calls that have come since it was last done."""
        first = self._looked if self.aliasing else max(self._looked, self._since)
        for index in range(first, len(self._calls)):
            function, inputs, _, outputs, results, modes = self._calls[index][:6]
            if index >= self._since and (modes & _IN_A_FORWARD or _has_history(results)):
                needed = (*inputs, *outputs)
                if self._functions[function].writes == "statistics":  # what it updates itself it does not save
                    updated = {number for number, *_ in self._calls[index][_WRITES]}
                    needed = tuple(number for number in needed if number not in updated)
                self._storages.update(map(self._memory, needed))
            if self.aliasing:
                aliasing = self._functions[function].name in ALIASING
                if aliasing and inputs and self._memory(inputs[0]) in self._storages:  # whatever it lies in now
                    self._storages.update(map(self._memory, outputs))
                self._follow(aliasing, inputs, outputs)
        self._looked = len(self._calls)
        self._storages.discard(-1)

    def _follow(self, aliasing: bool, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        """Note which of what came out of a call has, or shares, a version counter beside that of the memory's owner."""
        tensors = self._identities.tensors
        known = () if aliasing else {tensors[number][3] for number in inputs if number in self._aliases}
        if aliasing or known:
            self._aliases.update(
                number for number in outputs if number not in inputs and (aliasing or tensors[number][3] in known)
            )


def _has_history(results: int) -> bool:
    """Whether something came out of a call that backward leads through; `results` as in ``RawCall``."""
    while results:
        if results & (REQUIRES_GRAD | LEAF) == REQUIRES_GRAD:
            return True
        results >>= 2
    return False
