"""What graphvis says where only a part of a value goes on."""

from __future__ import annotations

import pytest
import torch

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.causes import parts
from tests.causes.asking import ask
from tests.causes.case import Case, measure, weights
from tests.causes.parts import PARTS


@pytest.mark.parametrize("case", PARTS, ids=lambda case: case.name)
def test_the_claims_of_a_program_are_pytorchs(case: Case) -> None:
    assert measure(case) == dict(case.verdicts)


@pytest.mark.parametrize("case", PARTS, ids=lambda case: case.name)
def test_status_kind_and_line(case: Case) -> None:
    diagnosis = ask(case.step, case.build, probe=case.probe)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    assert all(verdict.certain for verdict in diagnosis.verdicts.values())
    assert {cut.kind for cut in diagnosis.cuts} == case.kinds
    users = [cut.caller or cut.location for cut in diagnosis.cuts]
    assert {user.line for user in users} == set(case.marks.get("CUT", ()))
    assert {user.file for user in users} <= {parts.__file__}
    assert {cut.since.line for cut in diagnosis.cuts if cut.since} == set(case.marks.get("OFF", ()))
    lost = {name for name, status in case.verdicts.items() if status == "cut"}
    assert {name for cut in diagnosis.cuts for name in cut.parameters} == lost


def test_a_function_that_computes_elsewhere_is_not_blamed_for_a_result_that_is_not_used() -> None:
    diagnosis = ask(parts.opaque, weights("w", "v"), probe=True)
    assert [diagnosis.verdicts[name].status for name in "wv"] == ["gradient", "unreached"]
    assert not diagnosis.verdicts["v"].certain
    assert not diagnosis.cuts
    assert any("_Opaque.apply(model.w, model.v)" in note for note in diagnosis.notes)


def test_what_a_function_may_hide_from_a_derivative_is_never_surely_unused() -> None:
    assert measure(Case(parts.cubed, weights("w", "v"), {})) == {"w": "gradient", "v": "cut"}
    verdict = ask(parts.cubed, weights("w", "v")).verdicts["v"]
    assert (verdict.status, verdict.certain) == ("unreached", False)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize("foreach", [False, True])
def test_steps_of_a_parameter_that_nobody_asks_for_link_nothing(kind: type, foreach: bool) -> None:
    a, b, z = (torch.nn.Parameter(torch.ones(3)) for _ in range(3))
    optimizer = kind([b], lr=0.1, foreach=foreach)
    with record() as trace:
        (a * b).sum().backward()
        optimizer.step()
        loss = (b * z).sum()
    diagnosis = diagnose(loss, trace, parameters={"a": a, "z": z})
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == {"a": "unused", "z": "gradient"}
    a.grad = z.grad = None
    loss.backward()
    assert (a.grad is None, z.grad is None) == (True, False)
