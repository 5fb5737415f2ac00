"""What must be known of a whole trace before it is joined call by call."""

from __future__ import annotations

from graphvis.model import Trace
from graphvis.model.trace import Entry


def first_entries(trace: Trace) -> dict[int, tuple[Entry, ...]]:
    """The values that come back with each call, but for those that its inputs may have brought already.

    An uncertain entry is told from the source alone, and there every line that a value reaches looks like a return.
    """
    if not any(call.entries for call in trace.calls):
        return {}
    brought: dict[int, frozenset[int]] = {}
    found = {}
    for index, call in enumerate(trace.calls):
        before = frozenset().union(*(brought.get(tensor, ()) for tensor in call.inputs)) if brought else frozenset()
        entries = tuple(entry for entry in call.entries if entry.certain or entry.exit not in before)
        if entries:
            found[index] = entries
        if exits := before.union(entry.exit for entry in entries):
            brought.update(dict.fromkeys(call.outputs, exits))
    return found


def applies(trace: Trace) -> dict[int, int]:
    """For each call inside a Function's forward the call of that Function's apply."""
    found: dict[int, int] = {}
    apply = -1
    for index in range(len(trace.calls) - 1, -1, -1):
        if not trace.calls[index].inner:
            apply = index
        elif apply >= 0:
            found.setdefault(index, apply)
    return found
