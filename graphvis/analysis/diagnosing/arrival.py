"""How the values of tensors arrive at the outputs of a backward, and what keeps the gradient from coming back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from graphvis.analysis.cutting import short
from graphvis.analysis.diagnosing.flow import Blame, Edge, Flow, Ways
from graphvis.analysis.diagnosing.paths import Paths
from graphvis.model import Trace

# Calls that are to blame, and whether one of the ways that they lie on is known, not inferred.
Blames = dict[Blame, bool]

# These take a value out only to steer Python by it, or to write it to a file.
_STEERING = frozenset(
    """Tensor.__bool__ Tensor.is_nonzero torch.is_nonzero Tensor.__contains__ Tensor.equal torch.equal Tensor.allclose
    torch.allclose Tensor.__reduce_ex__""".split()
)

# These hand out a derivative, which need not depend on all that what it is of was made of.
_DERIVING = frozenset({"grad", "_unpack_dual"})


class Linked(NamedTuple):
    """What the graph tells of the calls.

    Attributes:
        reached: those that backward comes to.
        made: those that made a node.
    """

    reached: Collection[int]
    made: Collection[int]


class Arrival:
    """The ways from parameters to the outputs."""

    def __init__(
        self,
        trace: Trace,
        roots: Sequence[int],
        parameters: Collection[int],
        turned_off: Mapping[int, int],
        checkpoints: Collection[int],
        linked: Linked,
        stop: int | None,
    ) -> None:
        """Follow them.

        Args:
            trace: the recorded run.
            roots: the numbers of the outputs.
            parameters: those of the parameters.
            turned_off: see :func:`~graphvis.analysis.diagnosing.modes.turned_off`.
            checkpoints: the reentrant ones among the calls that backward will come to, and run again.
            linked: what the graph tells of the calls.
            stop: look at the calls before this one only; None for all.
        """
        self._checkpoints = checkpoints
        self._linked = linked
        self._calls, self._tensors, self._parameters = trace.calls, trace.tensors, frozenset(parameters)
        # Leaves that nobody asks for are stepped by optimizers too.
        leaves = [number for number, tensor in enumerate(trace.tensors) if tensor.leaf]
        self._flow = Flow(trace, parameters, leaves, turned_off, stop)
        self._ways = self._flow.ways
        outputs = self._outputs = [edge for root in roots for edge in self._flow.makers(root)]
        self._changed = [edge.maker for number in _changed_by_others(trace) for edge in self._flow.makers(number)]
        self._known = Paths(self._ways, outputs, certain=True)
        self._all = [self._known]
        if self._ways.inferred:
            self._all.append(Paths(self._ways, outputs, certain=False))

    def nodes_of(self, numbers: Collection[int]) -> list[int]:
        """The nodes of a parameter, of those of its numbers that the calls used."""
        return self._flow.sources_of(numbers)

    def arrives(self, nodes: Collection[int]) -> bool:
        """Whether the value of one of these nodes reaches the outputs."""
        return any(paths.reach(nodes) for paths in self._all)

    def tells(self, call: int) -> bool:
        """Whether it is known of a Function's apply which of its arguments flow into which of its results."""
        return self._flow.tells(call)

    def lost(self, nodes: Collection[int]) -> list[int]:
        """The calls by which the value of one of these nodes left PyTorch to who knows where.

        Only those after which it may have come back into the outputs.
        """
        return [call for call, made_from in self._lost.items() if not made_from.isdisjoint(nodes)]

    def first_calls(self, numbers: Collection[int]) -> list[int]:
        """The first call that took each of these tensors, of those whose value reaches the outputs."""
        arrived = {number for number in numbers if self.arrives(self.nodes_of((number,)))}
        found: list[int] = []
        for index, call in enumerate(self._calls):
            if arrived and not arrived.isdisjoint(call.inputs):
                found.append(index)
                arrived.difference_update(call.inputs)
        return found

    @cached_property
    def before(self) -> list[int]:
        """The calls that first took what nobody saw being made, or its history, of what reaches the outputs."""
        known = {*self._parameters}
        strange: list[int] = []
        for call in self._calls:
            for number, on in zip(call.inputs, call.connected, strict=False):
                tensor = self._tensors[number]
                # The inside of a transform stands for what that was given.
                old = on and not tensor.leaf and tensor.storage is not None and not tensor.wrapped
                if number not in known and (old or tensor.unmade):
                    strange.append(number)
            known.update(call.inputs)
            known.update(call.outputs)
        return self.first_calls(strange)

    def by_checkpoint(self, nodes: Collection[int]) -> bool:
        """Whether a gradient goes to one of these nodes through a checkpoint, where no walk sees it."""
        return bool(self._checkpoints) and not self._handed_over.isdisjoint(nodes)

    def cuts(self, nodes: Collection[int]) -> Blames:
        """The cuts on the paths with the fewest.

        A way that is inferred may not exist, so it never hides the cuts of those that are known; its own are told
        beside them where it has no more.
        """
        found: Blames = {}
        fewest: int | None = None
        for paths in self._all:
            distance, blames = paths.cuts(nodes)
            if distance >= 0 and (fewest is None or distance <= fewest):
                fewest = distance
                for blame in blames:
                    found.setdefault(blame, paths.certain)
        return found

    def arrives_beside_derivatives(self, nodes: Collection[int]) -> bool:
        """Whether the value of one of these nodes reaches the outputs by a path that passes through no derivative."""
        return self._beside.reach(nodes)

    def cuts_beside_derivatives(self, nodes: Collection[int]) -> Blames:
        """The cuts on the paths with the fewest, of those that pass through no derivative."""
        return dict.fromkeys(self._beside.cuts(nodes)[1], True)

    def drops_out(self, nodes: Collection[int]) -> bool:
        """Whether no derivative that the value of these nodes arrives at depends on it, where no edge leads to them.

        Where nothing cuts it off, an edge would lead there if one did; a custom Function may hide that.
        """
        return not any(node in self._beyond for node in nodes)

    @cached_property
    def _beside(self) -> Paths:
        """The paths that pass through no derivative."""
        ways = Ways()
        ways.calls = self._ways.calls
        ways.edges = [[] if self._derives(node) else edges for node, edges in enumerate(self._ways.edges)]
        return Paths(ways, self._outputs, certain=False)

    @cached_property
    def _beyond(self) -> set[int]:
        """The nodes that arrive through a derivative, and through a cut or a custom Function before it."""
        found: set[int] = set()
        uncut: set[int] = set()
        for node in range(len(self._ways.calls) - 1, -1, -1):
            on = node in uncut or (self._derives(node) and self._all[-1].reach((node,)))
            call = self._ways.calls[node]
            custom = node in uncut and call >= 0 and self._calls[call].function.startswith("Function.")
            for edge in self._ways.edges[node]:
                if node in found or custom or (on and edge.blame is not None):
                    found.add(edge.maker)
                elif on:
                    uncut.add(edge.maker)
        return found

    def _derives(self, node: int) -> bool:
        call = self._ways.calls[node]
        return call >= 0 and short(self._calls[call]) in _DERIVING

    def stops(self, nodes: Collection[int]) -> Blames:
        """The calls from which no edge leads on to one of these nodes, though nothing cut it off.

        Within a function of its own PyTorch may take no derivative by an argument, as by a target that it compares, or
        it has none to take, and backward raises there.
        """
        return {blame: True for node in nodes for blame in self._stopped.get(node, ())}

    @cached_property
    def _stopped(self) -> dict[int, set[Blame]]:
        """For each node that backward does not come to, the calls nearest to the outputs that lie before it."""
        reached, made = self._linked
        found: dict[int, set[Blame]] = {}
        for edge in self._outputs:
            maker = self._ways.calls[edge.maker]
            if edge.blame is None and maker >= 0 and maker not in made:
                found.setdefault(edge.maker, set()).add(Blame("non_differentiable", maker, None))
        for node in range(len(self._ways.calls) - 1, -1, -1):
            call = self._ways.calls[node]
            for edge in self._ways.edges[node]:
                maker = self._ways.calls[edge.maker]
                if edge.blame is not None or maker in reached:
                    continue
                stopped = found.get(node, set())
                if call in reached:
                    # One that made a node was not read by it, though the walk comes by none of its nodes.
                    shown = maker < 0 or maker in made or self._makes_a_node(maker)
                    # Of several results one may not be made of all that went in.
                    if not shown or len(self._calls[call].outputs) == 1:
                        stopped = {Blame("non_differentiable", call if shown else maker, None)}
                if stopped:
                    found.setdefault(edge.maker, set()).update(stopped)
        return found

    def _makes_a_node(self, call: int) -> bool:
        """Whether a call made a node with a derivative: one without, of which backward raises, has no number."""
        before, after = self._calls[call].sequence
        return before < after and all(self._calls[call].results)

    @cached_property
    def _lost(self) -> dict[int, set[int]]:
        """By the calls by which values left to who knows where, the nodes whose value did."""
        last = max((call for paths in self._all for call in paths.reached_calls()), default=-1)
        return {
            call: self._behind(edge.maker for edge in (*edges, *self._written_since(call)))
            for call, edges in self._flow.exits.items()
            if call < last and (self._calls[call].untold or self._rewritten)
            if self._calls[call].function not in _STEERING
        }

    def _written_since(self, call: int) -> list[Edge]:
        """What lies now in the memory that an exit handed out, if it did."""
        numbers = self._calls[call].inputs if self._flow.shares(call) else ()
        return [edge for number in numbers for edge in self._flow.makers(number)]

    @cached_property
    def _rewritten(self) -> bool:
        """Whether what reaches the outputs lies in memory that another library has written to."""
        return self.arrives(self._changed)

    def _behind(self, nodes: Iterable[int]) -> set[int]:
        """These nodes and all that they were made of."""
        found: set[int] = set()
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if node not in found:
                found.add(node)
                stack.extend(edge.maker for edge in self._ways.edges[node])
        return found

    @cached_property
    def _handed_over(self) -> set[int]:
        """The nodes from which a way without a cut leads to what a checkpoint made."""
        found: set[int] = set()
        for node in range(len(self._ways.calls) - 1, -1, -1):
            if node in found or self._ways.calls[node] in self._checkpoints:
                found.update(edge.maker for edge in self._ways.edges[node] if edge.blame is None)
        return found


def _changed_by_others(trace: Trace) -> set[int]:
    """The tensors in shared memory whose values have changed, and no call is known to have written there since."""
    if not trace.changes:
        return set()
    wrote = {write.storage: index for index, call in enumerate(trace.calls) for write in call.writes}
    tensors = trace.tensors
    return {one.tensor for one in trace.changes if wrote.get(tensors[one.tensor].storage, -1) <= one.until}
