"""What graphvis says of tensors without memory of their own, and what PyTorch does with them."""

from __future__ import annotations

import pytest

from tests.causes import sparse
from tests.causes.asking import ask
from tests.causes.case import Case, measure
from tests.causes.overwritten import Overwritten
from tests.causes.overwritten import measure as measure_effect
from tests.causes.sparse import OVERWRITTEN, SPARSE


@pytest.mark.parametrize("case", SPARSE, ids=lambda case: case.name)
def test_the_claims_of_a_program_are_pytorchs(case: Case) -> None:
    assert measure(case) == dict(case.verdicts)


@pytest.mark.parametrize("case", SPARSE, ids=lambda case: case.name)
def test_status_kind_and_line(case: Case) -> None:
    diagnosis = ask(case.step, case.build)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    assert all(verdict.certain for verdict in diagnosis.verdicts.values())
    assert {cut.kind for cut in diagnosis.cuts} == case.kinds
    users = [cut.caller or cut.location for cut in diagnosis.cuts]
    assert {user.line for user in users} == set(case.marks.get("CUT", ()))
    assert {user.file for user in users} <= {sparse.__file__}
    assert {cut.since.line for cut in diagnosis.cuts if cut.since} == set(case.marks.get("OFF", ()))
    assert not [conflict for conflict in diagnosis.conflicts if conflict.effect == "raises"]


@pytest.mark.parametrize("case", OVERWRITTEN, ids=lambda case: case.name)
def test_the_effect_of_a_write_is_pytorchs(case: Overwritten) -> None:
    assert measure_effect(case) == case.effect


@pytest.mark.parametrize("case", OVERWRITTEN, ids=lambda case: case.name)
def test_effect_and_both_lines_of_a_conflict(case: Overwritten) -> None:
    for write in (False, True):
        diagnosis = ask(lambda model, write=write: case.step(model, write), case.build)
        assert {conflict.effect for conflict in diagnosis.conflicts} == ({case.effect} - {""} if write else set())
        for conflict in diagnosis.conflicts:
            assert conflict.saved_at.line in case.marks["SAVED"]
            assert conflict.modified_at.line in case.marks["WROTE"]
            assert conflict.certain == (case.effect == "raises")


@pytest.mark.parametrize("case", [c for c in OVERWRITTEN if c.effect == "wrong gradient"], ids=lambda case: case.name)
def test_a_wrong_gradient_is_certain_after_a_probe(case: Overwritten) -> None:
    for values in (False, True):
        diagnosis = ask(lambda model: case.step(model, True), case.build, probe=True, values=values)
        assert [conflict.certain for conflict in diagnosis.conflicts] == [True]
