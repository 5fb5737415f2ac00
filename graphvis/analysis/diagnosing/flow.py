"""Where values went: for each call what its results were made of, and where the gradient does not come back.

A node is one result of one call (or one tensor that a call wrote to, or a tensor that was there
before). Its makers are the nodes whose values it was computed from; an edge costs 1 where the
gradient stops. Makers always come earlier, so one pass from the last call to the first finds for
every node the paths with the fewest cuts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from graphvis.analysis.cutting import classify, cut_by_name, flowing, is_checkpoint, overwrites, short
from graphvis.analysis.diagnosing.inside import Inside
from graphvis.analysis.diagnosing.regions import (
    Region,
    Runs,
    is_exact,
    overlap,
    parts_of,
    region_of,
    runs,
    within,
    without,
)
from graphvis.model import Call, Entry, Trace
from graphvis.model.cut import CutKind

_JOINING = frozenset({"cat", "concat", "concatenate", "stack"})


class Blame(NamedTuple):
    """Why the gradient does not come back along an edge.

    Attributes:
        kind: the kind of cut.
        call: the call that is to blame.
        tensor: number of the tensor whose gradient stops; None where there is no single one.
    """

    kind: CutKind
    call: int
    tensor: int | None


class Edge(NamedTuple):
    """One way a value came.

    Attributes:
        maker: the node that it came from.
        blame: why the gradient does not go back along it; None where it does.
        certain: whether it is known that the value took this way.
    """

    maker: int
    blame: Blame | None
    certain: bool = True


class _Wrote(NamedTuple):
    node: int
    region: Region
    through: int
    call: int


# A way by which a value came, and the bytes of a tensor that came by it.
_Piece = tuple[Edge, Runs]


class Flow:
    """The value lane of a trace.

    Attributes:
        trace: the recorded run.
        edges: for each node the ways its value came.
        calls: for each node the call that made it; -1 for what was there before.
        of_source: the node of each tensor that was there before, by its number.
        exits: the nodes whose value left PyTorch, by the call at which it did.
    """

    def __init__(
        self, trace: Trace, sources: Collection[int], turned_off: Mapping[int, int], stop: int | None = None
    ) -> None:
        """Build it.

        Args:
            trace: the recorded run.
            sources: numbers of the tensors whose own past is not looked at: the parameters.
            turned_off: see :func:`~graphvis.analysis.diagnosing.modes.turned_off`.
            stop: look at the calls before this one only; None for all.
        """
        self.trace = trace
        self.edges: list[list[Edge]] = []
        self.calls: list[int] = []
        self.of_source: dict[int, int] = {}
        self.exits: dict[int, list[Edge]] = {}
        self._sources = sources
        self._regions: list[Region | None] = [None] * len(trace.tensors)
        self._writes: dict[int, list[_Wrote]] = {}
        self._contents: dict[int, tuple[int, list[_Piece]]] = {}  # and how many writes they account for
        self._groups: list[int] = list(range(len(trace.tensors)))
        self._split: dict[int, CutKind] = {}
        self._backward: list[int] = []
        self._left: dict[int, list[list[_Piece]]] = {}  # for each exit what its inputs were made of then
        self._kinds: dict[int, CutKind | None] = {}
        self._inside = Inside(trace, turned_off)
        for index in range(len(trace.calls) if stop is None else stop):
            self._take(index, trace.calls[index])

    # -- what a tensor's value is made of, at the moment that is being looked at

    def makers(self, number: int) -> list[Edge]:
        """The nodes that the value of a tensor is made of now."""
        if number in self._sources:
            return [Edge(self._source(number), None)]
        return [edge for edge, _ in self._held(number)]

    def _held(self, number: int) -> list[_Piece]:
        """What each part of a tensor's memory is made of: what was known, and the writes since."""
        wrote = self._writes.get(self._storage(number), ())
        known = self._contents.get(number)
        if known is None:
            known = (0, [(Edge(self._source(number), None), runs(self._region(number)))])
        seen, held = known
        if seen < len(wrote):
            held = self._overwrite(number, wrote[seen:], held)
            known = (len(wrote), held)
        self._contents[number] = known
        return held

    def _overwrite(self, number: int, wrote: Sequence[_Wrote], held: list[_Piece]) -> list[_Piece]:
        region, whole = self._region(number), runs(self._region(number))
        for write in wrote:
            if not overlap(write.region, region):
                continue
            foreign = self._groups[write.through] != self._groups[number]
            # Autograd knows nothing of a write through another door: the gradient still finds the old way,
            # and so does the value where the write read it.
            wrote_by = self.trace.calls[write.call]
            passes = foreign and write.through in wrote_by.inputs and not overwrites(wrote_by)
            if is_exact(write.region) and not passes:
                gone = runs(write.region)
                held = [(edge, rest) for edge, before in held if (rest := without(before, gone))]
            edge = Edge(write.node, self._through(write) if foreign else None)
            held = [*held, (edge, within(whole, runs(write.region)))]
        return held

    def _through(self, write: _Wrote) -> Blame | None:
        """The cut at a write through another door to the same memory, where its value had a gradient."""
        call = self.trace.calls[write.call]
        connected = any(
            number == write.through and result for number, result in zip(call.outputs, call.results, strict=False)
        )
        if not connected:
            return None
        return Blame(self._split.get(self._groups[write.through], "data"), write.call, write.through)

    def _kind(self, index: int) -> CutKind | None:
        """See :func:`classify`; asked often."""
        if index not in self._kinds:
            self._kinds[index] = classify(self.trace, index)
        return self._kinds[index]

    def _source(self, number: int) -> int:
        node = self.of_source.get(number)
        if node is None:
            node = self.of_source[number] = self._add(-1)
        return node

    def _add(self, call: int) -> int:
        self.edges.append([])
        self.calls.append(call)
        return len(self.calls) - 1

    def _storage(self, number: int) -> int:
        storage = self.trace.tensors[number].storage
        return -1 - number if storage is None else storage

    def _region(self, number: int) -> Region:
        region = self._regions[number]
        if region is None:
            region = self._regions[number] = region_of(self.trace.tensors[number])
        return region

    # -- one call

    def _take(self, index: int, call: Call) -> None:
        name = short(call)
        if name in ("backward",):
            self._backward = list(call.inputs)
            return
        if name in ("detach_", "requires_grad_"):
            self._pass(index, call)
            return
        written = {write.tensor: write for write in call.writes}
        targets = [*call.outputs, *(number for number in written if number not in call.outputs)]
        if not targets:
            if call.inputs:
                self._left[index] = [list(self._pieces(number)) for number in call.inputs]
                self.exits[index] = [edge for pieces in self._left[index] for edge, _ in pieces]
            return
        if name in _JOINING and self._take_parts(index, call, name):
            return
        aliases = [
            None if target in written or target in call.inputs else self._alias(index, call, name, i, target)
            for i, target in enumerate(targets)
        ]
        ways = [
            [] if alias is not None else self._ways(index, call, name, i, target, target in written)
            for i, (target, alias) in enumerate(zip(targets, aliases, strict=True))
        ]
        for target, alias, edges in zip(targets, aliases, ways, strict=True):
            if alias is not None:
                self._bind(index, call, target, alias)
                continue
            node = self._add(index)
            self.edges[node] = edges
            if target not in call.inputs and target not in written:
                self._bind(index, call, target, [(Edge(node, None), runs(self._region(target)))])
            if target in written:
                write = written[target]
                region = region_of(write, write.shape) if write.stop or write.strides else self._region(target)
                self._wrote(target, _Wrote(node, region, target, index))

    def _alias(self, index: int, call: Call, name: str, place: int, target: int) -> list[_Piece] | None:
        """What a view holds: each part of it what that part of its base holds, having passed this call.

        None where the result has memory of its own.
        """
        storage = self._storage(target)
        shared = [call.inputs[at] for at in self._flowing(call, name, place)]
        shared += [number for entry in call.entries for number in self.trace.calls[entry.exit].inputs]
        if name == "grad" or call.function.startswith("Function.") or storage not in map(self._storage, shared):
            return None
        whole = runs(self._region(target))
        found: list[_Piece] = []
        for at in self._flowing(call, name, place):
            number = call.inputs[at]
            blame = self._blame(index, call, name, at, place, target, False)
            same = self._storage(number) == storage
            for edge, rest in self._pieces(number):
                part = within(rest, whole) if same else whole
                if part or not whole or not rest:
                    found.append((self._joined(edge, blame), part))
        for entry in call.entries:
            found += self._entered(entry, storage, whole)
        return found

    def _pieces(self, number: int) -> list[_Piece]:
        if number in self._sources:
            return [(Edge(self._source(number), None), runs(self._region(number)))]
        return self._held(number)

    def _entered(self, entry: Entry, storage: int, whole: Runs) -> list[_Piece]:
        """What came back from a value that left, and in which part of the result it lies now."""
        left = self.trace.calls[entry.exit]
        kind = self._kind(entry.exit)
        found: list[_Piece] = []
        for at, number in enumerate(left.inputs):
            blame = Blame(kind, entry.exit, number) if kind and left.connected[at] else None
            # Memory that is shared shows what is in it now; anything else is what it was when it left.
            now = entry.certain and short(left) in ("numpy", "__array__", "__dlpack__")
            for edge, rest in self._pieces(number) if now else self._left.get(entry.exit, [[]] * (at + 1))[at]:
                part = within(rest, whole) if self._storage(number) == storage else whole
                if part or not whole or not rest:
                    found.append((self._joined(edge, blame, entry.certain), part))
        return found

    def _pass(self, index: int, call: Call) -> None:
        """Take a call that changes what a tensor is and not what it holds: each part keeps its way, and passes it."""
        kind = self._kind(index)
        if kind is None or not call.inputs:
            return
        number = call.inputs[0]
        blame = Blame(kind, index, number)
        held = [(self._joined(edge, blame), rest) for edge, rest in self._held(number)]
        self._contents[number] = (len(self._writes.get(self._storage(number), ())), held)

    def _wrote(self, number: int, write: _Wrote) -> None:
        self._writes.setdefault(self._storage(number), []).append(write)

    def _take_parts(self, index: int, call: Call, name: str) -> bool:
        """Take a concatenation part by part, so that a later slice of it comes only from the parts that it holds."""
        if len(call.outputs) != 1 or call.writes:
            return False
        (target,) = call.outputs
        tensors = self.trace.tensors
        regions = parts_of(tensors[target], [tensors[number] for number in call.inputs], call.dim, name == "stack")
        if regions is None:
            return False
        ways = [self._ways(index, call, name, 0, target, False, at) for at in range(len(call.inputs))]
        self._bind(index, call, target, [(Edge(self._add(index), None), runs(self._region(target)))])
        for region, edges in zip(regions, ways, strict=True):
            node = self._add(index)
            self.edges[node] = edges
            self._wrote(target, _Wrote(node, region, target, index))
        return True

    def _bind(self, index: int, call: Call, target: int, pieces: list[_Piece]) -> None:
        """Note what a call made a tensor of, and whether it is another door to memory that was there."""
        storage = self._storage(target)
        self._contents[target] = (len(self._writes.get(storage, ())), pieces)
        kind = cut_by_name(call) or self._kind(index)
        for number in call.inputs:
            if number != target and self._storage(number) == storage:
                if kind in (None, "no_grad", "inference_mode"):
                    self._groups[target] = self._groups[number]
                    return
                break
        if kind is not None:
            self._split[self._groups[target]] = kind

    def _ways(
        self, index: int, call: Call, name: str, place: int, target: int, written: bool, only: int | None = None
    ) -> list[Edge]:
        """The ways by which values came into one result of a call, from all inputs or from one place only."""
        found: dict[Edge, None] = {}
        for at in self._flowing(call, name, place) if only is None else (only,):
            blame = self._blame(index, call, name, at, place, target, written)
            for edge in self.makers(call.inputs[at]):
                found[self._joined(edge, blame)] = None
        if name == "grad" and target in self._contents:
            found.update(dict.fromkeys(self.makers(target)))
        if name == "grad" and not call.function.startswith("torch.autograd"):
            for number in self._backward:
                for edge in self.makers(number):
                    found[self._joined(edge, Blame("grad", index, call.inputs[0] if call.inputs else None))] = None
        for entry in call.entries:
            for edge, _ in self._entered(entry, -1, ()):
                found[edge] = None
        return list(found)

    def _joined(self, edge: Edge, blame: Blame | None, certain: bool = True) -> Edge:
        """An edge to a maker through which a write passed another door, and then this call."""
        if edge.blame is not None and blame is not None:
            node = self._add(blame.call)
            self.edges[node] = [edge]
            return Edge(node, blame, certain)
        return Edge(edge.maker, blame or edge.blame, certain and edge.certain)

    def _flowing(self, call: Call, name: str, place: int) -> Iterable[int]:
        places = flowing(call)
        if name.startswith("_foreach_") and call.outputs and len(call.inputs) % len(call.outputs) == 0:
            return [at for at in places if at % len(call.outputs) == place]
        return places

    def _blame(
        self, index: int, call: Call, name: str, at: int, place: int, target: int, written: bool
    ) -> Blame | None:
        """Why the gradient of one result does not come back to one input; None where it does, or never could."""
        number = call.inputs[at]
        if call.inner:
            kind = self._inside.cut(index, at)
            return Blame(kind, index, number) if kind else None
        if call.function.startswith("Function.apply") and at >= len(call.inputs) - call.forwarded:
            # The result of the forward: what it read by closure, and its arguments, which have a way of their own.
            if is_checkpoint(call) and all(call.results):
                return None
            return Blame(self._kind(index) or "function", index, None)
        if not call.connected[at]:
            return None
        kind = self._kind(index)
        if kind is not None and cut_by_name(call) == kind and kind != "grad":
            return Blame(kind, index, number)
        connected = call.results[place] if place < len(call.results) else False
        if written and not call.grad_mode:
            # The tensor that is written keeps its history; what is written into it gets none.
            if number == target and connected:
                return None
            return Blame("inference_mode" if call.inference else "no_grad", index, number)
        if connected:
            return None
        return Blame(kind or "non_differentiable", index, number)
