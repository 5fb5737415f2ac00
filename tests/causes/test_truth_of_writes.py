"""The programs with writes: what they claim is what PyTorch does, without graphvis."""

from __future__ import annotations

import pytest

from tests.causes.overwritten import CONFLICTS, HARMLESS, Overwritten, gradients, measure


@pytest.mark.parametrize("case", [*CONFLICTS, *HARMLESS], ids=lambda case: case.name)
def test_the_effect_of_a_write_is_pytorchs(case: Overwritten) -> None:
    assert measure(case) == case.effect, gradients(case, True)


@pytest.mark.parametrize("case", CONFLICTS, ids=lambda case: case.name)
def test_a_conflict_marks_its_lines(case: Overwritten) -> None:
    assert case.marks["SAVED"]
    assert case.marks["WROTE"]
