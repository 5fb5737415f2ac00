"""What runs while a recording is on and is in none of its calls: it is said, with the line that set it going."""

from __future__ import annotations

from types import FrameType

from graphvis.live.recorder.bystanders import Bystanders
from graphvis.live.recorder.frames import Frames, locate

BYTES = "Bytes of memory were read or copied by {}: whose values came along was not seen."
TURNED_OFF = "What PyTorch tells of its calls was turned off by {}: what was computed there was not seen."
TAKEN_OVER = "A class that is no tensor took over {}: what it computed was not seen."
INSIDE = "A mode of the program runs inside of each call after {}: what it computes there is not seen."
_BYSTANDER = "A thread that was there before ran on at {}: what it computed was not seen."


class Unseen:
    """What a recording knows to have run unseen.

    Attributes:
        bystanders: threads that were there before.
    """

    def __init__(self, frames: Frames) -> None:
        self.bystanders = Bystanders(frames)
        self._frames = frames
        self._notes: dict[tuple[str, int], None] = {}  # what was said and of which place; in order, each once

    def __bool__(self) -> bool:
        return bool(self._notes)

    def note(self, what: str, frame: FrameType) -> None:
        """Note that something runs.

        Args:
            what: a sentence, with ``{}`` where the line is named.
            frame: where it was set going; frames of ours are passed over.
        """
        self._notes.setdefault((what, self._frames.find(frame)[0]))

    def look_around(self) -> None:
        """Note which threads that were there before have run since."""
        for place in self.bystanders.ran():
            self._notes.setdefault((_BYSTANDER, place))

    def sentences(self) -> tuple[str, ...]:
        """All that was noted, each with its line."""
        return tuple(what.format(self._spell(place)) for what, place in self._notes)

    def _spell(self, place: int) -> str:
        if place < 0:
            return "a line that was not seen"
        where = locate(self._frames.places[place])
        return f"`{where.text}` at {where.short}" if where.text else where.short
