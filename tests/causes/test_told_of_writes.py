"""What graphvis says of overwritten saved tensors, before backward runs."""

from __future__ import annotations

import pytest
import torch

from tests.causes import overwritten
from tests.causes.asking import ask
from tests.causes.overwritten import CONFLICTS, HARMLESS, Overwritten

# What a checkpoint reads again may be overwritten by any write: only a recording of all values has what was there.
COUNTED = {
    "weight_that_a_checkpoint_reads_overwritten",
    "weight_that_a_reentrant_checkpoint_reads_overwritten",
    "step_between_a_reentrant_checkpoint_and_backward",
}


@pytest.mark.parametrize("case", CONFLICTS, ids=lambda case: case.name)
def test_effect_and_both_lines_of_a_conflict(case: Overwritten) -> None:
    diagnosis = ask(lambda model: case.step(model, True), case.build)
    assert diagnosis.conflicts
    assert {conflict.effect for conflict in diagnosis.conflicts} == {case.effect}
    for conflict in diagnosis.conflicts:
        assert conflict.saved_at.file == conflict.modified_at.file == overwritten.__file__
        assert conflict.saved_at.line in case.marks["SAVED"]
        assert conflict.modified_at.line in case.marks["WROTE"]
        assert conflict.certain == (case.effect == "raises")
    if case.node:
        assert case.node in {conflict.node for conflict in diagnosis.conflicts}
    assert not diagnosis.ok


@pytest.mark.parametrize("case", [c for c in CONFLICTS if c.effect == "wrong gradient"], ids=lambda case: case.name)
def test_a_wrong_gradient_is_certain_after_a_probe(case: Overwritten) -> None:
    diagnosis = ask(lambda model: case.step(model, True), case.build, probe=True, values=True)
    assert diagnosis.conflicts
    assert {conflict.effect for conflict in diagnosis.conflicts} == {"wrong gradient"}
    assert all(conflict.certain for conflict in diagnosis.conflicts)


@pytest.mark.parametrize("case", [c for c in CONFLICTS if c.effect == "wrong gradient"], ids=lambda case: case.name)
def test_a_write_past_the_counter_is_certain_after_a_probe_of_any_recording(case: Overwritten) -> None:
    diagnosis = ask(lambda model: case.step(model, True), case.build, probe=True)
    assert diagnosis.conflicts
    assert {conflict.certain for conflict in diagnosis.conflicts} == {case.name not in COUNTED}


@pytest.mark.parametrize("case", CONFLICTS, ids=lambda case: case.name)
def test_without_the_write_there_is_no_conflict(case: Overwritten) -> None:
    assert ask(lambda model: case.step(model, False), case.build).conflicts == ()


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_a_harmless_write_is_no_conflict(case: Overwritten) -> None:
    diagnosis = ask(lambda model: case.step(model, True), case.build)
    assert diagnosis.conflicts == ()
    assert diagnosis.ok


@pytest.mark.parametrize("case", [*CONFLICTS, *HARMLESS], ids=lambda case: case.name)
def test_asking_does_not_change_what_backward_does(case: Overwritten) -> None:
    expected = overwritten.gradients(case, True)

    def asked(model: torch.nn.Module, write: bool) -> torch.Tensor:
        from graphvis.live.diagnosis import diagnose
        from graphvis.live.recorder import record

        with record() as trace:
            loss = case.step(model, write)
        diagnose(loss, trace, parameters=model)
        return loss

    found = overwritten.gradients(Overwritten(asked, case.build, case.effect, case.node, case.marks), True)
    if isinstance(expected, str):
        assert found == expected
    else:
        assert isinstance(found, dict)
        assert all(torch.equal(found[name], grad) for name, grad in expected.items() if grad is not None)
