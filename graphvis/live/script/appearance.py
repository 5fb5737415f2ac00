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
        if filename.startswith(_OURS):
            filename, lineno = _place(sys._getframe(1)) or (filename, lineno)
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


def _place(frame: FrameType | None) -> tuple[str, int] | None:
    """The place from which our innermost frame was called, that is, from which torch would have been."""
    stack: list[FrameType] = []
    while frame is not None:
        stack.append(frame)
        frame = frame.f_back
    inner = next((place for place, one in enumerate(stack) if one.f_code.co_filename.startswith(_OURS)), len(stack))
    stack = stack[inner:][::-1]
    own = _own([(one.f_code.co_filename, one.f_code.co_name) for one in stack])
    return (stack[own[-1]].f_code.co_filename, stack[own[-1]].f_lineno) if own else None


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
