"""The lines of a script that start a backward, and its optimizers, with what was seen of each."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from graphvis.live.script.examining import Examination
from graphvis.live.script.naming import parameters_of
from graphvis.live.script.origins import Origins
from graphvis.model import Location

MOST_FRUITLESS = 3
"""How many examinations of one line that told nothing new there may be."""


@dataclass(eq=False)
class Site:
    """A line that starts a backward.

    Attributes:
        location: the line.
        caller: the user's own line, where that lies in a library; None where they are one.
        started: how often it ran.
        rounds: how often it came round again.
        finished: how often its backward ran to its end.
        examinations: what was seen at its first execution, and at those later ones of other origins at which some
            optimizer was still to step; by origins. None where nothing is trained by it.
        running: the examination of the backward that runs now.
        fruitless: how many of them told nothing new.
        late: whether it was looked at once more, as an optimizer held parameters that nobody had known of.
        conflicts: what they told of overwritten tensors.
        ended: what was seen at the execution at which the script is to be stopped, and the origins of that.
        last: the same, where its diagnosis counts besides: where that backward raised, as one does that reaches into
            the round before, or where something was overwritten that was intact in the first.
    """

    location: Location
    caller: Location | None = None
    started: int = 0
    rounds: int = 0
    finished: int = 0
    examinations: dict[Origins, Examination | None] = field(default_factory=dict)
    running: Examination | None = None
    fruitless: int = 0
    late: bool = False
    conflicts: set[tuple[object, ...]] = field(default_factory=set)
    ended: tuple[Origins, Examination] | None = None
    last: Examination | None = None

    @property
    def first(self) -> Examination | None:
        """What was seen at its first execution."""
        return next(iter(self.examinations.values()), None)

    def names(self) -> set[str]:
        """The parameters that were known at some execution that was examined."""
        return {name for one in self.examinations.values() if one is not None for name in one.names()}


@dataclass
class Held:
    """An optimizer and what is known of it.

    Attributes:
        kind: its class's name.
        optimizer: it, as long as the script keeps it.
        names: of its parameters.
        former: the names that they had when it was built, by ``id``; it keeps them alive.
        steps: how many steps it has finished.
        backwards: what tells of those that ran between the step before its first, of whichever optimizer, and its
            first.
        given: names of parameters that had a gradient at its first step, though no backward that was examined gave one.
        without: names of those that had none then; None before.
        fed: names of those that had a gradient at some step.
        starved: names of the others, where what gradient a backward may have given them was gone again when the
            recording ended.
    """

    kind: str
    optimizer: weakref.ref[Any]
    names: set[str] = field(default_factory=set)
    former: dict[int, str] = field(default_factory=dict)
    steps: int = 0
    backwards: list[Examination] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    without: set[str] | None = None
    fed: set[str] = field(default_factory=set)
    starved: set[str] = field(default_factory=set)

    def parameters(self) -> list[torch.Tensor]:
        """What it holds now; nothing where the script has let it go."""
        optimizer = self.optimizer()
        return [] if optimizer is None else parameters_of(optimizer)


def telling(
    again: Iterable[Examination],
    firsts: Sequence[Examination],
    optimizers: Sequence[Held],
    first: Callable[[str], str],
) -> Iterator[Examination]:
    """Of what was seen at later executions of lines that were seen before, what tells of an optimizer's parameters.

    It does so where it is the first that gives one a gradient, or of its line the first that knows of one, or where the
    optimizer's own first step came after it and it knows another reason why there is none. Where there is no optimizer,
    all parameters matter, and any reason but that they are not used.

    Args:
        again: what was seen at the later ones, in the order in which they ran.
        firsts: what was seen at the first ones.
        optimizers: whose parameters matter.
        first: of the name of a parameter in a model that took another's place, the name of the one before. That it
            learns as that did is no news.
    """
    again = list(again)
    held = {name for one in optimizers for name in one.names} if optimizers else None
    learning = {name for one in (*firsts, *again) for name in one.learning()}
    known = {first(name) for one in firsts for name in one.learning()}
    kept = list(firsts)
    for examination in again:
        learns = examination.learning()
        new = {first(name) for name in (learns if held is None else learns & held)} - known
        if held is None:
            explained = {reason[0] for one in kept for reason in one.reasons(one.losing()) if reason[1] != "unused"}
            why = examination.reasons(examination.losing() - learning - explained)
            says_why = any(reason[1] != "unused" for reason in why)
        else:
            says_why = any(
                examination.reasons(one.names - one.given - learning)
                - {reason for other in one.backwards if other in kept for reason in other.reasons(one.names)}
                for one in optimizers
                if examination in one.backwards
            )
        if new or says_why or examination.late:
            known |= new
            kept.append(examination)
            yield examination
