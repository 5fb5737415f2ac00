"""The opposite finding: parameters that get a gradient and should not."""

from __future__ import annotations

import os
from collections.abc import Sequence

from graphvis.model import Location
from graphvis.picture.report import spans
from graphvis.picture.report.frames import Mark, Page, clean, lines

MOST = 8
"""Names and lines that are shown of each."""


def write_reached(
    names: Sequence[str], total: int, entries: Sequence[tuple[str, Location, str]], *, cwd: str | None = None
) -> str:
    """Say which parameters get a gradient although none is wanted.

    Args:
        names: the parameters.
        total: how many were asked for.
        entries: where the gradient goes over to them: node, line and module.
        cwd: what paths are told relative to; the process's working directory where it is None.
    """
    page = Page(color=False, width=88, cwd=cwd or os.getcwd())
    one = len(names) == 1
    told = [f"error[gradient]: {len(names)} of {total} parameters get{'s' if one else ''} a gradient and should not"]
    if one:
        told = [f"error[gradient]: {clean(names[0])} gets a gradient and should not"]
    marks = [
        Mark(location, spans.span_of_value(location.text), f"{node} hands it over here", i == 0,
             f"{location.function} ({module})" if module else location.function)
        for i, (node, location, module) in enumerate(entries[:MOST])
    ]  # fmt: skip
    if marks:
        told += lines(page, marks, "error", context=0)
    shown = [clean(name) for name in names[:MOST]]
    if len(names) > MOST:
        shown.append(f"and {len(names) - MOST} more")
    told += [
        f"   = {'names:' if i == 0 else '':<7} {name}" if i == 0 else f"             {name}"
        for i, name in enumerate(shown)
    ]
    told.append("   = help:   compute with them under torch.no_grad(), or detach() what they give")
    return "\n".join(told) + "\n"
