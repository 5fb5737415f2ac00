"""Diagnosing is pure: on records built by hand, and again from JSON."""

from __future__ import annotations

import torch

import graphvis
from graphvis.analysis.diagnosing import Subject, diagnose
from graphvis.model import Call, Graph, Location, Saved, TensorInfo, Trace, TracedTensor, Write

LINES = tuple(Location("train.py", line, "step", text) for line, text in enumerate(
    ("h = w.exp()", "c = h.detach()", "loss = c * v", "h.zero_()", "loss.backward()"), start=1))  # fmt: skip
W, V, H, C, LOSS = range(5)
TENSORS = tuple(
    TracedTensor(name=name, shape=(2,), storage=storage, start=0, stop=8, leaf=leaf)
    for name, storage, leaf in (("w", 0, True), ("v", 1, True), ("h", 2, False), ("c", 2, False), ("loss", 3, False))
)


def trace(*calls: Call) -> Trace:
    return Trace(torch="2.13.0", calls=calls, tensors=TENSORS, locations=LINES)


EXP = Call(function="Tensor.exp", inputs=(W,), outputs=(H,), connected=(True,), results=(True,), location=0,
           sequence=(0, 1))  # fmt: skip
DETACH = Call(function="Tensor.detach", inputs=(H,), outputs=(C,), connected=(True,), results=(False,), location=1,
              sequence=(1, 1))  # fmt: skip
MUL = Call(function="Tensor.mul", inputs=(C, V), outputs=(LOSS,), connected=(False, True), results=(True,), location=2,
           sequence=(1, 2))  # fmt: skip
GRAPH = Graph(
    kinds=("tensor", "function", "function", "leaf"),
    names=("loss", "MulBackward0", "AccumulateGrad", "v"),
    sources=(0, 1, 1, 2), slots=(0, 0, 1, 0), targets=(1, -1, 2, 3), output_nrs=(0, 0, 0, 0), roots=(0,),
    tensors={0: TensorInfo(name="loss", trace_number=LOSS),
             3: TensorInfo(name="v", trace_number=V, requires_grad=True)},
    sequence_nrs=(-1, 1, -1, -1),
)  # fmt: skip
W_LOST = Subject(name="w", numbers=(W,), shape=(2,))
V_REACHED = Subject(name="v", numbers=(V,), reached=True, shape=(2,))


def test_a_detach_on_the_only_path_is_the_cut() -> None:
    found = diagnose(GRAPH, trace(EXP, DETACH, MUL), [W_LOST, V_REACHED])
    assert {name: verdict.status for name, verdict in found.verdicts.items()} == {"w": "cut", "v": "gradient"}
    (cut,) = found.verdicts["w"].cuts
    assert (cut.kind, cut.location, cut.parameters) == ("detach", LINES[1], ("w",))
    assert not found.ok


def test_a_parameter_whose_value_goes_nowhere_is_unused() -> None:
    found = diagnose(GRAPH, trace(MUL), [W_LOST, V_REACHED])
    assert found.verdicts["w"].status == "unused"


def test_without_a_trace_nobody_is_blamed() -> None:
    found = diagnose(GRAPH, None, [W_LOST, V_REACHED])
    assert found.verdicts["w"].status == "unreached"
    assert any("graphvis.record()" in note for note in found.notes)


def test_a_write_after_the_save_is_a_conflict_with_its_line() -> None:
    write = Call(function="Tensor.zero_", inputs=(H,), outputs=(H,), connected=(True,), results=(True,), location=3,
                 sequence=(1, 2), writes=(Write(tensor=H, storage=2, start=0, stop=8),))  # fmt: skip
    graph = Graph(
        kinds=("tensor", "function", "function", "leaf"),
        names=("h", "ExpBackward0", "AccumulateGrad", "w"),
        sources=(0, 1, 2), slots=(0, 0, 0), targets=(1, 2, 3), output_nrs=(0, 0, 0), roots=(0,),
        tensors={0: TensorInfo(name="h", trace_number=H, storage=0, version=1),
                 3: TensorInfo(name="w", trace_number=W, requires_grad=True)},
        saved={1: (Saved(name="result", state="overwritten", shape=(2,), storage=0, saved_version=0, version=1,
                         memory=(2, 0, 8)),)},
        sequence_nrs=(-1, 0, -1, -1),
    )  # fmt: skip
    (conflict,) = diagnose(graph, trace(EXP, write), [Subject(name="w", numbers=(W,), reached=True)]).conflicts
    assert (conflict.effect, conflict.node, conflict.saved) == ("raises", "ExpBackward0", "result")
    assert (conflict.saved_at, conflict.modified_at) == (LINES[0], LINES[3])
    assert (conflict.expected_version, conflict.version) == (0, 1)


def test_the_same_verdicts_come_from_what_json_kept() -> None:
    w, v = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with graphvis.record() as recording:
        loss = (w.exp().detach() * v).sum()
    live = graphvis.diagnose(loss, recording, parameters={"w": w, "v": v})
    assert live.graph is not None
    again = diagnose(
        Graph.from_json(live.graph.to_json()),
        Trace.from_json(recording.freeze().to_json()),
        [
            Subject(name=name, numbers=(number,), reached=name == "v", shape=(2,))
            for name, tensor in (("w", w), ("v", v))
            if (number := recording.number(tensor)) is not None
        ],
    )
    assert again.cuts == live.cuts
    assert {n: f.status for n, f in again.verdicts.items()} == {n: f.status for n, f in live.verdicts.items()}
    assert {n: f.status for n, f in live.verdicts.items()} == {"w": "cut", "v": "gradient"}
