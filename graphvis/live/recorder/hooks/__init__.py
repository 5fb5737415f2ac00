"""The few places that PyTorch does not report, wrapped while some recording is on.

Each wrapper is put in place by the first recording that is entered and taken out by the last that
leaves; what stood there before is put back exactly.
"""

from __future__ import annotations

from graphvis.live.recorder.hooks import compiling, functions, memory, modes, training, workers
from graphvis.live.recorder.hooks.places import Listener, lock, recordings, restore


def install(recording: Listener) -> None:
    """Have `recording` told of what PyTorch does not report."""
    with lock:
        recordings.append(recording)
        if len(recordings) == 1:
            try:
                for place in (functions, memory, modes, compiling, training, workers):
                    place.wrap()
            except BaseException:
                recordings.clear()
                restore()
                raise


def remove(recording: Listener) -> None:
    """Tell `recording` no more."""
    with lock:
        if recording in recordings:
            recordings.remove(recording)
        if not recordings:
            restore()
