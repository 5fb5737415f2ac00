"""A backward of our own that raises."""

from __future__ import annotations

from typing import Any

import pytest
import torch

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
