"""What becomes of each parameter, and which calls are to blame."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from graphvis.analysis.cutting import is_checkpoint
from graphvis.analysis.diagnosing.flow import Blame, Flow
from graphvis.analysis.diagnosing.modes import turned_off
from graphvis.analysis.diagnosing.paths import Paths
from graphvis.model import Cut, Finding, Location, Trace
from graphvis.model.cut import CutKind

# These take a value out only to steer Python by it, to print it, or to write it to a file.
_STEERING = ("Tensor.__bool__", "Tensor.is_nonzero", "torch.is_nonzero", "Tensor.__contains__", "Tensor.__format__",
             "Tensor.equal", "torch.equal", "Tensor.allclose", "torch.allclose", "Tensor.__reduce_ex__")  # fmt: skip

# Calls that are to blame, and whether one of the ways that they lie on is known, not inferred.
_Blames = dict[Blame, bool]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter that is to be judged.

    Attributes:
        name: its name.
        numbers: its numbers in the trace, oldest first; empty if the trace did not see it.
        reached: whether a gradient edge leads from the outputs to it.
        requires_grad: whether it requires grad now.
        shape: its sizes.
        zero: the node that makes its gradient exactly zero, as a probe measured; None where it is not, or nobody asked.
        missing: whether a probe found that backward gives it no gradient although an edge leads to it.
    """

    name: str
    numbers: tuple[int, ...] = ()
    reached: bool = False
    requires_grad: bool = True
    shape: tuple[int, ...] = ()
    zero: Zeroing | None = None
    missing: Zeroing | None = None


class Zeroing(msgspec.Struct, frozen=True):
    """The node at which a probe saw a gradient become zero, or None.

    Attributes:
        node: its name.
        sequence: its sequence number.
        custom: whether it is that of a custom Function.
    """

    node: str
    sequence: int
    custom: bool = False


class Judgement:
    """The verdicts of one backward.

    Attributes:
        findings: one for each subject, in order.
        cuts: each cut once, in the order of their calls.
    """

    def __init__(
        self, subjects: Sequence[Subject], trace: Trace | None, roots: Sequence[int], stop: int | None
    ) -> None:
        """Judge.

        Args:
            subjects: the parameters.
            trace: the recorded run; None if there is none.
            roots: the numbers of the outputs in the trace; empty if it did not see one of them.
            stop: look at the calls before this one only; None for all.
        """
        self.findings: tuple[Finding, ...] = ()
        self.cuts: tuple[Cut, ...] = ()
        self._subjects = subjects
        self._trace = trace
        if trace is None or not roots:
            self.findings = tuple(self._after_the_fact(subject) for subject in subjects)
            return
        sources = {number for subject in subjects for number in subject.numbers}
        self._turned_off = turned_off(trace)
        self._flow = Flow(trace, sources, self._turned_off, stop)
        outputs = [edge for root in roots for edge in self._flow.makers(root)]
        self._paths = [Paths(self._flow, outputs, certain=True)]
        if any(not edge.certain for edges in self._flow.ways.edges for edge in edges):
            self._paths.append(Paths(self._flow, outputs, certain=False))
        self._left = self._values_that_left()
        self._judge(trace)

    def _after_the_fact(self, subject: Subject) -> Finding:
        if subject.missing is not None:
            return _finding(subject, "unreached", node=subject.missing.node)
        if subject.zero is not None:
            return _finding(subject, "zero", node=subject.zero.node)
        if subject.reached:
            return _finding(subject, "gradient")
        return _finding(subject, "unreached" if subject.requires_grad else "frozen")

    def _judge(self, trace: Trace) -> None:
        drafts: list[tuple[Finding, _Blames]] = [self._verdict(trace, subject) for subject in self._subjects]
        known: _Blames = {}
        for _, blames in drafts:
            for blame, certain in blames.items():
                known[blame] = known.get(blame, False) or certain
        cuts: dict[tuple[object, ...], int] = {}
        made: list[Cut] = []
        of_blame: dict[Blame, int] = {}
        for blame in sorted(known, key=lambda blame: (blame.call, blame.kind)):
            cut = self._cut(trace, blame, known[blame])
            key = (cut.kind, cut.location, cut.caller, cut.module)
            place = of_blame[blame] = cuts.setdefault(key, len(made))
            if place == len(made):
                made.append(cut)
            elif cut.certain:
                made[place] = msgspec.structs.replace(made[place], certain=True)
        lost: list[list[str]] = [[] for _ in made]
        findings = []
        for finding, blames in drafts:
            places = tuple(sorted({of_blame[blame] for blame in blames}))
            for place in places:
                lost[place].append(finding.parameter)
            findings.append(msgspec.structs.replace(finding, cuts=places))
        self.findings = tuple(findings)
        self.cuts = tuple(
            msgspec.structs.replace(cut, parameters=tuple(names)) for cut, names in zip(made, lost, strict=True)
        )

    def _verdict(self, trace: Trace, subject: Subject) -> tuple[Finding, _Blames]:
        if subject.missing is not None:
            call = _call_of(trace, subject.missing.sequence)
            kind: CutKind = "function" if subject.missing.custom else "non_differentiable"
            return _finding(subject, "cut"), {} if call is None else {Blame(kind, call, None): True}
        if subject.zero is not None:
            call = _call_of(trace, subject.zero.sequence)
            at = None if call is None else trace.locations[trace.calls[call].location]
            return _finding(subject, "zero", at=at, node=subject.zero.node), {}
        if subject.reached:
            return _finding(subject, "gradient"), {}
        nodes = self._flow.sources_of(subject.numbers)
        if not any(paths.reach(nodes) for paths in self._paths):
            known = not trace.unseen and not any(node in self._left for node in nodes)
            return _finding(subject, "unused", certain=known), {}
        if not subject.requires_grad:
            return _finding(subject, "frozen", at=self._frozen_at(trace, subject)), {}
        blames = self._blames(nodes)
        return (_finding(subject, "cut"), blames) if blames else self._without_a_cut(trace, subject, nodes)

    def _blames(self, nodes: list[int]) -> _Blames:
        """The cuts on the paths with the fewest.

        A way that is inferred may not exist, so it never hides the cuts of those that are known; its own are told
        beside them where it has no more.
        """
        found: _Blames = {}
        fewest: int | None = None
        for paths in self._paths:
            distance, blames = paths.cuts(nodes)
            if distance >= 0 and (fewest is None or distance <= fewest):
                fewest = distance
                for blame in blames:
                    found.setdefault(blame, paths.certain)
        return found

    def _without_a_cut(self, trace: Trace, subject: Subject, nodes: list[int]) -> tuple[Finding, _Blames]:
        """The value arrives along a path on which every call kept its edge, and yet the walk did not find it."""
        if self._passes_checkpoint(trace, nodes):
            return _finding(subject, "gradient"), {}
        if not any(
            on and number in subject.numbers
            for call in trace.calls
            for number, on in zip(call.inputs, call.connected, strict=False)
        ):
            return _finding(subject, "frozen", at=self._frozen_at(trace, subject)), {}  # it was, when it was used
        return _finding(subject, "unreached", certain=False), {}

    def _passes_checkpoint(self, trace: Trace, nodes: list[int]) -> bool:
        """Whether what is made of these nodes is handed over by a reentrant checkpoint that backward will run again."""
        inside = set(nodes)
        for node, edges in enumerate(self._flow.ways.edges):
            call = self._flow.ways.calls[node]
            if call < 0 or (self._paths[0].distance[node] != 0 and not trace.calls[call].inner):
                continue
            if any(edge.blame is None and edge.maker in inside for edge in edges):
                if is_checkpoint(trace.calls[call]) and not trace.calls[call].inner:
                    return True
                inside.add(node)
        return False

    def _values_that_left(self) -> set[int]:
        """The nodes whose value left PyTorch, to who knows where."""
        assert self._trace is not None
        left: set[int] = set()
        stack = [
            edge.maker
            for call, edges in self._flow.exits.items()
            if self._trace.calls[call].function not in _STEERING
            for edge in edges
        ]
        while stack:
            node = stack.pop()
            if node not in left:
                left.add(node)
                stack.extend(edge.maker for edge in self._flow.ways.edges[node])
        return left

    def _frozen_at(self, trace: Trace, subject: Subject) -> Location | None:
        for call in reversed(trace.calls):
            if call.function == "Tensor.requires_grad_" and call.inputs and call.inputs[0] in subject.numbers:
                return None if any(call.results) else trace.locations[call.location]
        return None

    def _cut(self, trace: Trace, blame: Blame, certain: bool) -> Cut:
        call = trace.calls[blame.call]
        switch = self._turned_off.get(blame.call) if blame.kind in ("no_grad", "inference_mode") else None
        return Cut(
            kind=blame.kind,
            certain=certain,
            location=trace.locations[call.location],
            caller=None if call.caller is None else trace.locations[call.caller],
            tensor="" if blame.tensor is None else _spell(trace, blame.tensor),
            module=trace.modules[call.module],
            call=blame.call,
            since=None if switch is None else trace.locations[trace.calls[switch].location],
        )


def _finding(
    subject: Subject, status: str, certain: bool = True, at: Location | None = None, node: str = ""
) -> Finding:
    count = 1
    for size in subject.shape:
        count *= size
    return Finding(
        parameter=subject.name,
        status=status,  # type: ignore[arg-type]  # one of Status, from above
        cuts=(),
        certain=certain,
        at=at,
        node=node,
        shape=subject.shape,
        numel=count,
    )


def _spell(trace: Trace, number: int) -> str:
    tensor = trace.tensors[number]
    return tensor.name or f"{tensor.dtype} {list(tensor.shape)}"


def _call_of(trace: Trace, sequence: int) -> int | None:
    """The innermost call that made the node of that sequence number."""
    spans = [
        (call.sequence[1] - call.sequence[0], index)
        for index, call in enumerate(trace.calls)
        if call.sequence[0] <= sequence < call.sequence[1]
    ]
    return min(spans)[1] if spans else None
