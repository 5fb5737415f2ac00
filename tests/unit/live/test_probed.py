"""A backward of our own that raises."""

from __future__ import annotations

import functools
from typing import Any, cast

import pytest
import torch
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

import graphvis
from graphvis.model import Diagnosis


class _Refuses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        raise KeyError("not today")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: torch.special.gammaincc(x, x), "is not implemented"),
        (_Refuses.apply, "not today"),
    ],
)
def test_what_a_probe_raises_is_told(function: Any, says: str) -> None:
    x = torch.rand(3, requires_grad=True)
    with graphvis.record() as trace:
        loss = function(x).sum()
    found = graphvis.diagnose(loss, trace, parameters={"x": x}, probe=True)
    assert not found.ok
    assert says in found.error
    assert "error[backward]: this backward raises" in str(found)
    assert says in str(found)
    assert "backward() will raise" in found.to_svg()
    assert Diagnosis.from_json(found.to_json()).error == found.error
    assert graphvis.diagnose(loss, trace, parameters={"x": x}).error == ""  # nothing was tried
    with pytest.raises((RuntimeError, KeyError), match=says):
        loss.backward()


def test_what_a_conflict_explains_is_told_once() -> None:
    x = torch.rand(3, requires_grad=True)
    with graphvis.record() as trace:
        h = x.sigmoid()
        h.add_(1)
    found = graphvis.diagnose(h.sum(), trace, parameters={"x": x}, probe=True)
    assert [conflict.effect for conflict in found.conflicts] == ["raises"]
    assert found.error == ""
    assert not found.ok


class _Inner(torch.autograd.Function):
    """Its backward goes into a graph that was made in its forward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            inner = x.detach().requires_grad_()
            result = inner.sin()
        ctx.save_for_backward(inner, result)
        return result.detach()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        inner, result = ctx.saved_tensors
        return torch.autograd.grad(result, inner, grad)[0]


def _with_a_tuple(x: torch.Tensor) -> torch.Tensor:
    given: Any = checkpoint(lambda two, by: two[0] * two[1] * by, (x * 2, x * 3), x, use_reentrant=True)
    return cast(torch.Tensor, given)


def _selective(x: torch.Tensor) -> torch.Tensor:
    contexts = functools.partial(create_selective_checkpoint_contexts, [torch.ops.aten.mul.Tensor])
    given: Any = checkpoint(lambda one: (one * 2).exp().sin(), x, use_reentrant=False, context_fn=contexts)
    return cast(torch.Tensor, given)


@pytest.mark.parametrize("function", [_Inner.apply, _with_a_tuple, _selective])
def test_the_programs_own_backward_runs_after_one_of_ours(function: Any) -> None:
    x = torch.rand(3, requires_grad=True)
    function(x).sum().backward()
    expected, x.grad = x.grad, None
    with graphvis.record() as trace:
        loss = function(x).sum()
    for _ in range(2):
        found = graphvis.diagnose(loss, trace, parameters={"x": x}, probe=True)
        assert found.verdicts["x"].status == "gradient"
        assert found.error == ""
    loss.backward()
    assert expected is not None
    assert x.grad is not None
    assert torch.equal(x.grad, expected)


def test_a_lazy_parameter_without_a_shape_is_not_asked_for_its_gradient() -> None:
    module = torch.nn.ModuleList([torch.nn.LazyLinear(2), torch.nn.LazyLinear(2)])
    module[0](torch.ones(1, 3))
    with graphvis.record() as trace:
        loss = module[0](torch.ones(1, 3)).sum()
    found = graphvis.diagnose(loss, trace, parameters=module, probe=True)
    assert found.error == ""
    assert [verdict.status for verdict in found.verdicts.values()] == ["gradient"] * 2 + ["unused"] * 2


class _Private(torch.Tensor):
    """Its operations work on none but those that the program made."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.count_nonzero:
            raise TypeError("not by me")
        return super().__torch_function__(func, types, args, kwargs)  # type: ignore[no-untyped-call]


def _nested(x: torch.Tensor) -> torch.Tensor:
    return torch.nested.as_nested_tensor([x * 1, x[:2]]).unbind()[0]


@pytest.mark.parametrize("function", [lambda x: x.as_subclass(_Private).exp(), _nested])
def test_a_gradient_of_an_own_class_is_counted(function: Any) -> None:
    x = torch.rand(3, requires_grad=True)
    with graphvis.record() as trace:
        loss = function(x).sum()
    found = graphvis.diagnose(loss, trace, parameters={"x": x}, probe=True)
    assert (found.verdicts["x"].status, found.error) == ("gradient", "")


def test_what_several_results_are_made_of_one_by_one_is_unused_where_it_is_that_of_another() -> None:
    x, y = torch.rand(3, requires_grad=True), torch.rand(3, requires_grad=True)
    with graphvis.record() as trace:
        one, _ = torch._foreach_mul([x * 1, y * 1], 2.0)
        loss = one.sum()
    found = graphvis.diagnose(loss, trace, parameters={"x": x, "y": y}, probe=True)
    assert [verdict.status for verdict in found.verdicts.values()] == ["gradient", "unused"]
    loss.backward()
    assert y.grad is None
