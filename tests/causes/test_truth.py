"""The programs themselves: what they claim is what PyTorch does, without graphvis."""

from __future__ import annotations

import pytest

from tests.causes.case import Case, measure
from tests.causes.programs import CAUSES


@pytest.mark.parametrize("case", CAUSES, ids=lambda case: case.name)
def test_the_claims_of_a_program_are_pytorchs(case: Case) -> None:
    assert measure(case) == dict(case.verdicts)


@pytest.mark.parametrize("case", [c for c in CAUSES if "cut" in c.verdicts.values()], ids=lambda case: case.name)
def test_a_program_with_a_cut_marks_its_line(case: Case) -> None:
    assert case.marks["CUT"]
    assert case.kinds
