"""Watching a script train: each line that starts a backward is diagnosed when it first runs, and then it is enough."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from pathlib import PurePath
from types import FrameType
from typing import Any

import torch
from torch.optim import optimizer as optimizers

from graphvis.analysis.judging import Holder
from graphvis.live.probe import count
from graphvis.live.recorder import Recording
from graphvis.live.recorder.events import BackwardEvent
from graphvis.live.recorder.frames import USER, locate
from graphvis.live.script.examining import Examination
from graphvis.live.script.naming import Names, parameters_of
from graphvis.live.script.origins import Origins, trace_origins
from graphvis.live.script.sites import MOST_FRUITLESS, Held, Site, telling
from graphvis.model import Diagnosis, Location

MOST_ROUNDS = 20
"""How often a line may start a backward before the script is stopped, whether every optimizer has stepped or not."""


class Stopped(BaseException):  # as KeyboardInterrupt: `except Exception` must let it through
    """The script has shown what it does: it is ended from inside, so that its ``finally`` blocks run."""


class Watch:
    """What is told to it by a recording becomes diagnoses.

    Args:
        recording: the recording that runs.
        go_on: whether the script is to run on, unrecorded, when there is nothing new to see.
        announce: called with the line at which the script is stopped, before it is.
    """

    def __init__(self, recording: Recording, *, go_on: bool, announce: Callable[[Location], None]) -> None:
        self.recording = recording
        self.names = Names()
        self.sites: dict[tuple[int, int], Site] = {}
        self.optimizers: list[Held] = []
        self.over: Location | None = None
        self._go_on, self._announce = go_on, announce
        self.asked: set[str] = set()
        self._ending: Site | None = None
        self._since_step: list[tuple[Site, Examination | None]] = []
        self._learning: set[str] = set()
        self._stepped = False
        self._stepping: list[Any] = []
        self._handles: list[Any] = []

    def __enter__(self) -> Watch:
        self.recording.on_backward(self._backward)
        self.recording.on_optimizer(self._built)
        self._handles = [
            optimizers.register_optimizer_step_pre_hook(self._begin_step),
            optimizers.register_optimizer_step_post_hook(self._end_step),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    @property
    def examinations(self) -> list[Examination]:
        """The first of each site, in the order in which they ran; what later ones add; backwards that a later broke."""
        sites = self.sites.values()
        firsts = [site.first for site in sites]
        again = [one for site in sites for one in list(site.examinations.values())[1:] if one is not None]
        lasts = [site.last for site in sites]
        known = [one for one in firsts if one is not None]
        examined = [*known, *telling(again, known, self.optimizers), *(one for one in lasts if one is not None)]
        return list({id(one): one for one in examined}.values())

    @property
    def later(self) -> dict[int, Diagnosis]:
        """What was seen when the script was stopped, by the place of what was seen when the same was computed first."""
        site = self._ending
        if site is None or site.ended is None or self.over is None:
            return {}
        places = {id(examination): place for place, examination in enumerate(self.examinations)}
        origins, ended = site.ended
        alike = [one for known, one in site.examinations.items() if known.made == origins.made and id(one) in places]
        same = site.examinations.get(origins)
        before = same if id(same) in places else next(iter(alike), None)
        return {} if before is None or before is ended else {places[id(before)]: ended.diagnosis}

    @property
    def rounds(self) -> int:
        """How often the line that starts a backward most often did so, the one at which it was stopped not counted."""
        return max((site.finished - (self._ending is site) for site in self.sites.values()), default=0)

    @property
    def holders(self) -> tuple[Holder, ...]:
        """The optimizers, with the places of their backwards among the examinations."""
        places = {id(examination): place for place, examination in enumerate(self.examinations)}
        return tuple(
            Holder(
                kind=held.kind,
                parameters=frozenset(held.names),
                stepped=held.steps > 0 or self._is_stepping(held),
                backwards=frozenset(places[id(one)] for one in held.backwards if id(one) in places),
                given=frozenset(held.given),
                without=frozenset(held.without or ()),
            )
            for held in self.optimizers
        )

    # what the recording tells

    def _backward(self, event: BackwardEvent) -> None:
        if self.over is not None:
            return
        call = self.recording.tape.calls[event.call]
        key = (event.place, call[7])
        site = self.sites.get(key)
        if event.done:
            if site is not None:
                self._finish(event, site)
            return
        if site is None:
            site = self.sites[key] = Site(locate(self.recording.tape.frames.places[event.place]))
        self._note(site, self._look(event, site))
        if site.started == 1 or any(held.steps == 0 for held in self._in_progress()):
            return  # a closure that its optimizer calls again and again within one step, as LBFGS does
        site.rounds += 1
        alive = [held for held in self.optimizers if held.optimizer() is not None]
        if self._ending is None and (all(held.steps for held in alive) or site.rounds >= MOST_ROUNDS):
            # It is stopped after this backward: one that needs what the round before freed or overwrote raises now.
            self._ending = site
            examination = site.running or self._examine(event, site)
            if examination is not None:
                site.ended = self._origins(event), examination

    def _look(self, event: BackwardEvent, site: Site) -> Examination | None:
        """What tells of this execution of a line: a new examination, where none so far can."""
        site.started += 1
        if site.started > 1 and (self._is_again(site) or not self._is_waited_for(event)):
            return site.first
        origins = self._origins(event)
        if origins not in site.examinations and site.fruitless < MOST_FRUITLESS:
            site.examinations[origins] = site.running = self._examine(event, site)
        return site.examinations.get(origins, site.first)

    def _is_again(self, site: Site) -> bool:
        """Whether an optimizer's closure runs again within one step."""
        return not self._stepped and bool(self._in_progress()) and any(site is one for one, _ in self._since_step)

    def _is_waited_for(self, event: BackwardEvent) -> bool:
        """Whether an optimizer is still to step, and nothing gave some of its parameters a gradient so far."""
        waiting = [
            held for held in self.optimizers if not held.steps and not (held.names and held.names <= self._learning)
        ]
        if event.inputs is None:
            return any(held.optimizer() is not None for held in waiting)
        asked = {id(tensor) for tensor in event.inputs}
        return any(id(tensor) in asked for held in waiting for tensor in held.parameters())

    def _origins(self, event: BackwardEvent) -> Origins:
        held = (self.recording.number(tensor) for held in self.optimizers for tensor in held.parameters())
        return trace_origins(self.recording, event.roots, {number for number in held if number is not None})

    def _note(self, site: Site, examination: Examination | None) -> None:
        """Note a backward for the optimizer that steps next."""
        if self._stepped:
            self._since_step, self._stepped = [], False
        if not any(site is other and examination is one for other, one in self._since_step):
            self._since_step.append((site, examination))

    def _finish(self, event: BackwardEvent, site: Site) -> None:
        site.finished += event.error is None
        running, site.running = site.running, None
        if running is not None:
            running.finish(event)
            running.leave_out(site.conflicts)
            self._learn(site, running)
        ended = None if self._ending is not site or site.ended is None else site.ended[1]
        if ended is not None:
            ended.finish(event)
            if ended.leave_out(site.conflicts):
                site.last = ended
        if event.error is not None and site.rounds and site.last is None:
            # What the rounds before left has broken it: the first execution knows nothing of that.
            site.last = ended or running or self._examine(event, site)
            if site.last is not None:
                site.last.finish(event)
        if self._ending is site and event.error is None:
            self._stop(site)

    def _learn(self, site: Site, examination: Examination) -> None:
        """Take in who got a gradient for the first time."""
        held = {name for one in self.optimizers for name in one.names}
        learning = examination.learning()
        if examination is not site.first:
            site.fruitless += learning & held <= self._learning
        self._learning |= learning

    def _stop(self, site: Site) -> None:
        self.over = site.location
        self.recording.pause()
        if not self._go_on:
            self._announce(site.location)
            raise Stopped

    def _built(self, what: str, optimizer: Any) -> None:
        if what == "built" and self.over is None and not any(held.optimizer() is optimizer for held in self.optimizers):
            held = Held(type(optimizer).__name__, weakref.ref(optimizer))
            self.optimizers.append(held)
            by_id = {id(tensor): name for name, tensor in self._find().items()}
            held.former = {id(tensor): by_id[id(tensor)] for tensor in parameters_of(optimizer) if id(tensor) in by_id}
            held.names.clear()
            if not self.sites:
                self.names = Names()  # what a module is called depends on those beside it, and more may come

    def _begin_step(self, optimizer: Any, *_: Any) -> None:
        self._stepping.append(optimizer)
        if self.over is None:
            self._built("built", optimizer)
            held = next(held for held in self.optimizers if held.optimizer() is optimizer)
            if held.steps == 0:
                self._receive(held, optimizer)

    def _end_step(self, optimizer: Any, *_: Any) -> None:
        if self._stepping and self._stepping[-1] is optimizer:
            self._stepping.pop()
        if self.over is None:
            self._built("built", optimizer)
            held = next(held for held in self.optimizers if held.optimizer() is optimizer)
            if held.steps == 0:
                self._receive(held, optimizer)  # a closure has run its backward within the step
            held.steps += 1
            self._stepped = True
            if held.steps == 1:
                held.backwards = [examination for _, examination in self._since_step if examination is not None]

    def _receive(self, held: Held, optimizer: Any) -> None:
        """Note what a later execution of a line gave: layers that one loop trains in turn share the line."""
        by_id = {id(tensor): name for name, tensor in self._find().items()}
        known, missing = self._learning | held.given, set[str]()
        with torch.no_grad(), torch._C.DisableTorchFunction():
            for parameter in parameters_of(optimizer):
                name, gradient = by_id.get(id(parameter)), parameter.grad
                if name is not None and gradient is None:
                    missing.add(name)
                elif name is not None and name not in known and count(gradient):
                    held.given.add(name)
        # A closure makes gradients within the step, and some optimizers let them go there.
        held.without = missing if held.without is None else held.without & missing

    def _in_progress(self) -> list[Held]:
        return [held for held in self.optimizers if self._is_stepping(held)]

    def _is_stepping(self, held: Held) -> bool:
        optimizer = held.optimizer()
        return any(optimizer is other for other in self._stepping)

    # what is looked up

    def _examine(self, event: BackwardEvent, site: Site) -> Examination | None:
        frames = self._frames()
        parameters = self._find()
        if event.inputs is not None:
            asked = {id(tensor) for tensor in event.inputs}
            parameters = {name: tensor for name, tensor in parameters.items() if id(tensor) in asked}
            if not parameters:
                return None  # a gradient with respect to data: nothing is trained by it
            self.asked |= parameters.keys()
        outputs = {
            name: value
            for frame in reversed(frames)
            for name, value in frame.f_locals.items()
            if any(value is root for root in event.roots)
        }
        says = self._says(site, frames) if site.started > 1 else ""
        return Examination(self.recording, event, parameters, outputs, site.location, says)

    def _says(self, site: Site, frames: list[FrameType]) -> str:
        """What tells this execution of a line from its first."""
        known = self.recording.tape.frames
        called = (locate(known.places[known.place(frame)]) for frame in frames)
        by = next((one for one in called if (one.file, one.line) != (site.location.file, site.location.line)), None)
        where = "" if by is None else f", called from {PurePath(by.file).name}:{by.line}"
        return f"this is run {site.started} of that line{where}"

    def _find(self) -> dict[str, torch.Tensor]:
        """The parameters now, and who holds them."""
        frames = self._frames()
        alive = [(held, optimizer) for held in self.optimizers if (optimizer := held.optimizer()) is not None]
        ran = [module for reference in self.recording.tape.modules if (module := reference()) is not None]
        everything = [tensor for _, optimizer in alive for tensor in parameters_of(optimizer)]
        with torch._C.DisableTorchFunction():
            former = {key: name for held, _ in alive for key, name in held.former.items()}
            found = self.names.find(frames, ran, everything, former, loose=not self.optimizers)
        by_id = {id(tensor): name for name, tensor in found.items()}
        for held, optimizer in alive:
            held.names |= {by_id[id(tensor)] for tensor in parameters_of(optimizer) if id(tensor) in by_id}
        return found

    def _frames(self) -> list[FrameType]:
        """The script's own frames that are running, innermost first."""
        frames: list[FrameType] = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if self.recording.tape.frames.kind(frame.f_code.co_filename) == USER:
                frames.append(frame)
            frame = frame.f_back
        return frames
