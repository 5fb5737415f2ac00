"""Saved tensors that were overwritten, told by the line that wrote."""

from __future__ import annotations

from collections.abc import Iterable

from graphvis.model.diagnosis import Conflict
from graphvis.picture.report import spans
from graphvis.picture.report.frames import Mark, Page, clean, head, lines, prose

MOST = 4
"""Victims of one write that are shown."""

_OUT_OF_PLACE = (
    "write out of place (h = h + 1 instead of h += 1), write into a clone(), or move the write after backward()"
)


def tell(page: Page, conflicts: Iterable[Conflict]) -> list[list[str]]:
    """One finding for each line that wrote: an optimizer's step overwrites all that it holds, and is one mistake."""
    by_write: dict[object, list[Conflict]] = {}
    for number, conflict in enumerate(conflicts):
        write = number if conflict.modified_at is None else conflict.modified_at
        by_write.setdefault((conflict.effect, conflict.certain, write), []).append(conflict)
    return [_tell(page, group) for group in by_write.values()]


def _tell(page: Page, group: list[Conflict]) -> list[str]:
    first = group[0]
    raises = first.effect == "raises"
    level = "error" if raises or first.certain else "warning"
    if len(group) > 1:
        saved = f"{len(group)} saved tensors were"
    else:
        saved = f"the {first.saved} that {first.node} saved was" if first.saved else f"what {first.node} saved was"
    told = [head(page, level, "conflict" if raises else "wrong gradient",
                 f"{clean(saved)} overwritten before backward needs {'them' if len(group) > 1 else 'it'}")]  # fmt: skip
    told += lines(page, _marks(group), level, context=1)
    if raises:
        effect = "backward() will raise a RuntimeError"
    elif first.certain:
        effect = "backward() gives a wrong gradient without a word: a run without the write gave another"
    else:
        effect = "backward() may give a wrong gradient without a word; diagnose(..., verify=step) runs it again to know"
    return told + prose(page, "effect", effect) + prose(page, "help", _OUT_OF_PLACE)


def _marks(group: list[Conflict]) -> list[Mark]:
    """The line that wrote, the user's own above it, and the lines that saved, each once."""
    first = group[0]
    marks = []
    if first.modified_at is not None:
        says = "written here"
        if first.effect != "raises":
            says += "; the version counter did not see it"
        elif len(group) == 1 and first.expected_version is not None and first.version is not None:
            says += f": version {first.expected_version} became {first.version}"
        marks.append(Mark(first.modified_at, spans.span_of_call(first.modified_at.text, first.function), says))
    if first.modified_by is not None:
        marks.append(Mark(first.modified_by, spans.span_of_value(first.modified_by.text), "called from here", False))
    saved = dict.fromkeys((conflict.saved_at, conflict.node) for conflict in group if conflict.saved_at is not None)
    for where, node in list(saved)[:MOST]:
        marks.append(Mark(where, spans.span_of_value(where.text), f"{clean(node)} saved it here", False))
    return marks
