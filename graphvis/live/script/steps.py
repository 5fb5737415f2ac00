"""The steps of a script's optimizers, and the backwards that each takes its gradients from."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import optimizer as optimizers

from graphvis.analysis.judging import Holder
from graphvis.live.probe import count
from graphvis.live.recorder import Recording
from graphvis.live.script.examining import Examination
from graphvis.live.script.naming import Names, is_place, parameters_of
from graphvis.live.script.sites import Held, Site
from graphvis.live.script.surroundings import Surroundings


class Steps:
    """Takes note of each optimizer that the script builds, and of its first step.

    Attributes:
        optimizers: what is known of each, in the order in which they were built.
        surroundings: where their parameters are looked up.
        learning: the names of parameters that some examined backward gives a gradient.

    Args:
        recording: the recording that runs.
    """

    def __init__(self, recording: Recording) -> None:
        self.optimizers: list[Held] = []
        self.surroundings = Surroundings(recording, self.optimizers)
        self.learning: set[str] = set()
        self._recording = recording
        self._since_step: list[tuple[Site, Examination | None]] = []
        self._stepped = False
        self._stepping: list[Any] = []
        self._handles: list[Any] | None = None

    def open(self) -> None:
        """Begin to watch."""
        self._recording.on_optimizer(self._built)
        self._handles = [
            optimizers.register_optimizer_step_pre_hook(self._begin),
            optimizers.register_optimizer_step_post_hook(self._end),
        ]

    def close(self) -> None:
        """Watch no longer; may be called again."""
        handles, self._handles = self._handles or (), None
        for handle in handles:
            handle.remove()

    def note(self, site: Site, examination: Examination | None) -> None:
        """Note a backward for the optimizer that steps next."""
        if self._stepped:
            self._since_step, self._stepped = [], False
        if not any(site is other and examination is one for other, one in self._since_step):
            self._since_step.append((site, examination))

    def learn(self, examination: Examination) -> bool:
        """Take in who gets a gradient from a backward.

        Returns:
            Whether one is among them that an optimizer holds (any, where the script has none), and that had none
            before, nor had the one of the same name in a model of which it takes the place.
        """
        before = {self.surroundings.names.first(name) for name in self.learning}
        learning = examination.learning()
        held = learning.intersection(*([self.held()] if self.optimizers else []))
        self.learning |= learning
        return not {self.surroundings.names.first(name) for name in held} <= before

    def held(self) -> set[str]:
        """The names of what the optimizers hold."""
        return {name for one in self.optimizers for name in one.names}

    def is_again(self, site: Site) -> bool:
        """Whether a line is run again by an optimizer's closure within one step."""
        return not self._stepped and bool(self._in_progress()) and any(site is one for one, _ in self._since_step)

    def is_trying(self) -> bool:
        """Whether an optimizer makes its first step, by a closure that it may call again and again, as LBFGS does."""
        return any(held.steps == 0 for held in self._in_progress())

    def are_done(self) -> bool:
        """Whether each optimizer that the script still has, has stepped."""
        return all(held.steps for held in self.optimizers if held.optimizer() is not None)

    def wait_for(self, asked: Iterable[torch.Tensor] | None) -> bool:
        """Whether an optimizer is still to step, and nothing gave some of its parameters a gradient so far.

        Args:
            asked: the only ones that the backward to come gives a gradient; None where it gives one to all.
        """
        waiting = [
            held for held in self.optimizers if not held.steps and not (held.names and held.names <= self.learning)
        ]
        if asked is None:
            return any(held.optimizer() is not None for held in waiting)
        ids = {id(tensor) for tensor in asked}
        return any(id(tensor) in ids for held in waiting for tensor in held.parameters())

    def rest(self) -> None:
        """Note, as a round ends, what the optimizers never got, and what gradient is not left for a step to come."""
        for held in self.optimizers:
            optimizer = held.optimizer()
            if optimizer is not None and held.steps:
                held.starved = held.names - held.fed - self._given(held, optimizer)

    def stepped(self) -> set[str]:
        """The names of what those of them hold that have stepped."""
        return {name for one in self.optimizers if one.steps for name in one.names}

    def numbers(self) -> set[int]:
        """The numbers that what the optimizers hold now has in the recording."""
        held = (self._recording.number(tensor) for held in self.optimizers for tensor in held.parameters())
        return {number for number in held if number is not None}

    def holders(self, places: dict[int, int]) -> tuple[Holder, ...]:
        """The optimizers as they are judged; `places` are those of the examinations, by ``id``."""
        stepping = self._in_progress()
        return tuple(
            Holder(
                kind=held.kind,
                parameters=frozenset(held.names),
                stepped=held.steps > 0 or any(held is other for other in stepping),
                backwards=frozenset(places[id(one)] for one in held.backwards if id(one) in places),
                # Not every backward that was examined is told: what learns as the model before it did, for one, is not.
                given=frozenset((held.given | (held.names & self.learning)) - (held.without or set()) - held.starved),
                without=frozenset(held.without or ()),
                starved=frozenset(held.starved),
            )
            for held in self.optimizers
        )

    def _built(self, what: str, optimizer: Any) -> None:
        if what == "built" and self._handles is not None:
            self._hold(optimizer)

    def _hold(self, optimizer: Any) -> Held:
        """What is known of an optimizer; it is looked up when it is new."""
        known = next((held for held in self.optimizers if held.optimizer() is optimizer), None)
        if known is not None:
            return known
        held = Held(type(optimizer).__name__, weakref.ref(optimizer))
        self.optimizers.append(held)
        by_id = {id(tensor): name for name, tensor in self.surroundings.find().items()}
        own = ((id(tensor), by_id.get(id(tensor))) for tensor in parameters_of(optimizer))
        held.former = {key: name for key, name in own if name is not None and not is_place(name)}
        held.names.clear()
        if not self.surroundings.known:
            self.surroundings.names = Names()  # what a module is called depends on those beside it, and more may come
            for one in self.optimizers:
                one.names.clear()
        return held

    def _begin(self, optimizer: Any, *_: Any) -> None:
        self._stepping.append(optimizer)
        held = self._hold(optimizer)
        if held.steps == 0:
            self._receive(held, optimizer)
        held.fed |= self._given(held, optimizer)

    def _end(self, optimizer: Any, *_: Any) -> None:
        if self._stepping and self._stepping[-1] is optimizer:
            self._stepping.pop()
        held = self._hold(optimizer)
        if held.steps == 0:
            self._receive(held, optimizer)  # a closure has run its backward within the step
            held.fed |= self._given(held, optimizer)
            held.backwards = [examination for _, examination in self._since_step if examination is not None]
        held.steps += 1
        self._stepped = True

    def _receive(self, held: Held, optimizer: Any) -> None:
        """Note what a later execution of a line gave: layers that one loop trains in turn share the line."""
        if any(self.surroundings.names.given(parameter) is None for parameter in parameters_of(optimizer)):
            self.surroundings.find()
        known, missing = self.learning | held.given, set[str]()
        with torch.no_grad(), torch._C.DisableTorchFunction():
            for parameter in parameters_of(optimizer):
                name, gradient = self.surroundings.names.given(parameter), parameter.grad
                if name is None:
                    continue  # no leaf
                held.names.add(name)
                if gradient is None:
                    missing.add(name)
                elif name not in known and count(gradient):
                    held.given.add(name)
        # A closure makes gradients within the step, and some optimizers let them go there.
        held.without = missing if held.without is None else held.without & missing

    def _given(self, held: Held, optimizer: Any) -> set[str]:
        """The names of those that have a gradient now, if of zeros, of those that had none at any step before."""
        names = ((self.surroundings.names.given(parameter), parameter) for parameter in parameters_of(optimizer))
        with torch._C.DisableTorchFunction():
            return {name for name, one in names if name is not None and name not in held.fed and one.grad is not None}

    def _in_progress(self) -> list[Held]:
        return [held for held in self.optimizers if any(held.optimizer() is other for other in self._stepping)]
