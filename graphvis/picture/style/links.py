"""How each link looks in each half: which lanes it has, and where they stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

from graphvis.model import Comparison, Cut
from graphvis.model.comparison import State
from graphvis.picture.scene import GradientLane, Link, Wire
from graphvis.picture.style.side import Side, standing
from graphvis.picture.style.words import cut_label, source_line

_Ends = tuple[str, str]


def links_of(comparison: Comparison, sides: tuple[Side, ...], starts: Mapping[str, str]) -> tuple[Link, ...]:
    """All links of the picture.

    Args:
        comparison: what is drawn.
        sides: its moments, before first.
        starts: for each start box the box that backward is started at.
    """
    halves = [_Half(comparison, side, number, len(sides)) for number, side in enumerate(sides)]
    wires: list[dict[_Ends, Wire | None]] = [dict(half.wires()) for half in halves]
    ends = list(dict.fromkeys(key for half in wires for key in half))
    if len(halves) == 2:
        for key, wire in wires[0].items():
            assert wire is not None
            now = wires[1].get(key)
            if now is not None:
                wires[1][key] = _after(wire, now)
            else:
                wires[1][key] = None if halves[1].side.traced else _gone(wire, key, halves)
    back = _returning(ends, {key for half in wires for key, wire in half.items() if wire and wire.gradient == "cut"})
    lanes = [
        Link(
            tail=tail,
            head=head,
            wires=(looks := tuple(half.get((tail, head)) for half in wires)),
            state=_state(looks),
            returns=(tail, head) in back,
        )
        for tail, head in ends
    ]
    sharing = [dict.fromkeys(half.shared()) for half in halves]
    shared = list(dict.fromkeys(pair for half in sharing for pair in half))
    storage = [
        Link(
            tail=tail,
            head=head,
            kind="storage",
            wires=(looks := tuple(Wire() if (tail, head) in half else None for half in sharing)),
            state=_state(looks),
        )
        for tail, head in shared
    ]
    start = [
        Link(
            tail=root,
            head=box,
            kind="start",
            wires=(looks := tuple(half.start(root) for half in halves)),
            state=_state(looks),
        )
        for box, root in starts.items()
    ]
    return (*lanes, *storage, *start)


def _returning(ends: list[_Ends], cut: set[_Ends]) -> set[_Ends]:
    """Of what is cut what leads back to where it came from: a loop of which one round is drawn is cut between two."""
    onward: dict[str, set[str]] = {}
    for tail, head in ends:
        if (tail, head) not in cut:
            onward.setdefault(tail, set()).add(head)
    found = set()
    for tail, head in sorted(cut):
        seen, stack = {head}, [head]
        while stack and tail not in seen:
            new = onward.get(stack.pop(), set()) - seen
            seen |= new
            stack += new
        if tail in seen:
            found.add((tail, head))
        else:
            onward.setdefault(tail, set()).add(head)
    return found


class _Half:
    """The links of one half, by the ids of their boxes."""

    def __init__(self, comparison: Comparison, side: Side, number: int, halves: int) -> None:
        self.side = side
        self.scenario = comparison.name
        self.roots = {standing(side, root) for root in side.graph.roots}
        index = [pair.before if halves == 2 and number == 0 else pair.after for pair in comparison.nodes]
        self.ids = {i: f"n{place}" for place, i in enumerate(index) if i is not None}

    def wires(self) -> dict[_Ends, Wire]:
        side, graph = self.side, self.side.graph
        found: dict[_Ends, Wire] = {}
        for tail, head, lane, edge in side.lanes():
            key = self.ids[tail], self.ids[head]
            if key not in found or lane == "flow":
                tooltip = source_line(graph.locations.get(graph.sources[edge]))
                found[key] = Wire(value="flow" if side.traced else None, gradient=lane, tooltip=tooltip)
        severed: dict[_Ends, list[Cut]] = {}
        called: dict[_Ends, str] = {}
        for value in graph.values:
            tail, head = side.stand_in(value.source), value.target
            if head in side.hidden or tail in side.hidden or (tail == head and value.cut is None):
                continue
            key = self.ids[tail], self.ids[head]
            if value.cut is not None:
                severed.setdefault(key, []).append(graph.cuts[value.cut])
                called[key] = graph.names[head] if graph.kinds[head] == "function" else ""
                found[key] = Wire(value="flow", gradient="cut")  # keeps the place of what is told below of all of them
            elif key not in found:
                stub = value.slot is not None and tail in side.behind_cut
                came: GradientLane | None = "stub" if stub else "never" if side.freed(head) else None
                found[key] = Wire(value="flow", gradient=came, slot=value.slot if stub else None)
        return found | {key: self._cut(cuts, called[key]) for key, cuts in severed.items()}

    def _cut(self, cuts: list[Cut], called: str) -> Wire:
        """One link for all that is cut between two boxes; the words of each line, with how often it cuts."""
        # What left PyTorch in one call may have come back in many: that is one cut for those who read the code.
        calls = (-i - 1 if cut.call is None else cut.call for i, cut in enumerate(cuts))
        by_call = {(cut.kind, cut.location, call): cut for cut, call in zip(cuts, calls, strict=True)}
        cuts = list(by_call.values())
        first = {(cut.kind, cut.location): cut for cut in reversed(cuts)}
        counts = {
            (cut_label(first[key], called, self.scenario), source_line(first[key].location)): count
            for key, count in Counter((cut.kind, cut.location) for cut in cuts).items()
        }
        (label, _), most = max(counts.items(), key=lambda pair: pair[1])
        times = f" ×{most}" if most > 1 else ""
        places = [label[1:] for label, _ in counts if label[1:]]
        more = f" +{len(places) - 1}" if len(places) > 1 else ""
        told = [f"{line}: the value goes on, its gradient does not{_times(n)}" for (_, line), n in counts.items()]
        words = (f"{label[0]}{times}", *(f"{line}{more}" for line in label[1:]))
        return Wire(value="flow", gradient="cut", label=words, tooltip="\n".join(told))

    def shared(self) -> Iterable[_Ends]:
        """Neighbours among the drawn tensors that share one storage."""
        groups: dict[int, list[int]] = {}
        for index, info in self.side.graph.tensors.items():
            if info.storage is not None and index not in self.side.hidden:
                groups.setdefault(info.storage, []).append(index)
        for members in groups.values():
            ordered = sorted(members, key=lambda i: (self.side.graph.tensors[i].trace_number or 0, i))
            for one, other in pairwise(ordered):
                yield self.ids[one], self.ids[other]

    def start(self, box: str) -> Wire | None:
        if box not in {self.ids[root] for root in self.roots}:
            return None
        return Wire(gradient="never" if self.side.stillborn else "flow")


def _times(count: int) -> str:
    return f", {count} times" if count > 1 else ""


def _after(before: Wire, after: Wire) -> Wire:
    """A link whose gradient went and that no cut explains: it never gets here."""
    if before.gradient == "flow" and after.gradient is None:
        return Wire(value=after.value, gradient="never", tooltip=after.tooltip)
    return after


def _gone(before: Wire, ends: _Ends, halves: list[_Half]) -> Wire:
    """A link that only the graph before has, where no recording tells more: cut, or behind what was cut."""
    ids = set(halves[1].ids.values())
    return Wire(gradient="cut" if ids.issuperset(ends) else "never", tooltip=before.tooltip)


def _state(wires: tuple[Wire | None, ...]) -> State:
    last = wires[-1]
    if last is None:
        return "severed"
    if len(wires) == 2 and wires[0] is None:
        return "new"
    if last.gradient in ("cut", "stub"):
        return "severed"
    return "unreachable" if last.gradient == "never" else "kept"
