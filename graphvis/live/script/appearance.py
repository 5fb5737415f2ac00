"""What the script alone would have shown: its tracebacks and its warnings, without a trace of us."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import torch.overrides

_OURS = str(Path(__file__).parents[2]) + os.sep
_LAUNCHERS = (runpy.__file__, "<frozen runpy>")
# A function of torch that is written in Python calls this where a mode is in force, and is then called by the mode.
_DETOUR = (torch.overrides.__file__, "handle_torch_function")


def own_traceback(error: BaseException) -> str:
    """The traceback as the script alone would have printed it, without our frames."""
    told = traceback.TracebackException.from_exception(error)
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        part = waiting.pop()
        if part is None:
            continue
        frames = [(frame.filename, frame.name) for frame in part.stack]
        part.stack = traceback.StackSummary.from_list([part.stack[place] for place in _own(frames)])
        waiting += [part.__cause__, part.__context__, *(part.exceptions or ())]
    return "".join(told.format())


@contextmanager
def own_warnings() -> Iterator[None]:
    """Have warnings shown as Python shows them, at the place where the script alone would have raised them."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        frame = _caller(sys._getframe(1)) if filename.startswith(_OURS) else None
        if frame is not None:
            _raise_again(message, category, frame)
            return
        stream = sys.stderr if file is None else file
        if stream is not None:
            stream.write(warnings.formatwarning(message, category, filename, lineno, line))

    before: Any = warnings.showwarning
    warnings.showwarning = show
    try:
        yield
    finally:
        if warnings.showwarning is show:
            warnings.showwarning = before


def _raise_again(message: Warning | str, category: type[Warning], frame: FrameType) -> None:
    """Raise a warning at `frame`, where Python's filters and its memory of what was shown may say otherwise."""
    warnings.onceregistry.pop((str(message), category), None)  # type: ignore[attr-defined]  # typeshed lacks it
    variables = frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=variables.get("__name__"),
        registry=variables.setdefault("__warningregistry__", {}),
    )


def _caller(frame: FrameType | None) -> FrameType | None:
    """The frame by which our innermost one was called, that is, by which torch would have been.

    What our module remembers to have shown is forgotten, for all lines of the script would look alike there.
    """
    while frame is not None and not frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    if frame is not None:
        frame.f_globals.get("__warningregistry__", {}).clear()
    stack: list[FrameType] = []
    while frame is not None:
        stack.append(frame)
        frame = frame.f_back
    stack.reverse()
    own = _own([(one.f_code.co_filename, one.f_code.co_name) for one in stack])
    return stack[own[-1]] if own else None


def _own(frames: Sequence[tuple[str, str]]) -> list[int]:
    """Which frames of a stack, outermost first, are neither ours nor on the detour by which torch comes to us."""
    kept: list[int] = []
    for place, (file, _) in enumerate(frames):
        if file.startswith(_OURS):
            if kept and kept[-1] == place - 1 and frames[place - 1] == _DETOUR:
                del kept[-2:]
        elif file not in _LAUNCHERS:
            kept.append(place)
    return kept
