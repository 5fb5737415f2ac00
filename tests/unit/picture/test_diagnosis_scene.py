"""What a diagnosis shows: the lost parameters, and the cut that cost them."""

from __future__ import annotations

import torch

import graphvis
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
