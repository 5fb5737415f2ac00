"""Terms of a loss that train nothing: what is added to it was computed from a gradient taken as a plain value.

A gradient penalty without ``create_graph=True`` is the case: every parameter gets its gradient by the
other terms, so no verdict tells of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphvis.analysis.cutting import classify, flowing, short
from graphvis.model import Call, Trace

_ADDING = frozenset(
    "add add_ __add__ __radd__ __iadd__ sub sub_ __sub__ __rsub__ __isub__ rsub neg __neg__ sum mean stack".split()
)
# Of these one operand at most has a gradient, or the result is no sum of what goes in.
_SCALING = frozenset("mul mul_ __mul__ __rmul__ __imul__ div div_ __truediv__ __itruediv__ true_divide".split())
# Whoever calls these says that no gradient is wanted.
_MEANT = frozenset("detach detach_ data item tolist numpy __array__ __float__".split())


def without_gradient(trace: Trace, roots: Sequence[int], stop: int | None = None) -> tuple[int, ...]:
    """The calls that took a gradient as a plain value from which a whole term of the loss was computed.

    Only terms are looked at that are added to others which do have a gradient. A gradient that scales a term, or that
    goes through a network beside something live, is often meant to be a constant; a constant that is added is not.

    Args:
        trace: the recorded run.
        roots: the numbers of the outputs.
        stop: look at the calls before this one only; None for all.

    Returns:
        Indices of calls, ascending.
    """
    end = len(trace.calls) if stop is None else stop
    if not any(short(call) == "grad" for call in trace.calls[:end]):
        return ()
    made = _made(trace, end)
    found = {
        call
        for term, before in _terms(trace, made, [(root, end) for root in roots])
        for call in _gradients(trace, made, term, before)
    }
    return tuple(sorted(found))


def _made(trace: Trace, end: int) -> dict[int, list[int]]:
    """For each tensor the calls that made it or wrote to it, ascending."""
    made: dict[int, list[int]] = {}
    for index, call in enumerate(trace.calls[:end]):
        for number in call.outputs:
            made.setdefault(number, []).append(index)
    return made


def _last(made: dict[int, list[int]], number: int, before: int) -> int | None:
    return next((index for index in reversed(made.get(number, ())) if index < before), None)


def _terms(trace: Trace, made: dict[int, list[int]], sums: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The terms of `sums` without a gradient beside terms that have one, each with the call that adds it."""
    seen = set(sums)
    while sums:
        number, before = sums.pop()
        index = _last(made, number, before)
        if index is None:
            continue
        call = trace.calls[index]
        live = [at for at, on in enumerate(call.connected) if on]
        if short(call) not in _ADDING and not (short(call) in _SCALING and len(live) == 1):
            continue
        for at, operand in enumerate(call.inputs):
            if at not in live:
                if live and short(call) in _ADDING:
                    yield operand, index
            elif (operand, index) not in seen:
                seen.add((operand, index))
                sums.append((operand, index))


def _gradients(trace: Trace, made: dict[int, list[int]], term: int, before: int) -> Iterator[int]:
    """The calls that took the gradients which a term was computed from, without a word that a constant is meant."""
    seen = {(term, before)}
    stack = [(term, before)]
    while stack:
        number, before = stack.pop()
        index = _last(made, number, before)
        if index is None:
            continue
        call = trace.calls[index]
        if short(call) == "grad":
            if classify(trace, index) == "grad":
                yield index
            continue
        if _is_meant(call):
            continue
        for at in flowing(call):
            if (call.inputs[at], index) not in seen:
                seen.add((call.inputs[at], index))
                stack.append((call.inputs[at], index))


def _is_meant(call: Call) -> bool:
    return short(call) in _MEANT or not call.grad_mode or call.inner
