"""What graphvis says where a reentrant checkpoint cuts inside, before backward has run, and by one of its own."""

from __future__ import annotations

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.causes import checkpointed
from tests.causes.asking import ask
from tests.causes.case import Case, measure
from tests.causes.checkpointed import CHECKPOINTED


@pytest.mark.parametrize("case", CHECKPOINTED, ids=lambda case: case.name)
def test_the_claims_of_a_program_are_pytorchs(case: Case) -> None:
    assert measure(case) == dict(case.verdicts)


@pytest.mark.parametrize("probe", [False, True])
@pytest.mark.parametrize("case", CHECKPOINTED, ids=lambda case: case.name)
def test_status_kind_and_line(case: Case, probe: bool) -> None:
    diagnosis = ask(case.step, case.build, probe=probe)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    assert {cut.kind for cut in diagnosis.cuts} == case.kinds
    assert {cut.location.line for cut in diagnosis.cuts} == set(case.marks.get("CUT", ()))
    assert {cut.location.file for cut in diagnosis.cuts} <= {checkpointed.__file__}
    lost = {name for name, status in case.verdicts.items() if status == "cut"}
    assert {name for cut in diagnosis.cuts for name in cut.parameters} == lost


def test_a_parameter_that_is_given_its_own_memory_is_still_itself() -> None:
    """As ``register_parametrization`` does with it."""
    with record() as trace:
        layer, loss = checkpointed.parametrized()
    diagnosis = diagnose(loss, trace, parameters=layer)
    (cut,) = diagnosis.cuts
    assert (cut.kind, cut.location.text) == ("detach", "return weight.detach().exp()")
    assert cut.parameters == ("parametrizations.weight.original",)
    loss.backward()
    assert layer.parametrizations.weight.original.grad is None


def test_an_edge_leads_on_from_a_checkpoint_though_of_the_value_nothing_is_left() -> None:
    w, v = (torch.rand(4, 4, requires_grad=True) for _ in range(2))
    with record() as trace:
        h = torch.rand(2, 4) @ w
        h[...] = 0.5
        loss = checkpoint(lambda h: h @ v, h, use_reentrant=True).sum()
    verdicts = {
        probe: diagnose(loss, trace, parameters={"w": w, "v": v}, probe=probe).verdicts["w"].status
        for probe in (False, True)
    }
    assert verdicts == {False: "gradient", True: "zero"}
    loss.backward()
    assert w.grad is not None
    assert not w.grad.any()


@pytest.mark.parametrize(("detached", "static", "probed"), [(False, "gradient", "zero"), (True, "unused", "unused")])
def test_an_edge_leads_through_a_checkpoint_though_what_it_made_was_overwritten(
    detached: bool, static: str, probed: str
) -> None:
    w, v, u = (torch.rand(4, 4, requires_grad=True) for _ in range(3))
    with record() as trace:
        h = torch.rand(2, 4) @ w
        made = checkpoint(lambda h: (h.detach() if detached else h) @ v, h, use_reentrant=True)
        made[...] = torch.rand(2, 4) @ u
        loss = made.sum()
    told = [
        diagnose(loss, trace, parameters={"w": w, "v": v, "u": u}, probe=probe).verdicts["w"].status
        for probe in (False, True)
    ]
    assert told == [static, probed]
    loss.backward()
    assert (w.grad is None) == detached
    assert w.grad is None or not w.grad.any()


class Reversible(torch.autograd.Function):
    """Runs a backward of its own, as reversible layers do and other libraries' checkpoints."""

    @staticmethod
    def forward(ctx, value, layer):
        ctx.layer = layer
        ctx.save_for_backward(value)
        return value + layer(value)

    @staticmethod
    def backward(ctx, gradient):
        value = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            torch.autograd.backward(value + ctx.layer(value), gradient)
        return value.grad, None


def test_a_function_whose_backward_runs_one_of_its_own_may_give_a_gradient_to_what_it_read() -> None:
    stem, layer = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    parameters = {"stem": stem.weight, "layer": layer.weight}
    with record() as trace:
        loss = Reversible.apply(stem(torch.rand(2, 4)), layer).sum()
    before = diagnose(loss, trace, parameters=parameters)
    assert {name: one.status for name, one in before.verdicts.items()} == {"stem": "gradient", "layer": "cut"}
    assert [cut.certain for cut in before.cuts] == [before.verdicts["layer"].certain] == [False]
    for known in (trace, None):
        told = diagnose(loss, known, parameters=parameters, probe=True)
        assert {name: one.status for name, one in told.verdicts.items()} == {"stem": "gradient", "layer": "gradient"}
    assert layer.weight.grad is None
    loss.backward()
    assert layer.weight.grad is not None
