"""All verdicts, cuts and conflicts of one backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphvis.analysis.attributing import calls_of_nodes
from graphvis.analysis.diagnosing.arrival import Linked
from graphvis.analysis.diagnosing.conflicts import find_overwritten
from graphvis.analysis.diagnosing.freed import find_freed
from graphvis.analysis.diagnosing.overwritten import Overwritten
from graphvis.analysis.diagnosing.subjects import Subject
from graphvis.analysis.diagnosing.terms import without_gradient
from graphvis.analysis.diagnosing.verdicts import Judgement, after_the_fact
from graphvis.analysis.diagnosing.withdrawn import CHECKPOINT
from graphvis.model import Cut, Diagnosis, Graph, Location, Trace

_UNTRACED = (
    "There is no trace of the run, so the reason is not known: wrap the forward pass in "
    "`with graphvis.record() as trace:` and pass the trace, or run the script with `graphvis run`."
)

_ARRAY = "numpy.ndarray"  # the call that stands for an array which a recording found when it began


def diagnose(
    graph: Graph,
    trace: Trace | None,
    subjects: Sequence[Subject],
    *,
    calls: Mapping[int, int] | None = None,
    overwritten: Sequence[Overwritten] | None = None,
    backward: Location | None = None,
    stop: int | None = None,
) -> Diagnosis:
    """Judge each parameter and find the saved tensors that were overwritten.

    Args:
        graph: a walk from the outputs.
        trace: the run that built them; None if it was not recorded.
        subjects: the parameters.
        calls: which call made each node, where somebody has asked already.
        overwritten: the saved tensors that were overwritten, where somebody has looked already.
        backward: the line that starts the backward, which is about to run; None where that is not known.
        stop: look at the calls before this one only; None for all.
    """
    if calls is None:
        calls = {} if trace is None else calls_of_nodes(graph, trace)
    if overwritten is None:
        overwritten = find_overwritten(graph, trace, calls, stop)
    freed = () if trace is None else find_freed(graph, trace, calls, stop, due=backward is not None)
    roots = [info.trace_number if (info := graph.tensors.get(root)) else None for root in graph.roots]
    seen = [root for root in roots if root is not None]
    notes = list(trace.notes) if trace is not None else []
    cuts: tuple[Cut, ...] = ()
    if trace is not None and seen and len(seen) == len(roots):
        linked = Linked({calls[node] for node in graph.reached if node in calls}, set(calls.values()))
        judgement = Judgement(subjects, trace, seen, _checkpoints(graph, calls), linked, stop)
        findings, cuts = judgement.findings, judgement.cuts
        known = {cut.call for cut in cuts}
        notes += dict.fromkeys(_left(trace, call) for call in sorted(judgement.lost))
        notes += dict.fromkeys(_partly(trace, call) for call in sorted(judgement.partly))
        notes += dict.fromkeys(_before(trace, call) for call in sorted(judgement.before))
        notes += [_shared(name) for name in judgement.shared]
        notes += [_constant(trace, call) for call in without_gradient(trace, seen, stop) if call not in known]
    else:
        findings = after_the_fact(subjects)
        if trace is not None and roots:
            notes.append("The trace did not see where the output was made: record the forward pass that makes it.")
        elif trace is None and any(finding.status == "unreached" for finding in findings):
            notes.append(_UNTRACED)
    return Diagnosis(
        backward=backward,
        findings=findings,
        cuts=cuts,
        conflicts=(*(one.conflict for one in overwritten), *freed),
        graph=graph,
        notes=tuple(notes),
        traced=trace is not None,
    )


def _checkpoints(graph: Graph, calls: Mapping[int, int]) -> set[int]:
    """The reentrant checkpoints among the calls that a backward comes to."""
    nodes = (node for node, name in enumerate(graph.names) if name == CHECKPOINT and node in graph.reached)
    return {calls[node] for node in nodes if node in calls}


def _left(trace: Trace, index: int) -> str:
    call = trace.calls[index]
    where = trace.locations[call.location]
    if call.function == _ARRAY:
        return _shared("a tensor")
    return (
        f"A value leaves PyTorch by `{where.text}` at {where.short}, and where it goes "
        "from there was not seen: it may come back."
    )


def _before(trace: Trace, index: int) -> str:
    where = trace.locations[trace.calls[index].location]
    if trace.calls[index].function == _ARRAY:
        return _shared("a tensor")
    return (
        f"What `{where.text}` takes at {where.short} was computed before the recording, or where it could not be "
        "seen: what it was computed from, and what was cut off there, is not known."
    )


def _shared(name: str) -> str:
    return (
        f"A NumPy array that was there before the recording lies in the memory of {name}: what is computed from it is "
        "not seen."
    )


def _partly(trace: Trace, index: int) -> str:
    where = trace.locations[trace.calls[index].location]
    return (
        f"The backward of `{where.text}` at {where.short} gives some inputs None, and some "
        "of its outputs got no gradient: whether it needs those outputs for these inputs was not seen."
    )


def _constant(trace: Trace, index: int) -> str:
    where = trace.locations[trace.calls[index].location]
    return (
        f"A term of the loss trains nothing: it is computed from the gradient that `{where.text}` takes at "
        f"{where.short}, which without create_graph=True is a constant."
    )
