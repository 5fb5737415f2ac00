"""What becomes of each parameter, and which calls are to blame."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property

import msgspec

from graphvis.analysis.cutting import closes_over
from graphvis.analysis.diagnosing.arrival import Arrival, Blames, Linked
from graphvis.analysis.diagnosing.flow import Blame
from graphvis.analysis.diagnosing.modes import turned_off
from graphvis.analysis.diagnosing.subjects import Subject, Zeroing
from graphvis.model import Call, Cut, Finding, Location, Trace
from graphvis.model.cut import CutKind

_MARKING = "Tensor.requires_grad_"


class Judgement:
    """The verdicts of one backward.

    Attributes:
        findings: one for each subject, in order.
        cuts: each cut once, in the order of their calls.
        lost: the calls by which values left that may have come back unseen.
        partly: the calls of Functions that gave no gradient, perhaps because one of their outputs is not used.
        shared: the parameters in whose memory arrays lie, by name, that may have come back by them.
        before: the first calls that took what was computed before the recording, or where nobody saw it.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        trace: Trace,
        roots: Sequence[int],
        checkpoints: Collection[int],
        linked: Linked,
        stop: int | None,
    ) -> None:
        """Judge.

        Args:
            subjects: the parameters.
            trace: the recorded run.
            roots: the numbers of the outputs in the trace.
            checkpoints: the reentrant ones among the calls that backward will come to.
            linked: what the graph tells of the calls.
            stop: look at the calls before this one only; None for all.
        """
        self.findings: tuple[Finding, ...] = ()
        self.cuts: tuple[Cut, ...] = ()
        self.lost: dict[int, None] = {}
        self.partly: dict[int, None] = {}
        self.before: dict[int, None] = {}
        self.shared: list[str] = []
        self._subjects = subjects
        self._trace = trace
        self._roots = roots
        self._checkpoints = checkpoints
        self._linked = linked
        self._stop = stop
        self._judge()

    @cached_property
    def _turned_off(self) -> dict[int, int]:
        return turned_off(self._trace)

    @cached_property
    def _arrival(self) -> Arrival:
        """How values arrive: asked only for parameters that get no gradient, so most runs never need it."""
        numbers = {number for one in self._subjects for number in (*one.numbers, *one.shown)}
        return self._arrival_of(numbers, self._roots, self._stop)

    @cached_property
    def _arguments(self) -> Arrival:
        """How what checkpoints were given arrives: an edge may lead to a parameter whose own value was overwritten."""
        numbers = {number for subject in self._subjects for number in subject.checkpointed}
        return self._arrival_of(numbers, self._roots, self._stop)

    def _arrival_of(self, numbers: set[int], outputs: Sequence[int], stop: int | None) -> Arrival:
        return Arrival(self._trace, outputs, numbers, self._turned_off, self._checkpoints, self._linked, stop)

    def _judge(self) -> None:
        drafts: list[tuple[Finding, Blames]] = [self._verdict(subject) for subject in self._subjects]
        known: Blames = {}
        for _, blames in drafts:
            for blame, certain in blames.items():
                known[blame] = known.get(blame, False) or certain
        cuts: dict[tuple[object, ...], int] = {}
        made: list[Cut] = []
        of_blame: dict[Blame, int] = {}
        for blame in sorted(known, key=lambda blame: (blame.call, blame.kind)):
            cut = self._cut(blame, known[blame])
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
            findings.append(msgspec.structs.replace(finding, cuts=places) if places else finding)
        self.findings = tuple(findings)
        self.cuts = tuple(
            msgspec.structs.replace(cut, parameters=tuple(names)) for cut, names in zip(made, lost, strict=True)
        )

    def _verdict(self, subject: Subject) -> tuple[Finding, Blames]:
        trace = self._trace
        if not subject.requires_grad:  # also where an edge leads to it: it was frozen since, and takes no gradient
            return _finding(subject, "frozen", at=self._frozen_at(subject)), {}
        if subject.withdrawn is not None:
            number = trace.calls[subject.withdrawn].inputs[0]
            return _finding(subject, "cut"), {Blame("detach_", subject.withdrawn, number): True}
        if subject.missing is not None:
            return self._of_missing(subject, subject.missing)
        if subject.zero is not None:
            call = _call_of(trace, subject.zero.sequence)
            at = None if call is None else trace.locations[trace.calls[call].location]
            return _finding(subject, "zero", at=at, node=subject.zero.node), {}
        if subject.arrived or (subject.reached and not self._stops_in_checkpoints(subject)):
            return _finding(subject, "gradient"), {}
        nodes = self._arrival.nodes_of((*subject.numbers, *subject.shown))
        if self._arrival.by_checkpoint(nodes):
            return _finding(subject, "gradient"), {}
        if not self._arrival.arrives(nodes):
            return self._of_unused(subject, nodes)
        blames = self._arrival.cuts(nodes)
        if blames:
            if subject.arrived is None and all(map(self._may_hand_on, blames)):
                return _finding(subject, "cut", certain=False), dict.fromkeys(blames, False)
            return _finding(subject, "cut"), blames
        if subject.reached:
            return _finding(subject, "gradient"), {}
        return self._of_uncut(subject, nodes)

    def _may_hand_on(self, blame: Blame) -> bool:
        """Whether what is blamed is a Function that read the value by closure: its backward may run one of its own."""
        return blame.kind == "function" and closes_over(self._trace, blame.call)

    def _of_uncut(self, subject: Subject, nodes: Sequence[int]) -> tuple[Finding, Blames]:
        """The verdict where a value arrives by a way on which each call kept its edge, and yet the walk found none."""
        if not self._arrival.arrives(self._arrival.nodes_of(subject.numbers)):  # cut off before the recording
            self.before.update(dict.fromkeys(self._arrival.first_calls(subject.shown)))
            return _finding(subject, "unreached", certain=False), {}
        if self._connected.isdisjoint(subject.numbers):  # it was frozen when it was used
            return _finding(subject, "frozen", at=self._frozen_at(subject)), {}
        if self._arrival.arrives_beside_derivatives(nodes):
            if blames := self._arrival.cuts_beside_derivatives(nodes) or self._arrival.stops(nodes):
                return _finding(subject, "cut"), blames
        elif self._arrival.drops_out(nodes):
            return self._of_unused(subject, nodes)
        return _finding(subject, "unreached", certain=False), {}

    def _of_unused(self, subject: Subject, nodes: Sequence[int]) -> tuple[Finding, Blames]:
        """The verdict on a parameter whose value was not seen to arrive."""
        lost = self._arrival.lost(nodes)
        self.lost.update(dict.fromkeys(lost))
        self.before.update(dict.fromkeys(self._arrival.before))
        if subject.shared:
            self.shared.append(subject.name)
        # It may have come back by a way that nobody saw.
        if lost or self._arrival.before or self._trace.unseen or subject.shared:
            return _finding(subject, "unreached", certain=False), {}
        return _finding(subject, "unused"), {}

    def _of_missing(self, subject: Subject, missing: Zeroing) -> tuple[Finding, Blames]:
        """The verdict on a parameter that gets none of the gradient that came to a node on the way to it."""
        call = _call_of(self._trace, missing.sequence)
        kind: CutKind = "function" if missing.custom else "non_differentiable"
        blames: Blames = {} if call is None else {Blame(kind, call, None): True}
        if call is None or not missing.custom or self._arrival.tells(call):  # where to the value goes on
            nodes = self._arrival.nodes_of((*subject.numbers, *subject.shown))
            if not self._arrival.arrives(nodes):
                return self._of_unused(subject, nodes)
            blames = self._arrival.cuts(nodes) or blames
            if not blames:
                return _finding(subject, "unreached", certain=False), {}
            return _finding(subject, "cut"), blames
        if missing.partly:
            self.partly[call] = None
            return _finding(subject, "unreached", certain=False, node=missing.node), {}
        return _finding(subject, "cut"), blames

    def _stops_in_checkpoints(self, subject: Subject) -> bool:
        """Whether no checkpoint hands a gradient on to the argument by which an edge leads to a parameter."""
        if not subject.checkpointed or not self._tells_of_checkpoints:
            return False
        return not any(map(self._is_handed_on, subject.checkpointed))

    def _is_handed_on(self, argument: int) -> bool:
        nodes = self._arguments.nodes_of((argument,))
        if self._arguments.arrives(nodes):
            return not self._arguments.cuts(nodes)
        # What came of it was overwritten since, and edges stay: then all depends on what the checkpoint made of it.
        return any(
            self._hands_on(call, argument) for call in self._checkpoints if argument in self._trace.calls[call].inputs
        )

    def _hands_on(self, checkpoint: int, argument: int) -> bool:
        """Whether a reentrant checkpoint hands a gradient from its results on to an argument."""
        arrival = self._arrival_of({argument}, self._trace.calls[checkpoint].outputs, checkpoint + 1)
        nodes = arrival.nodes_of((argument,))
        return arrival.arrives(nodes) and not arrival.cuts(nodes)

    @cached_property
    def _tells_of_checkpoints(self) -> bool:
        """Whether it is known of all reentrant checkpoints what they do with their arguments."""
        return all(map(self._arrival.tells, self._checkpoints))

    @cached_property
    def _connected(self) -> set[int]:
        """The tensors to which an edge led when some call computed with them."""
        return {
            number
            for call in self._trace.calls
            if call.function != _MARKING
            for number, on in zip(call.inputs, call.connected, strict=False)
            if on
        }

    @cached_property
    def _froze(self) -> dict[int, Call]:
        """The last call that had each tensor require no grad."""
        return {
            call.inputs[0]: call
            for call in self._trace.calls
            if call.function == _MARKING and call.inputs and not any(call.results)
        }

    def _frozen_at(self, subject: Subject) -> Location | None:
        froze = [self._froze[number] for number in subject.numbers if number in self._froze]
        return self._trace.locations[froze[-1].location] if froze else None

    def _cut(self, blame: Blame, certain: bool) -> Cut:
        trace, call = self._trace, self._trace.calls[blame.call]
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


def after_the_fact(subjects: Sequence[Subject]) -> tuple[Finding, ...]:
    """The verdicts without a trace: what the walk and a probe tell, and no reason."""
    return tuple(map(_untraced, subjects))


def _untraced(subject: Subject) -> Finding:
    if not subject.requires_grad:
        return _finding(subject, "frozen")
    if subject.missing is not None:
        return _finding(subject, "unreached", node=subject.missing.node)
    if subject.zero is not None:
        return _finding(subject, "zero", node=subject.zero.node)
    if subject.reached or subject.arrived:
        return _finding(subject, "gradient")
    return _finding(subject, "unreached")


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
