"""The corners in which a recording is easily deceived: each told right, or said not to be known."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.model import Verdict


def leaves(*names: str) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {name: torch.randn(4, 4, requires_grad=True) for name in names}


def verdicts(step: Callable[..., Tensor], *names: str, **options: Any) -> dict[str, Verdict]:
    """What is said of a program, held against a real backward."""
    given = leaves(*names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with record() as trace:
            loss = step(*given.values())
        found = dict(diagnose(loss, trace, given, **options).verdicts)
        for tensor in given.values():
            tensor.grad = None
        if loss.requires_grad:
            loss.backward()
    for name, tensor in given.items():
        assert (found[name].status in ("gradient", "zero")) == (tensor.grad is not None), name
    return found


def kinds(verdict: Verdict) -> set[str]:
    return {cut.kind for cut in verdict.cuts}


def test_running_statistics_of_a_batch_norm() -> None:
    """They are written without their counter moving; a value goes through them into the next evaluation."""
    norm = nn.BatchNorm1d(4)

    def step(w: Tensor, v: Tensor) -> Tensor:
        norm.train()
        norm(w * 1)
        norm.eval()
        return norm(v * 1).sum()

    found = verdicts(step, "w", "v")
    assert found["v"].status == "gradient"
    assert found["w"].status == "cut"
    assert all("norm(w * 1)" in cut.location.text for cut in found["w"].cuts)


def test_a_float_derived_in_another_function() -> None:
    def scale_of(t: Tensor) -> float:
        value = t.norm().item()
        return 1.0 / (1.0 + value)

    def step(w: Tensor, v: Tensor) -> Tensor:
        scale = scale_of(w)
        return (v * scale).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"item"}
    assert not found["w"].cuts[0].certain


def test_a_float_handed_to_another_function() -> None:
    def scaled(t: Tensor, scale: float) -> Tensor:
        return t * (scale + 1)

    def step(w: Tensor, v: Tensor) -> Tensor:
        return scaled(v, w.norm().item()).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"item"}


def test_a_float_kept_in_an_attribute() -> None:
    class Scaler(nn.Module):
        def observe(self, t: Tensor) -> None:
            self.scale = t.abs().max().item() + 1

        def forward(self, t: Tensor) -> Tensor:
            return t / self.scale

    def step(w: Tensor, v: Tensor) -> Tensor:
        scaler = Scaler()
        scaler.observe(w)
        return scaler(v).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"item"}


def test_an_int_used_as_a_slice() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        count = int(w.abs().sum()) % 3 + 1
        return v[:count].sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"item"}
    assert not found["w"].cuts[0].certain


def test_a_tensor_used_as_a_slice() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        count = (w.abs().sum() % 3 + 1).long()
        return v[:count].sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) <= {"item", "non_differentiable"}


def test_a_value_that_is_only_logged_is_unused() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        history = []
        history.append(w.norm().item())
        return (v * 2).sum()

    found = verdicts(step, "w", "v")
    assert (found["w"].status, found["w"].certain) == ("unused", True)


def test_tolist_and_back() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        rows = [[2 * x for x in row] for row in w.tolist()]
        return (v @ torch.tensor(rows)).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"item"}


@pytest.mark.parametrize("back", ["from_numpy", "as_tensor", "tensor", "asarray"])
def test_an_array_comes_back(back: str) -> None:
    function = getattr(torch, back)

    def step(w: Tensor, v: Tensor) -> Tensor:
        array = w.detach().numpy()
        return (v @ function(array)).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"detach"}
    assert found["w"].cuts[0].certain


def test_an_array_is_written_into_memory() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        buffer = torch.zeros(4, 4)
        view = buffer.numpy()
        view[...] = np.exp(w.detach().numpy())
        return (v @ buffer).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"detach"}


def test_pickle_there_and_back() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        text = pickle.dumps(w)
        twin = pickle.loads(text)
        return (v @ twin).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"copy"}


def test_deepcopy() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        return (v @ copy.deepcopy(w)).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"copy"}


def test_vmap_keeps_what_it_keeps() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        return torch.func.vmap(lambda row: (row * 2).sum())(w).sum() + v.sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == found["v"].status == "gradient"


def test_a_cut_within_vmap_is_never_surely_unused() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        return (torch.func.vmap(lambda row: row.detach() * 2)(w) * v).sum()

    found = verdicts(step, "w", "v")
    assert found["v"].status == "gradient"
    assert found["w"].status == "cut" or not found["w"].certain


def test_a_cut_within_scripted_code_is_never_surely_unused() -> None:
    def inner(t: Tensor) -> Tensor:
        return t.detach() * 2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(inner)

    def step(w: Tensor, v: Tensor) -> Tensor:
        return (scripted(w) * v).sum()

    found = verdicts(step, "w", "v")
    assert found["v"].status == "gradient"
    assert found["w"].status == "cut" or not found["w"].certain


def test_a_gradient_as_a_value() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        w.square().sum().backward()
        assert w.grad is not None
        return (v @ w.grad).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"grad"}


def test_another_name_by_set_() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        twin = torch.empty(0)
        twin.set_(w.detach())
        return (v @ twin).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"detach"}


def test_a_write_seen_through_a_name_by_set_() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        buffer, twin = torch.zeros(4, 4), torch.empty(0)
        twin.set_(buffer)
        buffer.copy_(w.detach())
        return (v @ twin).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"detach"}


def test_the_part_that_an_item_assignment_writes() -> None:
    def step(w: Tensor, v: Tensor, u: Tensor) -> Tensor:
        buffer = torch.zeros(4, 4)
        buffer[:, 0] = w[:, 0].detach()
        buffer[:, 1] = v[:, 1].detach()
        return (buffer[:, 1] * u[0]).sum()

    found = verdicts(step, "w", "v", "u")
    assert found["w"].status == "unused"
    assert found["v"].status == "cut"
    assert found["u"].status == "gradient"


def test_data_copy_from_a_live_tensor_names_its_line() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        buffer = torch.zeros(4, 4)
        buffer.data.copy_(w * 2)
        return (v @ buffer).sum()

    found = verdicts(step, "w", "v")
    assert kinds(found["w"]) == {"data"}
    assert "copy_" in found["w"].cuts[0].location.text


@pytest.mark.parametrize("dim", [0, 1])
def test_cat_then_split(dim: int) -> None:
    def step(w: Tensor, v: Tensor, u: Tensor) -> Tensor:
        both = torch.cat([w.detach(), v.detach()], dim)
        first, _ = both.chunk(2, dim)
        return (first * u).sum()

    found = verdicts(step, "w", "v", "u")
    assert found["w"].status == "cut"
    assert found["v"].status == "unused"


def test_stack_then_unbind() -> None:
    def step(w: Tensor, v: Tensor, u: Tensor) -> Tensor:
        first, _ = torch.stack([w.detach(), v.detach()]).unbind(0)
        return (first * u).sum()

    found = verdicts(step, "w", "v", "u")
    assert found["w"].status == "cut"
    assert found["v"].status == "unused"


def test_frozen_and_where() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        w.requires_grad_(False)
        return (v @ w).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "frozen"
    assert found["w"].at is not None
    assert found["w"].at.text == "w.requires_grad_(False)"


def test_without_a_trace() -> None:
    given = leaves("w", "v", "u")
    given["u"].requires_grad_(False)
    loss = (given["v"] @ given["w"].detach() @ given["u"]).sum()
    diagnosis = diagnose(loss, parameters=given)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == {
        "w": "unreached", "v": "gradient", "u": "frozen"
    }  # fmt: skip
    assert "record()" in diagnosis.notes[-1]
    assert len(diagnosis.notes[-1].splitlines()) == 1


def test_a_loss_that_the_trace_did_not_see() -> None:
    given = leaves("w", "v")
    loss = (given["v"] @ given["w"].detach()).sum()
    with record() as trace:
        pass
    diagnosis = diagnose(loss, trace, given)
    assert diagnosis.verdicts["w"].status == "unreached"
    assert diagnosis.notes


def test_the_inner_detach_of_a_composite() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        soft = nn.functional.gumbel_softmax(w, hard=True)
        return (soft @ v).sum()

    found = verdicts(step, "w", "v")
    assert found["w"].status == "gradient"


def test_an_argument_that_has_no_derivative() -> None:
    """A composite that keeps its edge to one argument and not to another."""

    def step(w: Tensor, v: Tensor) -> Tensor:
        return torch.nn.functional.embedding(torch.tensor([0, 1]), v).sum() + nn.functional.nll_loss(
            v.log_softmax(-1), w.argmax(-1)
        )

    found = verdicts(step, "w", "v")
    assert found["w"].status == "cut"
    assert kinds(found["w"]) == {"non_differentiable"}


class _DropsOne(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor) -> Tensor:
        return one * other

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        return grad, None


def test_a_function_that_drops_one_argument() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        return _DropsOne.apply(v, w).sum()

    given = leaves("w", "v")
    with record() as trace:
        loss = step(**given)
    static = diagnose(loss, trace, given)
    assert static.verdicts["w"].status == "gradient"
    probed = diagnose(loss, trace, given, probe=True)
    assert probed.verdicts["w"].status == "cut"
    assert kinds(probed.verdicts["w"]) == {"function"}
    assert probed.verdicts["v"].status == "gradient"
    loss.backward()
    assert given["w"].grad is None


class _TwoOutputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.set_materialize_grads(False)
        return a * 2, b * 3

    @staticmethod
    def backward(ctx, grad_a, grad_b):
        return None if grad_a is None else grad_a * 2, None if grad_b is None else grad_b * 3


def test_a_function_that_gives_none_for_an_output_that_is_not_used_is_not_blamed() -> None:
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with record() as trace:
        used, _ = _TwoOutputs.apply(a, b)
        loss = used.sum()
    diagnosis = diagnose(loss, trace, parameters={"a": a, "b": b}, probe=True)
    assert [diagnosis.verdicts[name].status for name in "ab"] == ["gradient", "unused"]
    assert not diagnosis.cuts
    assert not diagnosis.notes
    loss.backward()
    assert a.grad is not None
    assert b.grad is None


@pytest.mark.parametrize("transform", [torch.func.jacrev, torch.func.hessian])
def test_a_jacobian_of_what_was_detached_is_cut_by_the_detach_alone(transform: Callable[..., Any]) -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        return (transform(lambda at: (at**3).sum())(w[0].detach() * 2) @ v).sum()

    found = verdicts(step, "w", "v")
    assert [found[name].status for name in "wv"] == ["cut", "gradient"]
    assert kinds(found["w"]) == {"detach"}


def test_a_gradient_taken_as_a_value_is_a_cut_beside_a_transform() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        h = w * 2
        (taken,) = torch.autograd.grad((h**3).sum(), h)
        return (torch.func.jacrev(lambda at: at**2)(taken).sum() * v).sum()

    found = verdicts(step, "w", "v")
    assert [found[name].status for name in "wv"] == ["cut", "gradient"]
    assert kinds(found["w"]) == {"grad"}


def test_what_is_written_into_an_array_that_nobody_has_is_not_lost_sight_of() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        torch.from_numpy(np.sin(w.detach().numpy())).sin_()
        torch.from_numpy((w * 2).detach().numpy()).tanh_()
        torch.as_tensor(np.asarray(w.detach()) + 1).cos_()
        torch.from_numpy((np.ones(16, dtype=np.float32) * w[0].sum().item()).reshape(4, 4)).add_(w.detach())
        torch.from_numpy(torch.tensor([w.sum(), w.sum()]).numpy()).data.copy_(w.detach()[0, :2])
        own = (w * 3).detach()
        shown = torch.from_numpy(own.numpy())
        own.add_(w.detach())
        shown.add_(w.detach())
        return v.sin().sum()

    found = verdicts(step, "w", "v")
    assert (found["w"].status, found["w"].certain) == ("unused", True)


def test_what_is_written_into_an_array_that_somebody_has_may_come_back() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        array = np.zeros((4, 4), dtype=np.float32)
        torch.from_numpy(array).copy_(w.detach())
        return (v * float(array.sum())).sum()

    def through_the_memory_of_a_tensor(w: Tensor, v: Tensor) -> Tensor:
        array = torch.zeros(4, 4).numpy()
        torch.from_numpy(array).copy_(w.detach())
        return (v * float(array.sum())).sum()

    def through_a_part(w: Tensor, v: Tensor) -> Tensor:
        array = np.zeros((4, 4), dtype=np.float32)
        torch.from_numpy(array[:2]).copy_(w.detach()[:2])
        return (v * float(array.sum())).sum()

    for run in (step, through_the_memory_of_a_tensor, through_a_part):
        found = verdicts(run, "w", "v")
        assert found["w"].status in ("cut", "unreached"), run
