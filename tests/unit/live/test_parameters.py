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


@pytest.mark.parametrize(
    "guard", [assert_gradient, assert_no_gradient, lambda loss, given: graphvis.diagnose(loss, None, given)]
)
def test_parameters_that_an_optimizer_has_gone_through_are_refused(guard: Callable[[Tensor, Any], Any]) -> None:
    """An exhausted generator would be a diagnosis of nothing, and of nothing all is well."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    given = model.parameters()
    torch.optim.SGD(given)
    with pytest.raises(ParametersError, match="nothing left"):
        guard(cut(model), given)


def test_what_is_shown_of_a_recording_and_a_diagnosis() -> None:
    """At a prompt; one is no plural."""
    weight, bias = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with graphvis.record() as trace:
        loss = (weight.detach() + bias).sum()
    found = graphvis.diagnose(loss, trace, parameters={"weight": weight, "bias": bias})
    assert repr(trace) == "<graphvis.Recording: 3 calls>"
    assert repr(found) == "<graphvis.Diagnosis: 1 cut, 1 gradient; 1 cut, 0 conflicts>"


def test_an_intermediate_tensor_may_be_asked_about() -> None:
    """As PyTorch tells it: what it gives a tensor that retains its gradient."""
    weight, other = torch.ones(4, requires_grad=True), torch.ones(2, requires_grad=True)
    with graphvis.record() as trace:
        hidden = weight * 2
        first, second = hidden.split(2)
        left = second.exp()
        loss = (first * 3 + left.detach() + other).sum()
    asked = {"hidden": hidden, "first": first, "second": second, "left": left, "other": other}
    for tensor in asked.values():
        tensor.retain_grad()
    for probe in (False, True):
        found = graphvis.diagnose(loss, trace, parameters=asked, probe=probe)
        statuses = {name: verdict.status for name, verdict in found.verdicts.items()}
        assert statuses == {
            "hidden": "gradient", "first": "gradient", "second": "cut", "left": "cut", "other": "gradient",
        }  # fmt: skip
    loss.backward()
    assert [name for name, tensor in asked.items() if tensor.grad is not None] == ["hidden", "first", "other"]


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("probe", [True, False])
def test_what_is_frozen_between_forward_and_backward_takes_no_gradient(traced: bool, probe: bool) -> None:
    frozen, weight = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with graphvis.record() as trace:
        loss = (frozen * weight).sum()
        frozen.requires_grad_(False)
    given = {"frozen": frozen, "weight": weight}
    found = graphvis.diagnose(loss, trace if traced else None, parameters=given, probe=probe)
    assert [verdict.status for verdict in found.verdicts.values()] == ["frozen", "gradient"]
    at = found.verdicts["frozen"].at
    assert (at is not None and at.text == "frozen.requires_grad_(False)") == traced
    loss.backward()
    assert frozen.grad is None
