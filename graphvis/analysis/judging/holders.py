"""What a run saw of its optimizers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """An optimizer, as a run saw it.

    Attributes:
        kind: its class's name.
        parameters: what it holds, by name.
        stepped: whether it had stepped when the recording ended.
        backwards: the diagnoses of those backwards that ran between the step before, of whichever optimizer, and its
            own first step: it is they that it takes its gradients from.
        given: parameters that had a gradient at its first step, whatever the backwards that were diagnosed gave: not
            every execution of a line that starts one is diagnosed.
        without: parameters that had none at its first step: what ``autograd.grad`` gave for them went elsewhere.
        starved: parameters that had none at any step that was seen, nor when a new round began: what a backward may
            have given them was cleared before the optimizer took it.
    """

    kind: str
    parameters: frozenset[str]
    stepped: bool
    backwards: frozenset[int] = frozenset()
    given: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    starved: frozenset[str] = frozenset()


class Optimizers(msgspec.Struct, frozen=True, kw_only=True):
    """What a run saw of its optimizers.

    Attributes:
        holders: they, in the order in which they were built.
        asked: parameters whose gradients the script took in hand by ``autograd.grad``: it is its own optimizer there.
        by_hand: the diagnoses of ``autograd.grad``, which leaves no gradient with a parameter.
        rounds: how often the line that starts a backward most often did so; 0 where the script failed, which says
            nothing of what it would have done next.
    """

    holders: tuple[Holder, ...] = ()
    asked: frozenset[str] = frozenset()
    by_hand: frozenset[int] = frozenset()
    rounds: int = 0

    def starved(self) -> frozenset[str]:
        """The parameters whose gradients come to none of those that hold them."""
        fed = {name for one in self.holders for name in one.parameters - one.starved}
        return frozenset(name for one in self.holders for name in one.starved) - fed


def without_steps(optimizers: Optimizers, order: Sequence[str]) -> Iterator[str]:
    """What is to be said of optimizers that nobody saw step; `order` is that of the parameters."""
    stepped = {name for holder in optimizers.holders if holder.stepped for name in holder.parameters}
    for holder in optimizers.holders if optimizers.rounds else ():
        names = [name for name in order if name in holder.parameters and name not in stepped]
        if names and not holder.stepped:
            rounds = f"{optimizers.rounds} rounds" if optimizers.rounds > 1 else "1 backward"
            yield f"{rounds} passed without a step of the {holder.kind} that holds {some(names)}"


def some(names: Sequence[str]) -> str:
    """The first of some names."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
