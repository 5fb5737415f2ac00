"""Watching a script train: a line that starts a backward is diagnosed when it first runs, and when it tells more."""

from __future__ import annotations

from collections.abc import Callable

from graphvis.analysis.judging import Holder
from graphvis.live.recorder import Recording
from graphvis.live.recorder.events import BackwardEvent
from graphvis.live.script.examining import Examination
from graphvis.live.script.origins import Origins, trace_origins
from graphvis.live.script.sites import MOST_FRUITLESS, Site, telling
from graphvis.live.script.steps import Steps
from graphvis.model import Diagnosis, Location

MOST_ROUNDS = 20
"""How often a line may start a backward before the script is stopped, whether every optimizer has stepped or not."""

MOST_WITHIN = 2_000
"""The same for a line that trains nothing: a sampler may run it hundreds of times before there is a loss."""


class Stopped(BaseException):  # as KeyboardInterrupt: `except Exception` must let it through
    """The script has shown what it does: it is ended from inside, so that its ``finally`` blocks run."""


class Watch:
    """What is told to it by a recording becomes diagnoses.

    Attributes:
        steps: those of the script's optimizers.
        over: the line at which the script was stopped, or is watched no longer; None while it is.

    Args:
        recording: the recording that runs.
        go_on: whether the script is to run on, unrecorded, when there is nothing new to see.
        announce: called with the line at which the script is stopped, before it is.
    """

    def __init__(self, recording: Recording, *, go_on: bool, announce: Callable[[Location], None]) -> None:
        self.steps = Steps(recording)
        self.over: Location | None = None
        self._recording, self._go_on, self._announce = recording, go_on, announce
        self._sites: dict[tuple[int, int], Site] = {}
        self._ending: Site | None = None
        self._lost: set[str] = set()

    def __enter__(self) -> Watch:
        self._recording.on_backward(self._backward)
        self.steps.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.steps.close()

    @property
    def firsts(self) -> list[Examination]:
        """The first of each line."""
        return [first for site in self._sites.values() if (first := site.first) is not None]

    @property
    def examinations(self) -> list[Examination]:
        """The first of each line, as they ran; what later ones add; those that a later round broke."""
        sites = self._sites.values()
        again = [one for site in sites for one in list(site.examinations.values())[1:] if one is not None]
        more = telling(again, self.firsts, self.steps.optimizers, self.steps.surroundings.names.first)
        examined = [*self.firsts, *more, *(site.last for site in sites if site.last is not None)]
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
        return max((site.finished - (self._ending is site) for site in self._sites.values()), default=0)

    @property
    def holders(self) -> tuple[Holder, ...]:
        """The optimizers, with the places of their backwards among the examinations."""
        return self.steps.holders({id(examination): place for place, examination in enumerate(self.examinations)})

    # what the recording tells

    def _backward(self, event: BackwardEvent) -> None:
        if self.over is not None:
            return
        call = self._recording.tape.calls[event.call]
        key = (event.place, call[7])
        site = self._sites.get(key)
        if event.done:
            if site is not None:
                self._finish(event, site)
            return
        if site is None:
            location, own = self._recording.location, event.caller not in (event.place, -1)
            site = self._sites[key] = Site(location(event.place), location(event.caller) if own else None)
        late = self._is_late(event, site)
        self.steps.note(site, self._look(event, site, late))
        if site.started == 1 or self.steps.is_trying():
            return
        site.rounds += 1
        if self._ending is None and ((self._has_shown() and not late) or site.rounds >= self._most(site)):
            # It is stopped after this backward: one that needs what the round before freed or overwrote raises now.
            self._ending = site
            self.steps.rest()
            examination = site.running or self.steps.surroundings.examine(event, site)
            if examination is not None:
                site.ended = self._origins(event), examination

    def _is_late(self, event: BackwardEvent, site: Site) -> bool:
        """Whether an optimizer was built, and stepped, that holds what nobody knew of whenever the line ran before.

        Each line is looked at once more for that, so that none is judged without those that come after it.
        """
        if site.late or site.first is None or event.inputs is not None:
            return False
        site.late = not self.steps.stepped() <= site.names()
        return site.late

    def _look(self, event: BackwardEvent, site: Site, late: bool) -> Examination | None:
        """What tells of this execution of a line: a new examination, where none so far can."""
        site.started += 1
        if site.started > 1 and (self.steps.is_again(site) or not (late or self._may_tell_more(event))):
            return site.first
        origins = self._origins(event)
        if origins not in site.examinations and site.fruitless < MOST_FRUITLESS:
            site.examinations[origins] = site.running = self.steps.surroundings.examine(event, site)
            if site.running is not None:
                site.running.late = late
        return site.examinations.get(origins, site.first)

    def _has_shown(self) -> bool:
        """Whether what the script trains has had its turn.

        Without an optimizer nobody knows whose turn it was: it is still to come while some parameter is lost.
        """
        return self.steps.are_done() if self.steps.optimizers else bool(self.firsts) and not self._lost

    def _most(self, site: Site) -> int:
        trains = any(one is not None for one in site.examinations.values())
        return MOST_ROUNDS if trains else MOST_WITHIN

    def _may_tell_more(self, event: BackwardEvent) -> bool:
        """Whether a later execution of a line may give a gradient that is still waited for."""
        if self.steps.optimizers:
            return self.steps.wait_for(event.inputs)
        names = self.steps.surroundings.names
        return bool(self._lost if event.inputs is None else self._lost.intersection(map(names.given, event.inputs)))

    def _origins(self, event: BackwardEvent) -> Origins:
        parameters = self.steps.numbers() if self.steps.optimizers else self.steps.surroundings.numbers
        return trace_origins(self._recording, event.roots, parameters)

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
            site.last = ended or running or self.steps.surroundings.examine(event, site)
            if site.last is not None:
                site.last.finish(event)
        if self._ending is site and event.error is None:
            self._stop(site)

    def _learn(self, site: Site, examination: Examination) -> None:
        """Take in who got a gradient for the first time, and who never did."""
        told = self.steps.learn(examination)
        if examination is not site.first:
            site.fruitless += not told
        self._lost = (self._lost | examination.losing()) - self.steps.learning

    def _stop(self, site: Site) -> None:
        self.over = site.location
        self.steps.close()
        self._recording.pause()
        if not self._go_on:
            self._announce(site.location)
            raise Stopped
