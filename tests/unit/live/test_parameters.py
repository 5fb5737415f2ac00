"""Whom a diagnosis is about: everything that a user has in hand, and a clear word where it is nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import graphvis
from graphvis.live.diagnosis import ParametersError, TraceError
from graphvis.testing import assert_gradient, assert_no_gradient


def cut(model: nn.Module) -> Tensor:
    first, last = model.children()
    loss: Tensor = last(first(torch.ones(2, 3)).detach()).sum()
    return loss


GIVEN: list[Callable[[nn.Module], Any]] = [
    lambda model: model,
    lambda model: dict(model.named_parameters()),
    lambda model: model.named_parameters(),
    lambda model: list(model.named_parameters()),
]


@pytest.mark.parametrize("given", GIVEN)
def test_names_are_those_of_the_model(given: Callable[[nn.Module], Any]) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    with graphvis.record() as trace:
        loss = cut(model)
    verdicts = graphvis.diagnose(loss, trace, given(model)).verdicts
    assert {name: verdict.status for name, verdict in verdicts.items()} == {
        "0.weight": "cut", "0.bias": "cut", "1.weight": "gradient", "1.bias": "gradient",
    }  # fmt: skip


def test_parameters_without_names_take_those_that_the_trace_knows() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    other = nn.Linear(3, 3)
    with graphvis.record() as trace:
        loss = cut(model)
    verdicts = graphvis.diagnose(loss, trace, [*model.parameters(), other.weight]).verdicts
    assert [verdict.status for verdict in verdicts.values()] == ["cut", "cut", "gradient", "gradient", "unused"]
    assert list(verdicts) == ["model.0.weight", "model.0.bias", "model.1.weight", "model.1.bias", "parameters[4]"]


@pytest.mark.parametrize("given", [3, "weight", [3], {"w": 3}, torch.ones(2), torch.optim.SGD([torch.ones(1)])])
def test_anything_else_is_refused(given: Any) -> None:
    with pytest.raises(ParametersError, match="parameters is a"):
        graphvis.diagnose(torch.ones(1, requires_grad=True).sum(), parameters=given)


@pytest.mark.parametrize("trace", [3, "trace", nn.Linear(1, 1)])
def test_a_trace_is_a_recording(trace: Any) -> None:
    with pytest.raises(TraceError, match=r"graphvis\.record\(\)"):
        graphvis.diagnose(torch.ones(1, requires_grad=True).sum(), trace)


@pytest.mark.parametrize("guard", [assert_gradient, assert_no_gradient])
def test_a_guard_guards_something(guard: Callable[[Tensor, Iterable[Tensor] | None], None]) -> None:
    with pytest.raises(ParametersError, match="parameters is None"):
        guard(torch.ones(1, requires_grad=True).sum(), None)
