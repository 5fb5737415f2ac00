"""Numbers for the memory of opaque tensors, as oneDNN makes them: it cannot be looked at.

Which of them share theirs is known by the calls that made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from graphvis.live.recorder.raw import RawCall

if TYPE_CHECKING:
    from graphvis.live.recorder.tape import Tape

_SHARING = frozenset("detach data __set__ reshape reshape_as view view_as flatten Parameter alias exchange".split())


def memories(tape: Tape, raws: Sequence[RawCall]) -> dict[int, int]:
    """By the number of each opaque tensor that of its memory."""
    identities = tape.identities
    opaque = {number for number, (_, layout) in identities.layouts.items() if layout is torch._mkldnn}  # type: ignore[attr-defined]
    if not opaque:
        return {}
    found: dict[int, int] = {}

    def memory(number: int) -> int:
        return found.setdefault(number, identities.storage_count + len(found))

    for raw in raws:
        made = [number for number in raw.outputs if number in opaque and number not in raw.inputs]
        given = [number for number in raw.inputs if number in opaque]
        if made and given and tape.functions[raw.function].name.rpartition(".")[2] in _SHARING:
            for number in made:
                found.setdefault(number, memory(given[-1]))
    for number in opaque:
        memory(number)
    return found
