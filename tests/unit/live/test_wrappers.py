"""Tensors of a class that computes with others which it holds: what goes in, what comes out, and what is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.masked import masked_tensor
from torch.utils._pytree import tree_map

import graphvis
from graphvis.model import Diagnosis


class _Wrapper(torch.Tensor):
    """As DTensor and its kin are made."""

    inner: torch.Tensor
    __slots__ = ("inner",)

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Any:
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def taken_out(item: Any) -> Any:
            return item.inner if isinstance(item, _Wrapper) else item

        result = func(*tree_map(taken_out, args), **tree_map(taken_out, kwargs or {}))
        return tree_map(lambda item: _Wrapper(item) if isinstance(item, torch.Tensor) else item, result)


class _Wrap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inner: torch.Tensor) -> Any:
        return _Wrapper(inner)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad.inner


class _TakeOut(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, wrapper: Any) -> Any:
        return wrapper.inner.view_as(wrapper.inner)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return _Wrapper(grad)


def _diagnose(step: Callable[..., Any]) -> tuple[Diagnosis, torch.Tensor]:
    w, v, u = (torch.rand(2, 2, requires_grad=True) for _ in range(3))
    with graphvis.record() as trace:
        loss = step(w, v, u)
    return graphvis.diagnose(loss, trace, parameters={"w": w, "v": v, "u": u}), loss


def _taken_out(w: torch.Tensor, v: torch.Tensor, u: torch.Tensor) -> Any:
    beside = _Wrap.apply(u) * 2
    found = (_Wrap.apply(w) * 2).inner * v
    return found.sum() + 0 * beside.shape[0]


def _put_in(w: torch.Tensor, v: torch.Tensor, u: torch.Tensor) -> Any:
    return ((_Wrapper((w * 2).detach()) * 2).inner * v).sum()


def _written_through(w: torch.Tensor, v: torch.Tensor, u: torch.Tensor) -> Any:
    held = torch.ones(2, 2)
    with torch.no_grad():
        _Wrapper(held).mul_(_Wrap.apply(w))
    return (held * v).sum()


def _masked(w: torch.Tensor, v: torch.Tensor, u: torch.Tensor) -> Any:
    return masked_tensor(w.detach() * 1, v > 0).sum().get_data() + v.sum()  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors")
@pytest.mark.parametrize("step", [_taken_out, _put_in, _written_through, _masked])
def test_the_value_is_followed_through_what_a_tensor_holds(step: Callable[..., Any]) -> None:
    found, _ = _diagnose(step)
    assert [verdict.status for verdict in found.verdicts.values()] == ["cut", "gradient", "unused"]
    assert found.verdicts["w"].cuts


def test_a_way_out_that_nobody_saw_is_not_certain() -> None:
    found, _ = _diagnose(_taken_out)
    (cut,) = found.cuts
    assert not cut.certain
    assert cut.location.text == "found = (_Wrap.apply(w) * 2).inner * v"


def test_wrapping_alone_cuts_nothing() -> None:
    found, loss = _diagnose(lambda w, v, u: (_TakeOut.apply(_Wrap.apply(w).exp()) * v).sum())
    assert [verdict.status for verdict in found.verdicts.values()] == ["gradient", "gradient", "unused"]
    loss.backward()  # type: ignore[no-untyped-call]


def test_a_result_that_is_overwritten_raises() -> None:
    def step(w: torch.Tensor, v: torch.Tensor, u: torch.Tensor) -> Any:
        result = _Wrap.apply(w).exp()
        result.add_(1)
        return (_TakeOut.apply(result) * v).sum()

    found, loss = _diagnose(step)
    (conflict,) = found.conflicts
    assert (conflict.effect, conflict.node, conflict.saved) == ("raises", "ExpBackward0", "result")
    assert conflict.modified_at is not None
    assert conflict.modified_at.text == "result.add_(1)"
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()  # type: ignore[no-untyped-call]
