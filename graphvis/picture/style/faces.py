"""How each box looks in each half."""

from __future__ import annotations

from collections.abc import Iterable

from graphvis.analysis.overwriting import changed_unseen, refused, written_unseen
from graphvis.model import Comparison, Pair, TensorInfo
from graphvis.picture.scene import Face, Mark, Row, Span
from graphvis.picture.style.side import Side
from graphvis.picture.style.words import fold_words, saved_words, shape_words, some_of, source_line

_WHY = {
    "freed": "freed: nothing points here",
    "no_grad": "not recorded",
    "inference_mode": "not recorded",
    "constant": "no gradient",
}
_FIELDS = ("requires_grad", "is_leaf", "grad_fn", "_version")


class Faces:
    """The faces of one comparison.

    Args:
        comparison: what is drawn.
        sides: its moments, before first.
    """

    def __init__(self, comparison: Comparison, sides: tuple[Side, ...]) -> None:
        self._pairs = comparison.nodes
        self._sides = sides
        self._conflicts = tuple(dict(_conflicts(side, sides[0])) for side in sides)
        self._shown = {place: self._fields(pair) for place, pair in enumerate(self._pairs)}

    def of(self, place: int) -> tuple[Face | None, ...]:
        """One face for each half; None where the box is not there."""
        pair = self._pairs[place]
        return tuple(self._face(place, number, index) for number, index in enumerate(indices(pair, len(self._sides))))

    def _face(self, place: int, number: int, index: int | None) -> Face | None:
        side = self._sides[number]
        if index is None:
            return self._gone(place) if number else None
        if index in side.hidden:
            return None
        if index in side.graph.folds:
            return self._fold(number, index)
        if side.graph.kinds[index] == "function":
            return self._function(place, number, index)
        return self._tensor(place, number, index)

    def _gone(self, place: int) -> Face | None:
        """A box that only the graph before has: pale, in its old place, where nobody knows what became of it.

        Where the program was recorded, it is known: the program after did not make it, so it is not there.
        """
        before = None if self._sides[1].traced else self._face(place, 0, self._pairs[place].before)
        if before is None:
            return None
        caption = () if before.rows or before.aside else (Span("no longer reached"),)
        aside = "no longer reached" if before.rows or before.aside else ""
        return Face(
            look="function" if before.look in ("function", "conflict") else "constant",
            pale=True, heading=before.heading, aside=aside, caption=caption, tooltip=before.tooltip,
        )  # fmt: skip

    def sheets(self, place: int) -> int:
        """How many more sheets stand behind a box: it is drawn once for several that are alike."""
        after = self._pairs[place].after
        fold = None if after is None else self._sides[-1].graph.folds.get(after)
        return 0 if fold is None else min(fold.times - 1, 2)

    def _fold(self, number: int, index: int) -> Face:
        side, graph = self._sides[number], self._sides[number].graph
        fold = graph.folds[index]
        told = fold_words(fold)
        caption = [Span(told)] if told else []
        tooltip = some_of(fold.modules) or ", ".join(fold.operations) or graph.names[index]
        reached = side.reaches(index)
        if not reached and not fold.lost:
            caption.append(Span("no gradient"))
        return Face(
            look="module", pale=not reached, heading=graph.names[index], caption=tuple(caption), tooltip=tooltip
        )

    def _function(self, place: int, number: int, index: int) -> Face:
        side, graph = self._sides[number], self._sides[number].graph
        name = graph.names[index]
        tooltip = source_line(graph.locations.get(index)) or name
        if module := graph.modules.get(index):
            tooltip += f"  in {module}"
        if index in graph.ghosts:
            reason = graph.ghosts[index]
            before = self._pairs[place].before
            known = reason == "freed" and number and before is not None
            heading = self._sides[0].graph.names[before] if known and before is not None else name
            return Face(look="function", pale=True, heading=heading, caption=(Span(_WHY[reason]),), tooltip=tooltip)
        if index in self._conflicts[number]:
            words = self._conflicts[number][index]
            return Face(look="conflict", heading=name, caption=(Span(words, "bad"),), badge=True, tooltip=tooltip)
        if not side.reaches(index):
            words = "not reached" if side.error and not side.stillborn else "no gradient"
            return Face(look="function", pale=True, heading=name, caption=(Span(words),), tooltip=tooltip)
        if caption := tuple(_none_words(side, index)):
            return Face(look="conflict", heading=name, caption=caption, badge=True, tooltip=tooltip)
        return Face(look="function", heading=name, caption=self._caption(place, number, index), tooltip=tooltip)

    def _caption(self, place: int, number: int, index: int) -> tuple[Span, ...]:
        """What a healthy function says: its slots where one is cut, its saved version where that is the matter."""
        halves = indices(self._pairs[place], len(self._sides))
        saved = self._sides[number].graph.saved.get(index, ())
        if any(i in conflicts for i, conflicts in zip(halves, self._conflicts, strict=True)):
            noted = next((s for s in saved if s.saved_version is not None), None)
            return (Span(f"saved {noted.name}: version {noted.saved_version}"),) if noted else ()
        if any(i in side.stubs for i, side in zip(halves, self._sides, strict=True)):
            return tuple(_slot_words(self._sides[number], index))
        return ()

    def _tensor(self, place: int, number: int, index: int) -> Face:
        side = self._sides[number]
        info = side.graph.tensors[index]
        leaf = info.is_leaf and info.requires_grad
        kind = ("parameter" if info.is_parameter else "leaf") if leaf else ""
        aside = f"{kind}, {shape_words(info.shape)}" if kind else shape_words(info.shape)
        heading = ", ".join(filter(None, (info.name, *info.aliases)))
        return Face(
            look="leaf" if leaf else "tensor" if side.connected(index) else "constant",
            heading=heading or "unnamed",
            aside=aside,
            rows=tuple(self._rows(place, number, index, info)),
            tooltip=source_line(side.graph.locations.get(index)) or _tensor_words(info),
        )

    def _rows(self, place: int, number: int, index: int, info: TensorInfo) -> Iterable[Row]:
        old = self._before(place) if number else None
        if info.value is not None:
            yield Row("", info.value, "changed" if old and old.value not in (None, info.value) else "plain")
        for field in _FIELDS:
            if field not in self._shown[place]:
                continue
            text = _field(info, field)
            was = _field(old, field) if old else text
            if was == text:
                yield Row(field, text, "bad" if field == "_version" and self._blind(number, info) else "plain")
            else:
                yield Row(field, f"{was} → {text}" if field == "_version" else text, "changed")
        yield from self._grad(place, number, info)

    def _grad(self, place: int, number: int, info: TensorInfo) -> Iterable[Row]:
        outcome = self._sides[number].moment.outcome
        if not (info.is_leaf and info.requires_grad):
            return
        if outcome is None:
            index = indices(self._pairs[place], len(self._sides))[number]
            if index is not None and not self._sides[number].reaches(index):
                yield Row(".grad", "None", "bad")
            return
        if not info.name:
            return
        now = outcome.grads.get(info.name)
        earlier = self._sides[0].moment.outcome if number else None
        mark: Mark = "plain"
        if info.name in outcome.wrong:
            mark = "bad"
        elif earlier is not None and info.name in earlier.grads:
            was = earlier.grads[info.name]
            if was is not None and now is None:
                mark = "plain" if self._sides[number].moment.intended else "bad"
            elif was != now:
                mark = "changed"
        elif now is None and (outcome.error or (earlier is not None and not self._sides[number].moment.intended)):
            mark = "bad"  # it had none before either, and nobody wanted that
        yield Row(".grad", now if now is not None else "None", mark)

    def _before(self, place: int) -> TensorInfo | None:
        before = self._pairs[place].before
        return None if before is None else self._sides[0].graph.tensors.get(before)

    def _fields(self, pair: Pair) -> frozenset[str]:
        """The fields that carry the lesson: asked for, changed, or (versions) shared with another tensor."""
        found: set[str] = set()
        seen: list[TensorInfo] = []
        halves = zip(indices(pair, len(self._sides)), self._sides, self._conflicts, strict=True)
        for index, side, conflicts in halves:
            if index is None or (info := side.graph.tensors.get(index)) is None:
                continue
            seen.append(info)
            found.update(side.moment.shows.get(info.name or "", ()))
            told = side.moment.outcome is not None or bool(conflicts)
            if told and (info.version or (info.storage is not None and _shared(side, info))):
                found.add("_version")
        if len(seen) == 2:
            found.update(field for field in _FIELDS if _field(seen[0], field) != _field(seen[1], field))
        return frozenset(found)

    def _blind(self, number: int, info: TensorInfo) -> bool:
        """Whether this counter missed the write that makes a gradient silently wrong."""
        side = self._sides[number]
        outcome = side.moment.outcome
        if outcome is None or not outcome.wrong:
            return False
        return any(
            s.storage == info.storage for node in self._conflicts[number] for s in side.graph.saved.get(node, ())
        )


def indices(pair: Pair, halves: int) -> tuple[int | None, ...]:
    """The pair's node in each half."""
    return (pair.before, pair.after) if halves == 2 else (pair.after,)


def _conflicts(side: Side, earlier: Side) -> Iterable[tuple[int, str]]:
    """Nodes whose saved tensor was overwritten, with what they say of it."""
    graph = side.graph
    found = list(refused(graph))
    if side.moment.outcome is not None and side.moment.outcome.wrong:
        found += [*written_unseen(graph), *changed_unseen(earlier.graph, graph)]
    for node, one in found:
        name = next((info.name for info in graph.tensors.values() if info.name and info.storage == one.storage), "")
        yield node, saved_words(one, name or "")


def _shared(side: Side, info: TensorInfo) -> bool:
    shown = (other for index, other in side.graph.tensors.items() if index not in side.hidden)
    return sum(other.storage == info.storage for other in shown) > 1


def _field(info: TensorInfo, field: str) -> str:
    value = info.version if field == "_version" else getattr(info, field)
    return "none" if value is None and field == "_version" else str(value)


def _slot_words(side: Side, node: int) -> Iterable[Span]:
    graph = side.graph
    stubs = side.stubs.get(node, ())
    for edge in graph.slots_of(node):
        slot, target = graph.slots[edge], graph.targets[edge]
        if slot in stubs:
            yield Span(f"slot {slot}: None", "bad")
        elif target >= 0:
            box = side.stand_in(target, graph.output_nrs[edge])
            yield Span(f"slot {slot}: {graph.names[box]}")


def _none_words(side: Side, node: int) -> Iterable[Span]:
    """What a function says that gave no gradient: for which slots, where it gave one for others."""
    graph, nones = side.graph, side.swallowed(node)
    given = any(side.passes(edge) for edge in graph.slots_of(node))
    if nones and not given:
        yield Span("returns None", "bad")
        return
    for edge in nones:
        name = graph.names[side.stand_in(graph.targets[edge], graph.output_nrs[edge])]
        yield Span(f"slot {graph.slots[edge]}: returns None{f' for {name}' if name else ''}", "bad")


def _tensor_words(info: TensorInfo) -> str:
    return f"{info.name or 'unnamed'}: {info.dtype} {shape_words(info.shape)} on {info.device}"
