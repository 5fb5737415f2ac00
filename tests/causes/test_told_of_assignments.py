"""What graphvis says of parameters that were given a value: of others' values it is a cut, and steps are no ways."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.causes import assigned
from tests.causes.asking import ask
from tests.causes.assigned import ASSIGNED, LOADED, STEPS
from tests.causes.case import Case, measure, run


@pytest.mark.parametrize("case", ASSIGNED, ids=lambda case: case.name)
def test_the_claims_of_an_assignment_are_pytorchs(case: Case) -> None:
    """But for a parameter that was given a value, whose first may be gone, and for what steps add."""
    found = measure(case)
    for name, status in case.verdicts.items():
        if name in STEPS[case.name]:
            assert (status, found[name]) == ("unused", "cut")
        elif status != "frozen":
            assert found[name] == status, name


@pytest.mark.parametrize("case", ASSIGNED, ids=lambda case: case.name)
def test_an_assignment_is_a_cut_at_its_line(case: Case) -> None:
    diagnosis = ask(case.step, case.build)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    lost = {name for name, status in case.verdicts.items() if status == "cut"}
    assert {name for cut in diagnosis.cuts for name in cut.parameters} == lost
    users = [cut.caller or cut.location for cut in diagnosis.cuts]
    assert {user.file for user in users} == {assigned.__file__}
    assert {user.line for user in users} == case.marks["CUT"]
    for cut, user in zip(diagnosis.cuts, users, strict=True):
        assert cut.kind in case.kinds
        assert cut.certain == (user.line not in case.marks.get("INFERRED", ()))


@pytest.mark.parametrize("case", LOADED, ids=lambda case: case.name)
def test_steps_link_nothing(case: Case) -> None:
    """What gets a gradient is PyTorch's own claim; of the rest it is told that this loss does not use it."""
    model, loss = run(case)
    model.zero_grad()
    loss.backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, status in case.verdicts.items() if status == "gradient"}
    diagnosis = ask(case.step, case.build)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    assert diagnosis.cuts == ()


def test_what_came_back_as_a_number_is_behind_that_cut_and_not_still_there() -> None:
    w, g = (torch.rand(4, requires_grad=True) for _ in range(2))
    with record() as trace:
        w.data.copy_(g)
        before = w.sin()
        nn.init.constant_(w, before.sum().item())
        after = (w * 2).detach()
        loss = before.detach().sum() + after.sum()
    diagnosis = diagnose(loss, trace, parameters={"w": w, "g": g})
    lines = {name: [cut.location.text for cut in verdict.cuts] for name, verdict in diagnosis.verdicts.items()}
    last = "loss = before.detach().sum() + after.sum()"
    assert lines == {"w": ["after = (w * 2).detach()", last], "g": ["w.data.copy_(g)", last]}
