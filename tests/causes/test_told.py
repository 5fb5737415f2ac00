"""What graphvis says of each cause: the status of every parameter, and kind and line of every cut."""

from __future__ import annotations

import pytest

from tests.causes import programs
from tests.causes.asking import ask
from tests.causes.case import Case
from tests.causes.programs import CAUSES


@pytest.mark.parametrize("case", CAUSES, ids=lambda case: case.name)
def test_the_status_of_every_parameter(case: Case) -> None:
    diagnosis = ask(case.step, case.build, probe=case.probe)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)


@pytest.mark.parametrize("case", [c for c in CAUSES if "cut" in c.verdicts.values()], ids=lambda case: case.name)
def test_kind_and_line_of_every_cut(case: Case) -> None:
    diagnosis = ask(case.step, case.build, probe=case.probe)
    for name, status in case.verdicts.items():
        cuts = diagnosis.verdicts[name].cuts
        if status != "cut":
            assert not [cut for cut in cuts if cut.certain]
            continue
        assert cuts, name
        assert {cut.location.line for cut in cuts} <= case.marks["CUT"] | case.marks.get("BACK", set()), name
        assert {cut.location.file for cut in cuts} == {programs.__file__}
        assert {cut.kind for cut in cuts} <= case.kinds, name
        assert all(name in cut.parameters for cut in cuts)
        for cut in cuts:
            assert cut.certain == (cut.location.line not in case.marks.get("INFERRED", ())), cut
    if "BACK" not in case.marks:
        lines = {cut.location.line for verdict in diagnosis.verdicts.values() for cut in verdict.cuts}
        assert lines == case.marks["CUT"]


@pytest.mark.parametrize("case", [c for c in CAUSES if "OFF" in c.marks], ids=lambda case: case.name)
def test_the_line_that_turned_grad_off(case: Case) -> None:
    diagnosis = ask(case.step, case.build, probe=case.probe)
    assert {cut.since.line for cut in diagnosis.cuts} == case.marks["OFF"]


@pytest.mark.parametrize("case", CAUSES, ids=lambda case: case.name)
def test_without_a_probe_nothing_is_called_worse_than_it_is(case: Case) -> None:
    diagnosis = ask(case.step, case.build)
    found = {name: verdict.status for name, verdict in diagnosis.verdicts.items()}
    if case.probe:
        # The graph alone cannot tell a zero, or a Function that returns None, from a gradient.
        assert found == dict.fromkeys(case.verdicts, "gradient")
    else:
        assert found == dict(case.verdicts)
    assert diagnosis.ok == all(found[name] == "gradient" or found[name] == "frozen" for name in found)


@pytest.mark.parametrize("case", CAUSES, ids=lambda case: case.name)
def test_none_of_them_is_a_conflict(case: Case) -> None:
    assert ask(case.step, case.build).conflicts == ()
