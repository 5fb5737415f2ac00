"""Without its cuts a program builds the graph that would have been; everything else stays as it is."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphvis.live.counterfactual import NEUTRALISED, NeutraliseError, without_cuts
from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.causes.asking import ask
from tests.causes.case import Case
from tests.causes.overwritten import CONFLICTS, HARMLESS, Overwritten
from tests.causes.programs import CAUSES
from tests.causes.quiet import QUIET

# This one asserts in its own body that its view has no graph.
ASSERTING = "no_grad_view_that_says_requires_grad"
LEFT_ALONE = {
    ASSERTING, "data_of_the_parameter", "data_copied_into", "data_assigned", "no_grad_copy_into_a_buffer",
    "no_grad_write_of_a_slice", "no_grad_with_out", "saved_and_loaded_state", "deepcopied_module",
    "parameter_made_in_forward", "a_parameter_whose_memory_is_written_back",
}  # fmt: skip
CUT = [case for case in CAUSES if "cut" in case.verdicts.values()]
POSSIBLE = [
    case for case in CUT if not case.probe and all(cut.kind in NEUTRALISED for cut in ask(case.step, case.build).cuts)
]


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor | None]:
    model.zero_grad()
    loss.sum().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


# A write, .data of a leaf, or what a reentrant checkpoint runs, which is a Function's forward, is left alone: those
# cases are not asked, rather than skipped one by one.
@pytest.mark.parametrize(
    "case",
    [
        case
        for case in POSSIBLE
        if not case.name.startswith("numpy") and case.name not in LEFT_ALONE and "reentrant_checkpoint" not in case.name
    ],
    ids=lambda case: case.name,
)
def test_without_all_cuts_the_lost_get_their_gradient(case: Case) -> None:
    torch.manual_seed(7)
    model, grad_mode = case.build(), torch.is_grad_enabled()
    try:
        with without_cuts():
            loss = case.step(model)
    finally:
        torch.set_grad_enabled(grad_mode)
    found = gradients(model, loss)
    assert {name for name, status in case.verdicts.items() if status == "cut" and found[name] is None} == set()


@pytest.mark.parametrize("case", [c for c in CAUSES + QUIET if c.name != ASSERTING], ids=lambda case: case.name)
def test_the_values_stay_the_same(case: Case) -> None:
    torch.manual_seed(7)
    model, grad_mode = case.build(), torch.is_grad_enabled()
    twin = copy.deepcopy(model)
    try:
        torch.manual_seed(5)
        loss = case.step(model)
        torch.set_grad_enabled(grad_mode)
        torch.manual_seed(5)
        with without_cuts():
            other = case.step(twin)
    finally:
        torch.set_grad_enabled(grad_mode)
    assert torch.equal(loss.detach(), other.detach())


def test_one_cut_by_its_location() -> None:
    def step(a: Tensor, b: Tensor) -> Tensor:
        one = (a * 2).detach()
        other = (b * 3).detach()
        return (one + other).sum()

    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with record() as trace:
        loss = step(a, b)
    diagnosis = diagnose(loss, trace, {"a": a, "b": b}, verify=lambda: step(a, b))
    assert [cut.parameters for cut in diagnosis.cuts] == [("a",), ("b",)]
    assert [advice.gained for advice in diagnosis.advice] == [("a",), ("b",)]
    with without_cuts(diagnosis.cuts[1].location):
        grads = torch.autograd.grad(step(a, b), [a, b], allow_unused=True)
    assert grads[0] is None
    assert grads[1] is not None


def test_a_whole_no_grad_block_by_its_first_line() -> None:
    layers = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))

    def step() -> Tensor:
        with torch.no_grad():
            h = layers[0](torch.ones(1, 2))
            h = layers[1](h)
        return layers[2](h).sum()

    with record() as trace:
        loss = step()
    diagnosis = diagnose(loss, trace, layers, verify=step)
    (advice,) = diagnosis.advice
    assert advice.gained == ("0.weight", "0.bias")
    assert diagnosis.cuts[0].since is not None
    assert diagnosis.cuts[0].since.text == "with torch.no_grad():"


def test_inference_mode() -> None:
    w = torch.ones(2, requires_grad=True)

    def step() -> Tensor:
        with torch.inference_mode():
            h = w * 2
        return h + torch.zeros(2)

    with record() as trace:
        loss = step()
    (advice,) = diagnose(loss, trace, {"w": w}, verify=step).advice
    assert advice.gained == ("w",)
    assert step().is_inference() is False
    assert not step().requires_grad


def test_training_goes_on_as_it_does() -> None:
    def train(counterfactual: bool) -> list[Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        nn.init.kaiming_normal_(model[0].weight)
        model.load_state_dict(copy.deepcopy(model.state_dict()))
        optimizers = [
            torch.optim.SGD(model[0].parameters(), lr=0.1, momentum=0.9),
            torch.optim.Adam(model[2].parameters()),
        ]
        for _ in range(3):
            loss = model(torch.randn(5, 4)).square().mean()
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
        return [tensor.detach().clone() for tensor in model.state_dict().values()]

    expected = train(False)
    with without_cuts():
        found = train(True)
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)


class ByHand(torch.optim.Optimizer):
    """An optimizer that is none of PyTorch's."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.sub_(group["lr"] * parameter.grad.detach().clone())
        return loss


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.LBFGS, torch.optim.AdamW, ByHand])
def test_optimizers_are_left_alone_and_what_their_closures_cut_is_not(kind: Any, recorded: bool) -> None:
    def train(cut: bool) -> list[Tensor]:
        torch.manual_seed(0)
        first, last = nn.Linear(3, 3), nn.Linear(3, 1)
        optimizer = kind([*first.parameters(), *last.parameters()])

        def closure() -> Tensor:
            optimizer.zero_grad()
            with torch.set_grad_enabled(not cut):
                h = first(torch.ones(2, 3))
            loss: Tensor = (last(h) - 1).square().sum()
            loss.backward()
            return loss

        # In an optimizer of one's own nothing tells a closure from its other code.
        if kind is ByHand:
            closure()
            optimizer.step()
        else:
            optimizer.step(closure)
        return [*first.parameters(), *last.parameters()]

    expected = train(False)
    with record() if recorded else contextlib.nullcontext(), without_cuts():
        found = train(True)
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one.grad, other.grad)


def test_what_cannot_be_taken_out_is_said() -> None:
    with pytest.raises(NeutraliseError, match="item") as caught:
        without_cuts(kinds={"item"})
    assert "detach" in caught.value.fix
    w = torch.ones(2, requires_grad=True)

    def step() -> Tensor:
        return (torch.ones(2) * w.sum().item()).sum()

    with record() as trace:
        loss = step()
    (advice,) = diagnose(loss, trace, {"w": w}, verify=step).advice
    assert not advice.neutralised


WRONG = [case for case in CONFLICTS if case.effect == "wrong gradient"]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_a_comparison_run_makes_a_wrong_gradient_certain(case: Overwritten) -> None:
    torch.manual_seed(7)
    model = case.build()
    state, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    with record() as trace:
        loss = case.step(model, True)

    def again() -> Tensor:
        model.load_state_dict(state)
        for module, training in zip(model.modules(), modes, strict=True):
            module.training = training
        return case.step(model, True)

    conflicts = diagnose(loss, trace, model, verify=again).conflicts
    assert conflicts
    assert all(conflict.certain for conflict in conflicts)


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_a_comparison_run_clears_the_harmless(case: Overwritten) -> None:
    torch.manual_seed(7)
    model = case.build()
    with record() as trace:
        loss = case.step(model, True)
    assert diagnose(loss, trace, model, verify=lambda: case.step(model, True)).conflicts == ()


def test_a_comparison_run_judges_one_by_one() -> None:
    a = torch.tensor([1.0, 2.0], requires_grad=True)

    def step() -> Tensor:
        h, k = a.exp(), a.tanh()
        loss = h.sum() + (k * 0).sum()
        h.data.add_(1)  # guilty
        k.data.add_(1)  # times zero
        return loss

    with record() as trace:
        loss = step()
    (conflict,) = diagnose(loss, trace, {"a": a}, verify=step).conflicts
    assert conflict.certain
    assert conflict.modified_at.text.endswith("# guilty")


def test_a_comparison_run_without_the_write_lets_nobody_off() -> None:
    a = torch.tensor([1.0, 2.0], requires_grad=True)

    def step() -> Tensor:
        global kept
        kept = a.exp()
        return kept.sum()

    with record() as trace:
        loss = step()
        kept.data.zero_()
    (conflict,) = diagnose(loss, trace, {"a": a}, verify=step).conflicts
    assert not conflict.certain


def test_a_program_that_pytorch_refuses_without_its_cut_gets_no_advice_but_a_note() -> None:
    w, v = nn.Parameter(torch.ones(2, 4)), nn.Parameter(torch.ones(4))

    def step() -> Tensor:
        row, _ = w.unbind(0)
        with torch.no_grad():
            w.mul_(0.5)
        return (row.data * v).sum()

    with record() as trace:
        loss = step()
    diagnosis = diagnose(loss, trace, {"w": w, "v": v}, verify=step)
    assert diagnosis.verdicts["w"].status == "cut"
    assert diagnosis.advice == ()
    (note,) = diagnosis.notes
    assert note.startswith("Without the cut at test_counterfactual.py:")
    assert "modified inplace" in note


def _adds_under_no_grad(w: Tensor, v: Tensor) -> Tensor:
    total = v * 1
    with torch.no_grad():
        total.add_(w)
    return total.sum()


def _uses_its_data(w: Tensor, v: Tensor) -> Tensor:
    return (w.data * v).sum()


@pytest.mark.parametrize("function", [_adds_under_no_grad, _uses_its_data])
def test_what_was_not_taken_out_is_not_said_to_have_been_tried(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    w, v = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with record() as trace:
        loss = function(w, v)
    found = diagnose(loss, trace, {"w": w, "v": v}, verify=lambda: function(w, v))
    assert [(advice.neutralised, advice.gained) for advice in found.advice] == [(False, ())]
    told = " ".join(str(found).split())
    assert "cannot be taken out alone" in told
    assert "more parameters get a gradient" not in told


def test_a_detach_that_is_called_as_an_operator_is_taken_out() -> None:
    w, v = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)

    def step() -> Tensor:
        return (torch.ops.aten.detach(w * 2) * v).sum()

    with record() as trace:
        loss = step()
    assert [advice.gained for advice in diagnose(loss, trace, {"w": w, "v": v}, verify=step).advice] == [("w",)]


def test_what_a_reentrant_checkpoint_would_give_is_not_said() -> None:
    w, v, x = (torch.ones(2, requires_grad=True) for _ in range(3))

    def step(cut: bool = True) -> Tensor:
        given: Any = checkpoint(lambda x: x * w, x, use_reentrant=True)
        return cast(Tensor, (given.detach() if cut else given) * v).sum()

    with record() as trace:
        loss = step()
    found = diagnose(loss, trace, {"w": w, "v": v}, verify=step)
    assert found.verdicts["w"].status == "cut"
    assert not found.advice  # that it gains nothing would be wrong: no walk shows what the checkpoint reads
    step(cut=False).backward()
    assert w.grad is not None


def test_a_program_that_refuses_to_run_without_a_cut_is_noted_whatever_it_raises() -> None:
    w = torch.ones(2, requires_grad=True)

    def step() -> Tensor:
        fast = w.clone().detach().requires_grad_()
        torch.optim.SGD([fast], lr=0.1)
        return fast.sum()

    with record() as trace:
        loss = step()
    found = diagnose(loss, trace, {"w": w}, verify=step)
    assert any("can't optimize a non-leaf Tensor" in note for note in found.notes)
