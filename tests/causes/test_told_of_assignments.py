"""What graphvis says of parameters that were given a value: assignments are cuts, updates and loading are no ways."""

from __future__ import annotations

import pytest

from tests.causes import assigned
from tests.causes.asking import ask
from tests.causes.assigned import ASSIGNED, LOADED
from tests.causes.case import Case, measure, run


@pytest.mark.parametrize("case", ASSIGNED, ids=lambda case: case.name)
def test_the_claims_of_an_assignment_are_pytorchs(case: Case) -> None:
    """But for an assigned parameter itself, whose first value is gone."""
    found = measure(case)
    assert {name: found[name] for name in case.verdicts if case.verdicts[name] != "frozen"} == {
        name: status for name, status in case.verdicts.items() if status != "frozen"
    }


@pytest.mark.parametrize("case", ASSIGNED, ids=lambda case: case.name)
def test_an_assignment_is_a_cut_at_its_line(case: Case) -> None:
    diagnosis = ask(case.step, case.build)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    lost = {name for name, status in case.verdicts.items() if status == "cut"}
    assert {name for cut in diagnosis.cuts for name in cut.parameters} == lost
    for cut in diagnosis.cuts:
        user = cut.caller or cut.location
        assert (user.file, {user.line}) == (assigned.__file__, case.marks["CUT"])
        assert cut.kind in case.kinds
        assert cut.certain


@pytest.mark.parametrize("case", LOADED, ids=lambda case: case.name)
def test_updates_and_loading_link_nothing(case: Case) -> None:
    """What gets a gradient is PyTorch's own claim; of the rest it is told that this loss does not use it."""
    model, loss = run(case)
    model.zero_grad()
    loss.backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, status in case.verdicts.items() if status == "gradient"}
    diagnosis = ask(case.step, case.build)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    assert diagnosis.cuts == ()
