"""The scene of two moments side by side, or of one."""

from __future__ import annotations

from graphvis.model import Comparison, Moment
from graphvis.picture.scene import Half, Line, Scene, Strip
from graphvis.picture.style.drawing import picture_of
from graphvis.picture.style.provenance import provenance
from graphvis.picture.style.side import Side
from graphvis.picture.style.words import error_words


def scene_of_comparison(comparison: Comparison) -> Scene:
    """What is shown of two moments, or of one half."""
    moments = (comparison.before, comparison.after) if comparison.before else (comparison.after,)
    sides = tuple(Side(moment) for moment in moments if moment is not None)
    started = any(side.moment.outcome is not None for side in sides)
    boxes, links = picture_of(comparison, sides, started=started)
    order = _order([side.moment for side in sides])
    halves = tuple(_half(side, number, len(sides), order) for number, side in enumerate(sides))
    return Scene(
        name=comparison.name,
        title=comparison.title,
        description=_description(comparison, halves),
        halves=halves,
        boxes=boxes,
        links=links,
        metadata=provenance(comparison),
    )


def _order(moments: list[Moment]) -> list[str]:
    """The leaves, in the order in which every half tells of them: where a gradient is wrong or lost comes first."""
    outcomes = [moment.outcome for moment in moments if moment.outcome is not None]
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.grads)
    wrong = {name for outcome in outcomes for name in outcome.wrong}
    lost = {name for outcome in outcomes for name, grad in outcome.grads.items() if grad is None}
    return sorted(names, key=lambda name: (name not in wrong, name not in lost))


def _half(side: Side, number: int, halves: int, order: list[str]) -> Half:
    moment = side.moment
    title = ("BEFORE", "AFTER")[number] if halves == 2 else ""
    return Half(
        title=title,
        code=tuple(moment.code.splitlines()),
        note=moment.note,
        strip=_strip(moment, order),
    )


def _strip(moment: Moment, order: list[str]) -> Strip | None:
    outcome = moment.outcome
    if outcome is None:
        return None
    says = (Line(moment.says),) if moment.says else ()
    if outcome.error is not None:
        return Strip(good=False, headline="backward() raises", lines=(Line(error_words(moment), mono=True), *says))
    lost = [name for name, grad in outcome.grads.items() if grad is None]
    good = not outcome.wrong and (moment.intended or not lost)
    names = [name for name in order if name in outcome.grads]
    texts = [f"{name}.grad = {outcome.grads[name]}" for name in names]
    if not texts:
        return Strip(good=good, headline="nothing to train", lines=says)
    others = (Line("; ".join(texts[1:])),) if 1 < len(texts) <= 3 else ()
    if len(texts) > 3:
        given = sum(grad is not None for grad in outcome.grads.values())
        others = (Line(f"{given} of {len(texts)} leaves get a gradient."),)
    right = tuple(
        Line(f"No error, and wrong: right is {outcome.wrong[name]}.") for name in names[:1] if name in outcome.wrong
    )
    return Strip(good=good, headline=texts[0], lines=(*right, *others, *says))


def _description(comparison: Comparison, halves: tuple[Half, ...]) -> str:
    """The finding in words, for readers who cannot see the picture."""
    told = [comparison.description] if comparison.description else []
    for half in halves:
        if half.strip:
            words = " ".join([half.strip.headline.rstrip(".") + ".", *(line.text for line in half.strip.lines)])
            told.append(f"{half.title.capitalize() or 'Outcome'}: {words}")
    if not told:
        nodes = sum(index is not None for pair in comparison.nodes for index in (pair.after,))
        told.append(f"An autograd graph of {nodes} nodes.")
    return " ".join(told)
