"""The sound programs: what they claim is what PyTorch does, without graphvis."""

from __future__ import annotations

import pytest

from tests.causes.case import Case, measure
from tests.causes.quiet import QUIET


@pytest.mark.parametrize("case", QUIET, ids=lambda case: case.name)
def test_every_parameter_meant_to_learn_gets_its_gradient(case: Case) -> None:
    assert measure(case) == dict(case.verdicts)
