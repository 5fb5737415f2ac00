"""What a running script has around a backward: its frames, its parameters, what it calls the outputs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import FrameType

import torch

from graphvis.live.recorder import Recording
from graphvis.live.recorder.events import BackwardEvent
from graphvis.live.recorder.frames import USER, locate
from graphvis.live.script import launching
from graphvis.live.script.examining import Examination
from graphvis.live.script.naming import Names, parameters_of
from graphvis.live.script.sites import Held, Site


class Surroundings:
    """Looks up, whenever it is asked, what the script has then.

    Attributes:
        names: of parameters.
        known: the names of parameters that the first execution of some line found.
        numbers: of the parameters that were examined, in the recording.
        asked: the names of those whose gradients ``autograd.grad`` was asked for.

    Args:
        recording: the recording that runs.
        optimizers: those of the script; more may come.
    """

    def __init__(self, recording: Recording, optimizers: Sequence[Held]) -> None:
        self.names = Names()
        self.known: set[str] = set()
        self.numbers: set[int] = set()
        self.asked: set[str] = set()
        self._recording, self._optimizers = recording, optimizers

    def examine(self, event: BackwardEvent, site: Site) -> Examination | None:
        """Look at a backward that is about to run; None where nothing is trained by it."""
        frames = self._frames()
        parameters = self.find()
        if site.started == 1:
            self.known |= parameters.keys()
        else:  # what a variable alone holds may be what training by hand left of a round
            given = self.names.given
            parameters = {name: one for name, one in parameters.items() if name in self.known or given(one) == name}
        if event.inputs is not None:
            asked = {id(tensor) for tensor in event.inputs}
            parameters = {name: tensor for name, tensor in parameters.items() if id(tensor) in asked}
            if not parameters:
                return None  # a gradient with respect to data
            self.asked |= parameters.keys()
        outputs = {
            name: value
            for frame in reversed(frames)
            for name, value in frame.f_locals.items()
            if any(value is root for root in event.roots)
        }
        says = self._says(site, frames) if site.started > 1 else ""
        examination = Examination(self._recording, event, parameters, outputs, site.location, site.caller, says)
        self.numbers |= {
            number for tensor in parameters.values() if (number := self._recording.number(tensor)) is not None
        }
        return examination

    def find(self) -> dict[str, torch.Tensor]:
        """The parameters now, by name; which of them an optimizer holds is noted with it."""
        frames = self._frames()
        alive = [(held, optimizer) for held in self._optimizers if (optimizer := held.optimizer()) is not None]
        ran = [module for reference in self._recording.tape.modules if (module := reference()) is not None]
        everything = [tensor for _, optimizer in alive for tensor in parameters_of(optimizer)]
        with torch._C.DisableTorchFunction():
            former = {key: name for held, _ in alive for key, name in held.former.items()}
            found = self.names.find(frames, ran, everything, former, loose=not self._optimizers)
        by_id = {id(tensor): name for name, tensor in found.items()}
        for held, optimizer in alive:
            held.names |= {by_id[id(tensor)] for tensor in parameters_of(optimizer) if id(tensor) in by_id}
        return found

    def _says(self, site: Site, frames: list[FrameType]) -> str:
        """What tells this execution of a line from its first."""
        known = self._recording.tape.frames
        called = (locate(known.places[known.place(frame)]) for frame in frames)
        by = next((one for one in called if (one.file, one.line) != (site.location.file, site.location.line)), None)
        where = "" if by is None else f", called from {by.short}"
        return f"this is run {site.started} of that line{where}"

    def _frames(self) -> list[FrameType]:
        """The script's own frames that are running, innermost first."""
        frames: list[FrameType] = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != launching.__file__:  # beyond it nothing is the script's
            if self._recording.tape.frames.kind(frame.f_code.co_filename) == USER:
                frames.append(frame)
            frame = frame.f_back
        return frames
