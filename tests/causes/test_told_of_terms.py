"""Terms of a loss that train nothing although every parameter gets its gradient: told in a note, and only those."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.causes.case import weights


def _x() -> Tensor:
    return torch.linspace(-1, 2, 24, dtype=torch.float64).reshape(6, 4)


def _score(m: nn.Module, value: Tensor) -> Tensor:
    return ((value @ m.w).tanh() @ m.v).mean(-1)


def gradient_penalty(m, create_graph, weight):
    point = _x().requires_grad_()
    (slope,) = torch.autograd.grad(_score(m, point).sum(), point, create_graph=create_graph)
    penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
    return _score(m, _x()).mean() - _score(m, -_x()).mean() + weight * penalty


def forces(m, create_graph, weight):
    place = _x().requires_grad_()
    energy = _score(m, place)
    force = -torch.autograd.grad(energy.sum(), place, create_graph=create_graph, retain_graph=True)[0]
    loss = F.mse_loss(energy, torch.ones(6, dtype=torch.float64))
    loss += weight * F.mse_loss(force, torch.zeros(6, 4, dtype=torch.float64))
    return loss


def penalty_of_dot_grad(m, create_graph, weight):
    point = _x().requires_grad_()
    _score(m, point).sum().backward(create_graph=create_graph)
    m.zero_grad()
    terms = [_score(m, _x()).square().mean(), weight * point.grad.square().mean()]
    return torch.stack(terms).sum()


def _gradients(step, create_graph: bool, weight: float) -> list[Tensor]:
    torch.manual_seed(7)
    m = weights("w", "v")()
    return list(torch.autograd.grad(step(m, create_graph, weight), list(m.parameters())))


def _notes(step) -> list[str]:
    torch.manual_seed(7)
    m = weights("w", "v")()
    with record() as trace:
        loss = step(m)
    return [note for note in diagnose(loss, trace, parameters=m).notes if "trains nothing" in note]


@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("step", [gradient_penalty, forces, penalty_of_dot_grad])
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_term_is_told_exactly_where_its_weight_changes_no_gradient(step, create_graph: bool) -> None:
    without, heavy = (_gradients(step, create_graph, weight) for weight in (0.0, 10.0))
    trains_nothing = all(map(torch.equal, without, heavy))
    assert trains_nothing != create_graph
    notes = _notes(lambda m: step(m, create_graph, 10.0))
    assert bool(notes) == trains_nothing
    if trains_nothing:
        (note,) = notes
        assert "grad" in note.split("`")[1]
        assert "test_told_of_terms.py:" in note


def adversarial_example(m):
    point = _x().requires_grad_()
    (slope,) = torch.autograd.grad(_score(m, point).sum(), point)
    return _score(m, point + 0.1 * slope.sign()).mean() + _score(m, _x() + slope).mean()


def first_order_maml(m):
    (slope,) = torch.autograd.grad(_score(m, _x()).square().mean(), [m.w])
    return ((_x() @ (m.w - 0.1 * slope)).tanh() @ m.v).square().mean()


def weight_by_gradients(m):
    one, other = _score(m, _x()).square().mean(), _score(m, -_x()).square().mean()
    first, second = (torch.autograd.grad(term, [m.v], retain_graph=True)[0] for term in (one, other))
    return one + (first.norm() / second.norm()) * other


def told_to_be_a_constant(m):
    loss = _score(m, _x()).square().mean()
    (slope,) = torch.autograd.grad(loss, [m.v], retain_graph=True)
    with torch.no_grad():
        size = slope.norm()
    return loss + slope.norm().detach() + size + slope.norm().item()


@pytest.mark.parametrize("step", [adversarial_example, first_order_maml, weight_by_gradients, told_to_be_a_constant])
def test_a_gradient_that_is_meant_as_a_constant_is_no_matter(step) -> None:
    assert _notes(step) == []


@pytest.mark.parametrize("made", [False, True])
def test_what_a_function_only_compares_is_cut_there_and_not_where_it_was_made(made: bool) -> None:
    """The walk comes by no node of what made the target, and yet that had a history."""
    x, target = (torch.tensor([1.0, -1.0, 1.0], requires_grad=True) for _ in range(2))
    with record() as trace:
        value = target * 1.0 if made else target
        loss = F.hinge_embedding_loss(x * 2.0, value)
    (cut,) = diagnose(loss, trace, parameters={"x": x, "target": target}).cuts
    assert (cut.kind, cut.parameters) == ("non_differentiable", ("target",))
    assert "hinge_embedding_loss" in cut.location.text
    loss.backward()
    assert x.grad is not None
    assert target.grad is None
