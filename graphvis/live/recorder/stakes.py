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
APART = frozenset(
    {"torch.kron", "Tensor.kron", *(f"torch.sparse_{kind}_tensor" for kind in "coo csr csc bsr bsc compressed".split())}
)
"""What saves its arguments reshaped, or makes a sparse tensor of them: aliases with version counters of their own."""
_MOST_APART = 1024  # memories that are kept in mind, be they dead
_IN_A_FORWARD = 4  # of RawCall.modes
_OUTPUTS, _RESULTS, _MODES, _WRITES = map(RawCall._fields.index, ("outputs", "results", "modes", "writes"))
_MOST_OPEN = 5_000  # calls that no backward has come to that are followed, the latest


class Stakes:
    """What is at stake until the next backward.

    Attributes:
        aliasing: whether a call of :data:`ALIASING` or of :data:`APART` has been made.
        evaluated: whether a normalisation has read its running statistics, which its training updates uncounted.
    """

    def __init__(self, identities: Identities, calls: list[tuple[Any, ...]], functions: list[Function]) -> None:
        """Begin; all three are those of the recording, and grow."""
        self._identities, self._calls, self._functions = identities, calls, functions
        self.aliasing = self.evaluated = False
        self._aliases: set[int] = set()
        self._storages: set[int] = set()
        self._apart: set[int] = set()  # memory that aliases with counters of their own lie in
        self._looked = 0  # so many calls were looked at
        self._since = 0  # the first call after the last backward
        # Backwards that were not looked at: before which call, from where, how far.
        self._freed: list[tuple[int, frozenset[int], frozenset[int]]] = []
        self._begin = 0  # the first call after the last backward that was looked at
        self._open: list[int] = []  # calls before the last backward that none has come to, the latest first

    def release(self, roots: frozenset[int], ends: frozenset[int]) -> None:
        """Note that a backward has freed what it needed.

        Args:
            roots: the numbers of the tensors that it started from.
            ends: of those whose gradients were asked for, behind which it did not go; empty for all leaves.
        """
        self._storages.clear()
        self._since = len(self._calls)
        self._freed.append((self._since, roots, ends))

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
        return (
            function.writes == "all"
            or number in self._aliases
            or storage in self._identities.windows
            or self._memory(number) in self._apart
        )

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
        if self._freed:
            self._leave_open()
            self._storages.update(self._still_needed())
        first = self._looked if self.aliasing else max(self._looked, self._since)
        for index in range(first, len(self._calls)):
            function, inputs, _, outputs, results, modes = self._calls[index][:6]
            if index >= self._since and (modes & _IN_A_FORWARD or _has_history(results)):
                self._storages.update(self._needed_by(index))
            if self.aliasing:
                if self._functions[function].name in APART:
                    self._apart.update(map(self._memory, inputs))
                aliasing = self._functions[function].name in ALIASING
                if aliasing and inputs and self._memory(inputs[0]) in self._storages:  # whatever it lies in now
                    self._storages.update(map(self._memory, outputs))
                self._follow(aliasing, inputs, outputs)
        self._looked = len(self._calls)
        self._storages.discard(-1)
        if len(self._apart) > _MOST_APART:
            self._apart &= self._identities.living()

    def _needed_by(self, index: int) -> set[int]:
        """The memory of what a call may have saved."""
        call = RawCall._make(self._calls[index])
        # What a normalisation updates itself it does not save.
        updates = self._functions[call.function].writes == "statistics"
        updated = {number for number, *_ in call.writes} if updates else ()
        return {self._memory(number) for number in (*call.inputs, *call.outputs) if number not in updated}

    def _leave_open(self) -> None:
        """Find the calls that no backward has come to: a graph of theirs may live on, and need what it needs."""
        for end, roots, ends in self._freed:
            came = set(roots)
            left: list[int] = []
            apply = False
            for index in (*range(end - 1, self._begin - 1, -1), *self._open):
                call = self._calls[index]
                outputs, modes, writes = call[_OUTPUTS], call[_MODES], call[_WRITES]
                if modes & _IN_A_FORWARD:  # of the Function whose apply comes next
                    reached, history = apply, True
                else:
                    history = _has_history(call[_RESULTS])
                    reached = history and not came.isdisjoint(outputs)
                    if writes and history and not reached:  # perhaps to a view of what it came to
                        memories = set(map(self._memory, came))
                        reached = any(self._memory(number) in memories for number, *_ in writes)
                    apply = reached
                if reached:
                    came.update(number for number in _connected(call) if number not in ends)
                elif history:
                    left.append(index)
            self._begin, self._open = end, left[:_MOST_OPEN]
        self._freed.clear()

    def _still_needed(self) -> set[int]:
        """What the graphs need that no backward has come to, as far as somebody holds what they gave."""
        alive = self._identities.living()
        held: set[int] = set()
        found: set[int] = set()
        kept: list[int] = []
        apply = False
        for index in self._open:  # whatever goes on from a call's results comes before it
            call = self._calls[index]
            if not call[_MODES] & _IN_A_FORWARD:
                results = call[_RESULTS]
                apply = any(
                    number in held or (results >> 2 * place & REQUIRES_GRAD and self._memory(number) in alive)
                    for place, number in enumerate(call[_OUTPUTS])
                )
            if apply:
                kept.append(index)
                found |= self._needed_by(index)
                held.update(_connected(call))
        self._open = kept
        return found

    def _follow(self, aliasing: bool, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        """Note which of what came out of a call has, or shares, a version counter beside that of the memory's owner."""
        tensors = self._identities.tensors
        known = () if aliasing else {tensors[number][3] for number in inputs if number in self._aliases}
        if aliasing or known:
            self._aliases.update(
                number for number in outputs if number not in inputs and (aliasing or tensors[number][3] in known)
            )


def _connected(call: tuple[Any, ...]) -> list[int]:
    """The inputs of a call to which an edge leads."""
    _, inputs, flags, *_ = call
    return [number for place, number in enumerate(inputs) if flags >> 2 * place & REQUIRES_GRAD]


def _has_history(results: int) -> bool:
    """Whether something came out of a call that backward leads through; `results` as in ``RawCall``."""
    while results:
        if results & (REQUIRES_GRAD | LEAF) == REQUIRES_GRAD:
            return True
        results >>= 2
    return False
