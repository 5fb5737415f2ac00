"""The scene of a graph, a moment or a comparison."""

from __future__ import annotations

from graphvis.model import Comparison, Drawable, Graph, Moment
from graphvis.picture.scene import Box, Face, Half, Line, Scene, Strip
from graphvis.picture.style.faces import Faces, indices
from graphvis.picture.style.links import links_of
from graphvis.picture.style.provenance import provenance
from graphvis.picture.style.side import Side, standing
from graphvis.picture.style.words import error_words


def scene_of(drawable: Drawable) -> Scene:
    """What is shown of a drawable.

    Raises:
        TypeError: if it is of a kind that has no picture.
    """
    if isinstance(drawable, Comparison):
        return _scene(drawable)
    if isinstance(drawable, Moment):
        return _scene(_alone(drawable))
    if isinstance(drawable, Graph):
        return _scene(_alone(Moment(graph=drawable)))
    raise TypeError(f"{type(drawable).__name__} has no picture")


def _alone(moment: Moment) -> Comparison:
    from graphvis.analysis.comparing import single

    return single(moment)


def _scene(comparison: Comparison) -> Scene:
    moments = (comparison.before, comparison.after) if comparison.before else (comparison.after,)
    sides = tuple(Side(moment) for moment in moments if moment is not None)
    faces = Faces(comparison, sides)
    boxes = [
        Box(id=f"n{place}", faces=looks, state=comparison.nodes[place].state)
        for place in range(len(comparison.nodes))
        if any(looks := faces.of(place))
    ]
    starts = _starts(comparison, sides)
    boxes += [
        Box(id=box, faces=tuple(Face(look="start", heading=heading) if heading else None for heading in headings))
        for box, (_, headings) in starts.items()
    ]
    halves = tuple(_half(side, number, len(sides)) for number, side in enumerate(sides))
    return Scene(
        name=comparison.name,
        title=comparison.title,
        description=_description(comparison, halves),
        halves=halves,
        boxes=tuple(boxes),
        links=links_of(comparison, sides, {box: root for box, (root, _) in starts.items()}),
        metadata=provenance(comparison),
    )


def _starts(comparison: Comparison, sides: tuple[Side, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """For each start box the id of the box it starts at, and its words in each half."""
    if all(side.moment.outcome is None for side in sides):
        return {}
    found: dict[str, list[str]] = {}
    for number, side in enumerate(sides):
        places = {indices(pair, len(sides))[number]: place for place, pair in enumerate(comparison.nodes)}
        for root in side.graph.roots:
            box = f"n{places[standing(side, root)]}"
            found.setdefault(box, [""] * len(sides))[number] = side.moment.start
    return {f"s{box[1:]}": (box, tuple(headings)) for box, headings in found.items()}


def _half(side: Side, number: int, halves: int) -> Half:
    moment = side.moment
    title = ("BEFORE", "AFTER")[number] if halves == 2 else ""
    return Half(
        title=title,
        code=tuple(moment.code.splitlines()),
        note=moment.note,
        strip=_strip(moment),
    )


def _strip(moment: Moment) -> Strip | None:
    outcome = moment.outcome
    if outcome is None:
        return None
    says = (Line(moment.says),) if moment.says else ()
    if outcome.error is not None:
        return Strip(good=False, headline="backward() raises", lines=(Line(error_words(moment), mono=True), *says))
    lost = [name for name, grad in outcome.grads.items() if grad is None]
    good = not outcome.wrong and (moment.intended or not lost)
    names = sorted(outcome.grads, key=lambda name: (name not in outcome.wrong, name not in lost))
    texts = [f"{name}.grad = {outcome.grads[name]}" for name in names]
    if not texts:
        return Strip(good=good, headline="nothing to train", lines=says)
    others = (Line("; ".join(texts[1:])),) if 1 < len(texts) <= 3 else ()
    if len(texts) > 3:
        given = sum(grad is not None for grad in outcome.grads.values())
        others = (Line(f"{given} of {len(texts)} leaves get a gradient."),)
    return Strip(good=good, headline=texts[0], lines=(*others, *says))


def _description(comparison: Comparison, halves: tuple[Half, ...]) -> str:
    """The finding in words, for readers who cannot see the picture."""
    told = [comparison.description] if comparison.description else []
    for half in halves:
        if half.strip:
            words = " ".join([half.strip.headline + ".", *(line.text for line in half.strip.lines)])
            told.append(f"{half.title.capitalize() or 'Outcome'}: {words}")
    if not told:
        nodes = sum(index is not None for pair in comparison.nodes for index in (pair.after,))
        told.append(f"An autograd graph of {nodes} nodes.")
    return " ".join(told)
