"""Threads that were there before a recording, and may compute while it is on."""

from __future__ import annotations

import sys
import sysconfig
import threading
import time
from types import FrameType

from graphvis.live.recorder.frames import USER, Frames

_COMMANDS = sysconfig.get_path("scripts")  # what starts a program is nobody's thread


class Bystanders:
    """The threads beside the recorded one in which a program's own code was running when the recording began.

    Those of libraries are none: a notebook's kernel and progress bars have some that never rest.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._known: dict[int, tuple[int, int | None]] = {}  # by thread, where it stood and its time until then

    def start(self) -> None:
        """Note who is there."""
        me = threading.get_ident()
        self._known = {
            thread: (place, _time_of(thread))
            for thread, frame in sys._current_frames().items()
            if thread != me and (place := self._own(frame)) is not None
        }

    def ran(self) -> list[int]:
        """The places at which threads stood that have run since, or may have."""
        there = sys._current_frames()
        return [
            place
            for thread, (place, before) in self._known.items()
            if thread not in there or before is None or _time_of(thread) != before
        ]

    def _own(self, frame: FrameType | None) -> int | None:
        """The innermost place of the program's own code in a stack."""
        while frame is not None:
            name = frame.f_code.co_filename
            if self._frames.kind(name) == USER and not name.startswith(_COMMANDS):
                return self._frames.place(frame)
            frame = frame.f_back
        return None


def _time_of(thread: int) -> int | None:
    """The processor time of a thread that runs, in nanoseconds: who waits uses none. None where it is not told."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return None
    try:
        return time.clock_gettime_ns(time.pthread_getcpuclockid(thread))
    except OSError:
        return None
