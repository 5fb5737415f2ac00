"""Whether what was overwritten makes a gradient wrong: PyTorch's own gradients are what it is held against."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import keeping, record
from graphvis.model import Diagnosis
from tests.causes.asking import ask
from tests.causes.case import Case
from tests.causes.programs import CAUSES
from tests.causes.quiet import QUIET


def probed(step: Callable[[], Tensor], **parameters: Tensor) -> Diagnosis:
    """The diagnosis of a step whose overwritten values were kept."""
    with record(values=True) as trace:
        loss = step()
    return diagnose(loss, trace, parameters, probe=True)


def leaf(*numbers: float) -> Tensor:
    return torch.tensor(numbers, requires_grad=True)


def lines(diagnosis: Diagnosis) -> list[tuple[bool, str]]:
    """Whether each conflict is certain, with the line that wrote."""
    return [(conflict.certain, conflict.modified_at.text) for conflict in diagnosis.conflicts if conflict.modified_at]


def test_a_write_of_the_same_numbers_is_no_conflict() -> None:
    a = leaf(1.0, 2.0)

    def step() -> Tensor:
        h = a.sigmoid()
        y = h.sum()
        h.data.mul_(1.0)
        return y

    assert probed(step, a=a).conflicts == ()


def test_memory_that_was_saved_at_two_times_is_put_back_as_it_was_at_each() -> None:
    a = leaf(1.0, -2.0, 3.0)

    def step(write: bool) -> Tensor:
        h = a * 1.0
        y = h * a
        if write:
            h.data.mul_(2)
        else:
            h = h + h.detach()  # the value of the write, elsewhere
        z = h * a
        if write:
            h.data.mul_(3)
        return y.sum() + z.sum()

    with record(values=True) as trace:
        loss = step(True)
    diagnosis = diagnose(loss, trace, {"a": a}, probe=True)
    assert sorted(lines(diagnosis)) == [(True, "h.data.mul_(2)"), (True, "h.data.mul_(3)")]
    (found,) = torch.autograd.grad(loss, a)
    (right,) = torch.autograd.grad(step(False), a)
    assert not torch.equal(found, right)


def test_conflicts_are_judged_one_by_one() -> None:
    a, b = leaf(1.0, 2.0), leaf(0.5, 0.25)

    def step() -> Tensor:
        h = a.exp()
        k = b.exp()
        m = a.tanh()
        loss = h.sum() + (k * 0).sum() + m.sum()
        h.data.add_(1)  # guilty
        k.data.add_(1)  # times zero
        m.data.mul_(1)  # the same numbers
        return loss

    assert lines(probed(step, a=a, b=b)) == [(True, "h.data.add_(1)  # guilty")]


def test_one_that_hides_behind_another_is_seen() -> None:
    a = leaf(1.0, 2.0)

    def step() -> Tensor:
        h = a.exp()
        k = h.exp()
        loss = k.sum()
        h.data.zero_()
        k.data.zero_()
        return loss

    assert sorted(lines(probed(step, a=a))) == [(True, "h.data.zero_()"), (True, "k.data.zero_()")]


def test_only_together() -> None:
    """Each factor of a gradient that was zero by both alone leaves it zero: nobody is let off for it."""
    a = leaf(1.0, 2.0)
    zero, other = torch.zeros(2), torch.zeros(2)

    def step() -> Tensor:
        loss = (a * zero * other).sum()
        zero.data.add_(1)
        other.data.add_(1)
        return loss

    assert [certain for certain, _ in lines(probed(step, a=a))] == [True, True]


def test_two_halves_of_one_memory_are_two_things() -> None:
    a = leaf(1.0, 2.0, 3.0, 4.0)

    def step() -> Tensor:
        h = a * 1.0
        loss = (h[:2] * h[2:]).sum()
        h.data[2:] = 0
        return loss

    (conflict,) = probed(step, a=a).conflicts
    assert (conflict.certain, conflict.saved) == (True, "other")


def test_columns_of_one_memory() -> None:
    a = torch.randn(3, 4, requires_grad=True)

    def step() -> Tensor:
        h = a * 1.0
        loss = (h[:, 1] * h[:, 2]).sum()
        h.data[:, 2].mul_(1.0)
        h.data[:, 1].mul_(3.0)
        return loss

    assert lines(probed(step, a=a)) == [(True, "h.data[:, 1].mul_(3.0)")]


@pytest.mark.parametrize("fused", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_a_fused_step_between_forward_and_backward(fused: type[torch.optim.Optimizer]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = fused(model.parameters(), lr=0.1, fused=True)  # type: ignore[call-arg]
    with record(values=True) as trace:
        model(torch.randn(5, 3)).square().sum().backward()
        loss = model(torch.randn(5, 3)).square().sum()
        (before,) = torch.autograd.grad(loss, model[0].weight, retain_graph=True)
        optimizer.step()
    (after,) = torch.autograd.grad(loss, model[0].weight, retain_graph=True)
    assert not torch.equal(before, after)
    (conflict,) = diagnose(loss, trace, model, probe=True).conflicts
    assert (conflict.certain, conflict.saved) == (True, "mat2")


def test_a_checkpoint_runs_again_on_what_was_overwritten() -> None:
    w, v = torch.randn(4, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True)
    x = torch.randn(2, 4)

    def step() -> Tensor:
        y = checkpoint(lambda h: ((h @ v).tanh() @ v).sin(), x @ w, use_reentrant=False).sum()
        v.data.mul_(0.5)
        return y

    diagnosis = probed(step, w=w, v=v)
    assert diagnosis.conflicts
    assert all(conflict.certain for conflict in diagnosis.conflicts)


def test_a_function_that_hands_on_what_it_saved() -> None:
    class Times(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(factor)
            return x * factor

        @staticmethod
        def backward(ctx, grad):
            return ctx.saved_tensors[0], None

    a, factor = leaf(1.0, 2.0), torch.tensor([3.0, 4.0])

    def step() -> Tensor:
        y = Times.apply(a * 1.0, factor)
        factor.data.zero_()
        return y.sum()

    (conflict,) = probed(step, a=a).conflicts
    assert conflict.certain
    assert torch.equal(factor, torch.zeros(2))


def test_nothing_has_changed_afterwards() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=True)
    with record(values=True) as trace:
        model(torch.randn(2, 4)).sum().backward()
        h = model(torch.randn(2, 4)).exp()
        loss = h.sum()
        optimizer.step()
        h.data.mul_(0.5)
    tensors = [*model.parameters(), h, loss, *(parameter.grad for parameter in model.parameters())]
    kept = [tensor.detach().clone() for tensor in tensors]
    versions, random = [tensor._version for tensor in tensors], torch.get_rng_state()
    grads = [parameter.grad for parameter in model.parameters()]
    expected = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    diagnosis = diagnose(loss, trace, model, probe=True)
    assert any(conflict.certain for conflict in diagnosis.conflicts)
    assert all(torch.equal(one, other) for one, other in zip(tensors, kept, strict=True))
    assert [tensor._version for tensor in tensors] == versions
    assert all(parameter.grad is grad for parameter, grad in zip(model.parameters(), grads, strict=True))
    assert torch.equal(torch.get_rng_state(), random)
    found = torch.autograd.grad(loss, list(model.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_what_is_not_reproducible_is_not_certain() -> None:
    """A gradient that is another each time shows nothing."""
    a = leaf(1.0, 2.0)
    calls = []

    def step() -> Tensor:
        h = a.exp()
        h.register_hook(lambda grad: grad * (1 + len(calls) + (calls.append(1) or 0)))
        loss = h.sum()
        h.data.zero_()
        return loss

    (conflict,) = probed(step, a=a).conflicts
    assert not conflict.certain


def test_a_step_in_which_a_later_write_was_not_kept_stays_open() -> None:
    a = leaf(1.0, 2.0)
    with record(values=True) as trace:
        h = a.exp()
        loss = h.sum()
        h.data.zero_()
        trace.tape.keeping.images._kept.clear()
    (conflict,) = diagnose(loss, trace, {"a": a}, probe=True).conflicts
    assert not conflict.certain


def test_images_die_with_their_memory() -> None:
    with record(values=True) as trace:
        kept = torch.zeros(3)
        for _ in range(4):
            torch.ones(1000).mul_(2)
        kept.add_(1)
        gc.collect()
        assert trace.tape.keeping.images._bytes == 12
    kept.add_(1)
    assert trace.tape.keeping.images._bytes == 12


def test_the_oldest_images_go_beyond_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_BYTES", 100)
    weight = torch.zeros(10)
    with record(values=True) as trace:
        for _ in range(5):
            weight.add_(1)
    assert trace.tape.keeping.images._bytes == 80
    assert [len(kept) for kept in trace.tape.keeping.images._kept.values()] == [1, 1]


@pytest.mark.parametrize("case", [*CAUSES, *QUIET], ids=lambda case: case.name)
def test_keeping_values_changes_no_verdict(case: Case) -> None:
    kept, plain = (ask(case.step, case.build, probe=case.probe, values=values) for values in (True, False))
    assert kept.findings == plain.findings
    assert kept.cuts == plain.cuts


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_probe_through_a_checkpoint_leaves_running_statistics_alone(reentrant: bool) -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    with record(values=True) as trace:
        x = torch.randn(3, 4, requires_grad=True)
        loss = checkpoint(model, x, use_reentrant=reentrant).sum()
        model[3].weight.data.mul_(0.5)
    kept = [buffer.clone() for buffer in model.buffers()]
    versions = [buffer._version for buffer in model.buffers()]
    weight = model[3].weight.detach().clone()
    diagnosis = diagnose(loss, trace, model, probe=True)
    assert [conflict.certain for conflict in diagnosis.conflicts] == [True]
    assert all(torch.equal(one, other) for one, other in zip(model.buffers(), kept, strict=True))
    assert [buffer._version for buffer in model.buffers()] == versions
    assert torch.equal(model[3].weight, weight)
    assert all(parameter.grad is None for parameter in model.parameters())
