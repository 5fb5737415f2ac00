"""A backward that goes a second time through a graph: whether it does is PyTorch's to say, why is ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.model import Conflict

SECOND = "backward through the graph a second time"


def weight() -> Tensor:
    return torch.linspace(-1, 1, 16).reshape(4, 4).requires_grad_()


def state_carried_over(w: Tensor) -> Tensor:
    h = torch.zeros(2, 4)
    for step in range(2):
        h = torch.tanh(h @ w + 1)  # MADE TAKEN
        loss = h.sum()
        if step == 0:
            loss.backward()  # FREED
    return loss


def state_in_an_attribute(w: Tensor) -> Tensor:
    class Memory:
        state = torch.zeros(2, 4)

    memory = Memory()

    def forward(x: Tensor) -> Tensor:
        memory.state = torch.tanh(memory.state @ w + x)  # MADE TAKEN
        return memory.state.sum()

    forward(torch.ones(2, 4)).backward()  # FREED
    return forward(torch.ones(2, 4))


def trunk_of_two_losses(w: Tensor) -> Tensor:
    trunk = (torch.ones(2, 4) @ w).tanh()  # MADE
    first = trunk.sum()
    other = trunk * 2  # TAKEN
    first.backward()  # FREED
    return other.sum()


def state_of_a_module(w: Tensor) -> Tensor:
    cell = nn.LSTMCell(4, 4)
    state = (torch.zeros(2, 4), torch.zeros(2, 4))
    for step in range(2):
        state = cell(torch.ones(2, 4) @ w, state)  # MADE TAKEN
        loss = state[0].square().sum()
        if step == 0:
            loss.backward()  # FREED
    return loss


def by_autograd_grad(w: Tensor) -> Tensor:
    h = w.exp()  # MADE
    torch.autograd.grad(h.sum(), w)  # FREED
    return (h * 3).sum()  # TAKEN


RAISE = {
    state_carried_over: "h", state_in_an_attribute: "memory.state", trunk_of_two_losses: "trunk",
    state_of_a_module: "state", by_autograd_grad: "h",
}  # fmt: skip


def detached(w: Tensor) -> Tensor:
    h = torch.zeros(2, 4)
    for step in range(2):
        h = torch.tanh(h.detach() @ w + 1)
        loss = h.sum()
        if step == 0:
            loss.backward()
    return loss


def state_that_saves_nothing(w: Tensor) -> Tensor:
    total = w + 1.0
    for step in range(2):
        total = total + w
        loss = total.sum()
        if step == 0:
            loss.backward()
    return loss


def retained(w: Tensor) -> Tensor:
    h = (torch.ones(2, 4) @ w).tanh()
    h.sum().backward(retain_graph=True)
    return (h * 2).sum()


def built_anew(w: Tensor) -> Tensor:
    for _ in range(3):
        loss = (torch.ones(2, 4) @ w).tanh().sum()
        loss.backward()
    return (torch.ones(2, 4) @ w).tanh().sum()


def a_graph_beside(w: Tensor) -> Tensor:
    other = weight()
    (other @ other).tanh().sum().backward()
    return (w @ w).sum()


FINE = [detached, state_that_saves_nothing, retained, built_anew, a_graph_beside]


def told(step: Callable[[Tensor], Tensor]) -> tuple[tuple[Conflict, ...], Tensor]:
    w = weight()
    with record() as trace:
        loss = step(w)
    return diagnose(loss, trace, {"w": w}).conflicts, loss


def lines(step: Callable[[Tensor], Tensor], mark: str) -> set[int]:
    import inspect

    source, start = inspect.getsourcelines(step)
    return {start + i for i, line in enumerate(source) if mark in line.partition("#")[2].split()}


@pytest.mark.parametrize("step", RAISE, ids=lambda step: step.__name__)
def test_the_state_and_all_lines(step: Callable[[Tensor], Tensor]) -> None:
    conflicts, loss = told(step)
    (conflict,) = conflicts
    assert (conflict.effect, conflict.certain) == ("raises", True)
    assert conflict.carrier == RAISE[step]
    for where, mark in (
        (conflict.saved_at, "MADE"), (conflict.carried_at, "TAKEN"), (conflict.modified_at, "FREED"),
    ):  # fmt: skip
        assert where is not None
        assert where.line in lines(step, mark), mark
    with pytest.raises(RuntimeError, match=SECOND):
        loss.backward()


@pytest.mark.parametrize("step", FINE, ids=lambda step: step.__name__)
def test_what_backward_can_do_is_no_conflict(step: Callable[[Tensor], Tensor]) -> None:
    conflicts, loss = told(step)
    assert conflicts == ()
    loss.backward()


def test_after_its_own_backward_nothing_is_said() -> None:
    w = weight()
    with record() as trace:
        loss = (w @ w).tanh().sum()
        loss.backward()
    assert diagnose(loss, trace, {"w": w}).conflicts == ()
