"""What a diagnosis shows: the lost parameters, and the cut that cost them."""

from __future__ import annotations

import torch

import graphvis
from graphvis.analysis.folding import fold
from graphvis.picture.style import scene_of


def test_lost_parameters_say_so_and_the_cut_under_no_grad_is_drawn_at_its_line() -> None:
    w, v = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with graphvis.record() as trace:
        with torch.no_grad():
            h = w * 2
        loss = (h * v).sum()
    loss.backward()
    assert w.grad is None
    diagnosis = graphvis.diagnose(loss, trace, parameters={"w": w, "v": v})
    scene = scene_of(diagnosis)
    rows = {face.heading: {row.label: row.value for row in face.rows} for box in scene.boxes if (face := box.faces[0])}
    assert rows["w"][".grad"] == "None"
    assert ".grad" not in rows["v"]
    cuts = [wire.label for link in scene.links for wire in link.wires if wire is not None and wire.gradient == "cut"]
    assert [label[0] for label in cuts] == ["no_grad()"]
    (cut,) = diagnosis.cuts
    assert cut.since is not None
    assert scene.title.startswith("w gets no gradient: no_grad() at test_diagnosis_scene.py:")
    assert scene.title.endswith(f":{cut.since.line}")
    assert cut.since.text == "with torch.no_grad():"


def test_a_cut_counts_calls_and_not_where_their_numbers_may_have_gone() -> None:
    value, policy = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
    states = torch.randn(12, 3, generator=torch.Generator().manual_seed(2))
    with graphvis.record() as trace:
        judged = [value(state).tanh() for state in states]
        chances = [policy(state).sigmoid() for state in states]
        losses = [chance * (1 - one.item()) + one.square() for chance, one in zip(chances, judged, strict=True)]
        loss = torch.stack(losses).sum()
    diagnosis = graphvis.diagnose(loss, trace, parameters=[value, policy])
    assert diagnosis.graph is not None
    assert len(diagnosis.graph.cuts) > 12  # of each number it is not known which of the later ones it is in
    wires = [wire for link in scene_of(fold(diagnosis)).links for wire in link.wires if wire is not None]
    assert [wire.label[0] for wire in wires if wire.gradient == "cut"] == [".item() ×12"]
