"""Calls that a class which is no tensor takes over by its ``__torch_function__``: what runs inside is seen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

import graphvis


class _Lazy:
    """A box around a tensor, as libraries of lazy matrices and of batches have them; it hands out another box."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return cls.wrap(func(*tree_map(cls.open, args), **tree_map(cls.open, kwargs or {})))

    @classmethod
    def wrap(cls, result: Any) -> Any:
        return cls(result)

    @staticmethod
    def open(item: Any) -> Any:
        return item.tensor if isinstance(item, _Lazy) else item


class _Opening(_Lazy):
    """One that hands out the tensor itself."""

    @classmethod
    def wrap(cls, result: Any) -> Any:
        return result


class _OfOld(_Opening):
    """One whose override is a plain method."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return func(*map(self.open, args))


def _matmul(one: Any, other: Any) -> Any:
    return torch.matmul(one, other)


def _through_boxes(w: torch.Tensor, v: torch.Tensor) -> Any:
    return _matmul(torch.detach(_Lazy(w * 2)), v).tensor.sum()  # type: ignore[arg-type]


def _opened(w: torch.Tensor, v: torch.Tensor) -> Any:
    return _matmul(_Opening(w.detach()), v).sum()


def _listed(w: torch.Tensor, v: torch.Tensor) -> Any:
    return torch.stack([_Opening(w.detach()), _Opening(v)]).sum()  # type: ignore[list-item]


def _under_a_mode(w: torch.Tensor, v: torch.Tensor) -> Any:
    class Mode(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    with Mode():  # type: ignore[no-untyped-call]
        return _matmul(_Opening(w.detach()), v).sum()


@pytest.mark.parametrize("function", [_through_boxes, _opened, _listed, _under_a_mode])
def test_what_runs_inside_is_followed(function: Any) -> None:
    w, v = torch.rand(2, 2, requires_grad=True), torch.rand(2, 2, requires_grad=True)
    with graphvis.record() as trace:
        loss = function(w, v)
    verdicts = graphvis.diagnose(loss, trace, parameters={"w": w, "v": v}).verdicts
    assert [verdict.status for verdict in verdicts.values()] == ["cut", "gradient"]
    assert [cut.kind for cut in verdicts["w"].cuts] == ["detach"]


def test_where_pytorch_asks_an_object_itself_it_is_not_known() -> None:
    w, v = torch.rand(2, 2, requires_grad=True), torch.rand(2, 2, requires_grad=True)
    with graphvis.record() as trace, pytest.warns(DeprecationWarning, match="plain method"):
        loss = torch.stack([_OfOld(w.detach()).tensor, v]).sum() + torch.nn.functional.relu(_OfOld(w.detach())).sum()  # type: ignore[arg-type]
    found = graphvis.diagnose(loss, trace, parameters={"u": torch.rand(2, requires_grad=True)})
    assert found.verdicts["u"].status == "unreached"
    assert any("A class that is no tensor took over" in note for note in found.notes)


def test_what_it_raises_is_raised_and_the_recording_goes_on() -> None:
    class Refuses:
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            raise KeyError("not today")

    w = torch.rand(2, requires_grad=True)
    with graphvis.record() as trace:
        with pytest.raises(KeyError, match="not today"):
            torch.add(Refuses(), w)  # type: ignore[call-overload]
        loss = w.detach().sum() + w.sum()
    assert graphvis.diagnose(loss, trace, parameters={"w": w}).verdicts["w"].status == "gradient"
    assert [call.function for call in trace.freeze().calls] == [
        "Tensor.detach", "Tensor.sum", "Tensor.sum", "Tensor.add",
    ]  # fmt: skip
