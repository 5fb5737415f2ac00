"""Saved tensors that were overwritten or freed, told by the line that did it."""

from __future__ import annotations

from collections.abc import Iterable

from graphvis.model.diagnosis import Conflict
from graphvis.picture.report import spans
from graphvis.picture.report.frames import Mark, Page, clean, field, head, lines, prose

MOST = 4
"""Victims of one write that are shown."""

_OUT_OF_PLACE = (
    "write out of place (h = h + 1 instead of h += 1), write into a clone(), or move the write after backward()"
)
_STEP = "call backward() before the optimizer's step, or compute the loss again after it"
_EXCHANGE = "exchange it after backward(), or compute the loss again after it"
_COPY = "write into a copy (t.numpy().copy(), torch.tensor(array), from_numpy(array).clone()), or after backward()"
_DETACH = (
    "if the gradient should end there, detach what is carried over ({name} = {name}.detach()); if it should go on, add "
    "the losses up and call backward() once; retain_graph=True keeps all that came before, longer each time"
)
_ONCE = (
    "compute the loss again before each backward(); add losses that share a graph up and call backward() once, or pass "
    "retain_graph=True to all but the last"
)
_SHARED = {
    "numpy": "NumPy", "__array__": "NumPy", "from_numpy": "NumPy", "as_tensor": "NumPy", "asarray": "NumPy",
    "frombuffer": "a buffer", "from_dlpack": "another library", "__dlpack__": "another library",
}  # fmt: skip
_FREEING = frozenset({"backward", "grad"})


def tell(page: Page, conflicts: Iterable[Conflict], command: str = "") -> list[list[str]]:
    """One finding for each line that did it: an optimizer's step overwrites all that it holds, and is one mistake.

    Args:
        page: how it is set.
        conflicts: what to tell.
        command: script and arguments with which it was found; empty where a program asked.
    """
    by_line: dict[object, list[Conflict]] = {}
    for number, conflict in enumerate(conflicts):
        line = number if conflict.modified_at is None else conflict.modified_at
        by_line.setdefault((conflict.effect, conflict.certain, line), []).append(conflict)
    return [_tell(page, group, command) for group in by_line.values()]


def _tell(page: Page, group: list[Conflict], command: str) -> list[str]:
    if _last_part(group[0]) in _FREEING:
        return _freed(page, group)
    first = group[0]
    level = "error" if first.effect == "raises" or first.certain else "warning"
    label = "conflict" if first.effect == "raises" else "wrong gradient"
    told = [head(page, level, label, clean(_what(group)))]
    told += lines(page, _marks(group), level, context=1)
    told += prose(page, "effect", _effect(first)) + prose(page, "help", _way_out(first))
    if first.effect == "raises" or first.certain:
        return told
    if command:
        return told + field(page, "check", [f"graphvis run --probe {clean(command)}"])
    advice = "diagnose(..., probe=True) compares with what was saved; record(values=True) keeps all of it"
    return told + prose(page, "check", advice)


def _last_part(conflict: Conflict) -> str:
    return conflict.function.rsplit(".", 1)[-1]


def _what(group: list[Conflict]) -> str:
    """What has happened to what was saved."""
    first, many = group[0], len(group) > 1
    if not many and _is_rerun(first):
        return "what a checkpoint reads was overwritten before backward runs it again"
    if many:
        saved = f"{len(group)} saved tensors"
    else:
        saved = f"the {first.saved} that {first.node} saved" if first.saved else f"what {first.node} saved"
    if library := _SHARED.get(_last_part(first)):
        return f"{saved} {'have' if many else 'has'} changed in memory that {library} shares"
    done = "given other memory" if first.function == "Tensor.data.__set__" else "overwritten"
    return f"{saved} {'were' if many else 'was'} {done} before backward needs {'them' if many else 'it'}"


def _is_rerun(conflict: Conflict) -> bool:
    """Whether nothing was saved: a reentrant checkpoint reads it again."""
    return conflict.node == "CheckpointFunctionBackward" and not conflict.saved


def _effect(conflict: Conflict) -> str:
    if conflict.effect == "raises":
        return "backward() will raise a RuntimeError"
    if conflict.certain:
        return "backward() gives a wrong gradient without a word: measured, it is another with what was saved"
    return "backward() may give a wrong gradient without a word"


def _way_out(conflict: Conflict) -> str:
    if _last_part(conflict) in _SHARED:
        return _COPY
    if conflict.function == "Tensor.data.__set__":
        return _EXCHANGE
    return _STEP if _is_step(conflict) else _OUT_OF_PLACE


def _is_step(conflict: Conflict) -> bool:
    """Whether an optimizer wrote: its line is PyTorch's own, so the user's is the one that calls ``step``."""
    where = conflict.modified_by or conflict.modified_at
    layers = conflict.function.startswith("torch.nn.")  # which may stand on one line with the step
    return where is not None and not layers and spans.calls(where.text, "step")


def _marks(group: list[Conflict]) -> list[Mark]:
    """The line that wrote, the user's own above it, and the lines that saved, each once."""
    first = group[0]
    marks = []
    if first.modified_at is not None:
        if library := _SHARED.get(_last_part(first)):
            says = f"{library} shares this memory from here on; its values changed after they were saved"
        elif first.function == "Tensor.data.__set__":
            says = "given other memory here; the version counter did not see it"
        else:
            says = "written here"
            if first.effect != "raises":
                says += "; the version counter did not see it"
            elif len(group) == 1 and first.expected_version is not None and first.version is not None:
                says += f": version {first.expected_version} became {first.version}"
        marks.append(Mark(first.modified_at, spans.span_of_call(first.modified_at.text, first.function), says))
    if first.modified_by is not None:
        marks.append(Mark(first.modified_by, spans.span_of_value(first.modified_by.text), "called from here", False))
    saved = dict.fromkeys(
        (conflict.saved_at, "backward reads it again here" if _is_rerun(conflict) else f"{conflict.node} saved it here")
        for conflict in group
        if conflict.saved_at is not None
    )
    for where, says in list(saved)[:MOST]:
        marks.append(Mark(where, spans.span_of_value(where.text), clean(says), False))
    return marks


def _freed(page: Page, group: list[Conflict]) -> list[str]:
    """A second backward through one graph: what carries it over, where that was made, and the first backward."""
    first = group[0]
    marks: list[Mark] = []
    for conflict in group[:MOST]:
        name = clean(conflict.carrier) or "this"
        if conflict.carried_at is not None:
            where = conflict.carried_by or conflict.carried_at
            says = f"{name} takes the graph that was freed into a new one"
            marks.append(Mark(where, spans.span_of_name(where.text, conflict.carrier), says, not marks))
        made = conflict.saved_by or conflict.saved_at
        if made is not None and all(mark.location != made for mark in marks):
            marks.append(Mark(made, spans.span_of_value(made.text), f"{name} was made here", not marks))
    ran = first.modified_by or first.modified_at
    if ran is not None:
        says = "the first backward through it ran here, and freed what its nodes had saved"
        marks.append(Mark(ran, spans.span_of_call(ran.text, first.function), says, not marks))
    names = list(dict.fromkeys(clean(conflict.carrier) for conflict in group if conflict.carrier))
    carried = any(conflict.carried_at is not None for conflict in group)
    through = f", by way of {', '.join(names[:MOST])}" if carried and names else ""
    told = [head(page, "error", "freed", f"backward goes a second time through a graph that was freed{through}")]
    told += lines(page, marks, "error", context=1)
    told += prose(page, "effect", "backward() will raise a RuntimeError")
    return told + prose(page, "help", _DETACH.format(name=names[0] if names else "h") if carried else _ONCE)
