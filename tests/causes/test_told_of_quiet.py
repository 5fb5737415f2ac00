"""What graphvis says of sound training code: nothing."""

from __future__ import annotations

import pytest

from tests.causes.asking import ask
from tests.causes.case import Case
from tests.causes.quiet import QUIET


@pytest.mark.parametrize("probe", [False, True], ids=["static", "probe"])
@pytest.mark.parametrize("case", QUIET, ids=lambda case: case.name)
def test_no_alarm(case: Case, probe: bool) -> None:
    diagnosis = ask(case.step, case.build, probe=probe)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    assert diagnosis.conflicts == ()
    assert diagnosis.notes == ()
