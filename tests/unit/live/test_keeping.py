"""What a recording keeps of what is overwritten, unasked: what a backward may still need and no counter tells of."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import keeping, record


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What is copied, as it is."""
    found: list[Tensor] = []
    original = keeping.copy_of

    def copy_of(tensor: Tensor, part: object) -> object:
        found.append(tensor)
        return original(tensor, part)  # type: ignore[arg-type]

    monkeypatch.setattr(keeping, "copy_of", copy_of)
    return found


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Linear(8, 2))


def batches(count: int = 3) -> Iterator[Tensor]:
    for seed in range(count):
        yield torch.full((5, 4), seed + 1.0).cumsum(0).sin()


def moving_average() -> None:
    model = network()
    teacher = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x in batches():
        with torch.no_grad():
            aim = teacher(x)
        optimizer.zero_grad()
        F.mse_loss(model(x), aim).backward()
        optimizer.step()
        for slow, fast in zip(teacher.parameters(), model.parameters(), strict=True):
            slow.data.mul_(0.9).add_(fast.data, alpha=0.1)


def target_network() -> None:
    model = network()
    target = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters())
    for x in batches():
        loss = F.smooth_l1_loss(model(x), target(x).detach())
        optimizer.zero_grad()
        loss.backward()
        for parameter in model.parameters():
            parameter.grad.data.clamp_(-1, 1)
        optimizer.step()
        for slow, fast in zip(target.parameters(), model.parameters(), strict=True):
            slow.data.copy_(0.99 * slow.data + 0.01 * fast.data)


def descent_by_hand() -> None:
    model = network()
    for x in batches():
        model.zero_grad()
        model(x).square().sum().backward()
        for parameter in model.parameters():
            parameter.data -= 0.1 * parameter.grad


def fused(kind: type[torch.optim.Optimizer]) -> Callable[[], None]:
    def train() -> None:
        model = network()
        optimizer = kind(model.parameters(), lr=0.1, fused=True)  # type: ignore[call-arg]
        for x in batches():
            for _ in range(2):  # gradients that add up
                model(x).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    train.__name__ = f"fused_{kind.__name__}"
    return train


def in_place() -> None:
    model = network()
    h = model(next(batches()))
    h += 1
    h.mul_(3).relu_()
    out = torch.zeros(5, 2)
    out[1:] = h[1:]
    torch.add(torch.ones(3), 1, out=torch.empty(3))
    out.sum().backward()


def first_values() -> None:
    model = network()
    for module in model:
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(0, 0.02)
            module.bias.data.zero_()
    model[0].weight.data = torch.randn(8, 4)
    model.double().float()
    nn.Parameter(torch.zeros(3)).data.fill_(1)
    model(next(batches())).sum().backward()


def normalised() -> None:
    model = network()
    for x in batches():
        (model(x).sum() + model(x + 1).sum()).backward()
        model.eval()
        with torch.no_grad():
            model(x)
        model.train()


def clipped_critic() -> None:
    maker, critic = network(), network()
    critics, makers = (torch.optim.Adam(net.parameters(), fused=True) for net in (critic, maker))
    judge = nn.Linear(2, 4)
    for x in batches():
        made = judge(maker(x))
        (critic(made.detach()).mean() - critic(x).mean()).backward()
        critics.step()
        for parameter in critic.parameters():
            parameter.data.clamp_(-0.01, 0.01)
        (-critic(made).mean()).backward()
        makers.step()


def measured_on_the_way() -> None:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    total = torch.zeros(())
    for x in batches():
        optimizer.zero_grad()
        out = model(x)
        view = out[1:]
        loss = out.square().mean()
        total = total + loss  # as people do it: it holds all the losses
        share = out.softmax(1)
        loss.backward()
        optimizer.step()
        assert view.shape == (4, 2)
        assert share.requires_grad


def carried_state() -> None:
    cell, state = nn.GRUCell(4, 4), torch.zeros(5, 4)
    for x in batches():
        state = cell(x, state)
        state.sum().backward()
        state = state.data
        state[0] = 0


ORDINARY = [
    moving_average, target_network, descent_by_hand, fused(torch.optim.SGD), fused(torch.optim.AdamW), in_place,
    first_values, normalised, clipped_critic, carried_state, measured_on_the_way,
]  # fmt: skip


@pytest.mark.parametrize("program", ORDINARY, ids=lambda program: program.__name__)
def test_an_ordinary_program_is_not_copied_from(program: Callable[[], None], copies: list[Tensor]) -> None:
    with record() as trace:
        program()
    assert copies == []
    assert trace.tape.keeping.images._kept == {}


@pytest.mark.parametrize("program", ORDINARY, ids=lambda program: program.__name__)
def test_all_values_are_copied_where_it_is_asked_for(program: Callable[[], None], copies: list[Tensor]) -> None:
    with record(values=True):
        program()
    assert copies


def leaf(*numbers: float) -> Tensor:
    return torch.tensor(numbers, requires_grad=True)


def told(step: Callable[[Tensor], Tensor]) -> tuple[list[tuple[bool, str]], int]:
    """Whether each conflict is certain, with the line that wrote; and how many calls something was kept of."""
    a = leaf(0.5, -1.0, 2.0, 3.0)
    with record() as trace:
        loss = step(a)
    found = [(one.certain, one.modified_at.text) for one in diagnose(loss, trace, {"a": a}, probe=True).conflicts]
    return found, len(trace.tape.keeping.images._kept)


def test_a_write_past_the_counter_is_certain() -> None:
    def step(a: Tensor) -> Tensor:
        h = a.exp()
        h.data.mul_(2)
        return h.sum()

    assert told(step) == ([(True, "h.data.mul_(2)")], 1)


def test_a_write_that_changes_nothing_is_no_conflict() -> None:
    def step(a: Tensor) -> Tensor:
        h = a.exp()
        h.data.mul_(1)
        return h.sum()

    assert told(step) == ([], 1)


def test_an_alias_made_long_before_and_views_of_it() -> None:
    def step(a: Tensor) -> Tensor:
        h = a.exp()
        flat = h.data.view(2, 2).detach()
        rows = [flat[0], flat[1]]
        for _ in range(50):
            a.sin()
        loss = h.sum()
        rows[1].zero_()
        return loss

    assert told(step) == ([(True, "rows[1].zero_()")], 1)


def test_a_slice_is_kept_as_a_slice() -> None:
    def step(a: Tensor) -> Tensor:
        h = a.exp()
        h.data[1:3] = 0
        return h.sum()

    a = leaf(0.5, -1.0, 2.0, 3.0)
    with record() as trace:
        loss = step(a)
    assert trace.tape.keeping.images._bytes == 8
    assert diagnose(loss, trace, {"a": a}, probe=True).conflicts[0].certain


def test_set_and_out() -> None:
    def step(a: Tensor) -> Tensor:
        h, k = a.exp(), a.tanh()
        loss = h.sum() + k.sum()
        torch.empty(0).set_(h.detach()).add_(1)
        torch.add(k.data, 1, out=k.data)
        return loss

    found, calls = told(step)
    assert sorted(found) == [
        (True, "torch.add(k.data, 1, out=k.data)"), (True, "torch.empty(0).set_(h.detach()).add_(1)")
    ]  # fmt: skip
    assert calls == 2


def test_a_leaf_that_is_given_other_memory_which_is_written() -> None:
    def step(a: Tensor) -> Tensor:
        loss = (a * a).sum()
        a.data = a.data.clone()
        a.data.mul_(2)
        return loss

    found, calls = told(step)
    assert {certain for certain, _ in found} == {True}
    assert calls == 2


def test_memory_that_was_written_and_then_exchanged_twice() -> None:
    def step(a: Tensor) -> Tensor:
        h = a * 1
        loss = (h * a).sum()
        h.data[0] = 7
        h.data = h.data * 2
        h.data[1:].add_(1)
        h.data = h.data * 2
        return loss

    assert told(step) == ([(True, "h.data[0] = 7")], 4)


def test_memory_that_was_exchanged_for_one_in_another_order() -> None:
    def step(a: Tensor) -> Tensor:
        h = (a * 1).view(2, -1)
        loss = h.sin().sum()
        h.data = (h.data * 2).t().contiguous().t()
        return loss

    assert told(step) == ([(True, "h.data = (h.data * 2).t().contiguous().t()")], 1)


def test_memory_that_was_written_and_then_exchanged_for_one_in_another_order() -> None:
    def step(a: Tensor) -> Tensor:
        h = (a * 1).view(2, -1)
        loss = h.sin().sum()
        was = h.detach().clone()
        h.data[0, 0] = 7
        h.data = h.data.t().contiguous().t()
        h.data[0, 0] = was[0, 0]
        h.data[0, 1] = 8
        return loss

    assert told(step)[0] == [(True, "h.data[0, 0] = 7")]


def test_a_part_that_was_written_and_then_exchanged() -> None:
    def step(a: Tensor) -> Tensor:
        h = (a * 1).view(2, -1)[:, :1]
        loss = h.sin().sum()
        h.data.mul_(2)
        h.data = h.data * 0.5
        return loss + h.sin().sum()

    assert told(step)[0] == []


@pytest.mark.parametrize("write", [lambda h: F.elu(h, inplace=True), lambda h: F.elu(h, 1.0, True)])
def test_memory_that_a_function_is_asked_to_write_to(write: Callable[[Tensor], object]) -> None:
    def step(a: Tensor) -> Tensor:
        h = a * 1
        loss = h.sin().sum()
        write(torch.as_tensor(h.detach().numpy()))
        return loss

    (found,), _ = told(step)
    assert found[0] is True


def test_memory_that_was_put_back_by_an_exchange() -> None:
    def step(a: Tensor) -> Tensor:
        h = a * 1
        loss = (h * a).sum()
        was = h.detach().clone()
        h.data.zero_()
        h.data = was
        return loss

    assert told(step) == ([], 2)


def test_a_backward_that_frees_ends_what_is_at_stake() -> None:
    for retain, kept in ((True, 1), (False, 0)):
        a = leaf(1.0, 2.0)
        with record() as trace:
            h = a.exp()
            h.sum().backward(retain_graph=retain)
            h.data.mul_(2)
        assert len(trace.tape.keeping.images._kept) == kept


@pytest.mark.parametrize(
    ("ask", "kept"),
    [
        (lambda y, a: torch.autograd.grad(y, a), 0),
        (lambda y, a: torch.autograd.grad(y, a, None, True), 1),
        (lambda y, a: torch.autograd.grad(y, a, create_graph=True), 1),
        (lambda y, a: torch.autograd.grad(y, a, retain_graph=False, create_graph=True), 0),
        (lambda y, a: torch.autograd.backward(y), 0),
        (lambda y, a: torch.autograd.backward(y, None, True), 1),
        (lambda y, a: y.backward(None, None, True), 1),
    ],
)
def test_which_backwards_free(ask: Callable[[Tensor, Tensor], object], kept: int) -> None:
    a = leaf(1.0, 2.0)
    with record() as trace:
        h = a.exp()
        ask(h.sum(), a)
        h.data.mul_(2)
    assert len(trace.tape.keeping.images._kept) == kept


def test_statistics_that_an_evaluation_with_history_read() -> None:
    model = network().eval()
    x = next(batches())
    with record() as trace:
        loss = model(x).sum()
        model.train()
        model(x * 30)
    assert len(trace.tape.keeping.images._kept) == 1
    assert [one.certain for one in diagnose(loss, trace, model, probe=True).conflicts] == [True, True]


def given_other_memory(weight: Tensor) -> None:
    weight.data = weight.data * 2


@pytest.mark.parametrize("write", [lambda weight: weight.data.mul_(2), given_other_memory])
@pytest.mark.parametrize("reentrant", [True, False])
def test_what_a_checkpoint_reads_again(reentrant: bool, write: Callable[[Tensor], object]) -> None:
    weight = leaf(1.0, 2.0)

    def step(a: Tensor) -> Tensor:
        y = checkpoint(lambda h: (h[:2] * weight).sin(), a, use_reentrant=reentrant).sum()
        write(weight)
        return y

    found, _ = told(step)
    assert {certain for certain, _ in found} == {True}


def waiting_loss(kind: type[torch.optim.Optimizer], kept: bool) -> tuple[Tensor, nn.Sequential]:
    """A loss whose graph needs weights that a fused step has changed since, after the backward of another."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    optimizer = kind(model.parameters(), lr=0.1, fused=True)  # type: ignore[call-arg]
    first, second = batches(2)
    one = model(first).sum()
    one = one if kept else one.detach().clone()
    model(second).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return one, model


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_a_fused_step_before_the_backward_of_another_loss(kind: type[torch.optim.Optimizer]) -> None:
    with record() as trace:
        loss, model = waiting_loss(kind, kept=True)
    conflicts = diagnose(loss, trace, model, probe=True).conflicts
    assert [(one.effect, one.certain, one.modified_at.text) for one in conflicts] == [
        ("wrong gradient", True, "optimizer.step()")
    ]
    # PyTorch's own word: the same loss, with the weights that it was computed with, has another gradient.
    loss.backward()
    wrong = model[0].weight.grad
    torch.manual_seed(0)
    fresh = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    fresh(next(batches())).sum().backward()
    assert not torch.equal(wrong, fresh[0].weight.grad)


def test_a_graph_that_nobody_holds_needs_nothing(copies: list[Tensor]) -> None:
    with record():
        waiting_loss(torch.optim.SGD, kept=False)
    assert copies == []


def test_a_graph_that_is_kept_while_another_is_freed(copies: list[Tensor]) -> None:
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    with record():
        h, k = a.exp(), b.exp()
        one, other = h.sum(), k.sum()
        one.backward(retain_graph=True)
        other.backward()
        k.data.mul_(2)
        assert copies == []
        h.data.mul_(2)
        assert len(copies) == 1
        one.backward()
        h.data.mul_(2)
    assert len(copies) == 1


def test_what_lies_behind_a_gradient_that_was_asked_for_is_not_freed(copies: list[Tensor]) -> None:
    a = leaf(1.0, 2.0)
    with record():
        h = a.exp()
        k = h.exp()
        loss = k.sum()
        (gradient,) = torch.autograd.grad(loss, h)
        k.data.mul_(2)
        assert copies == []
        h.data.mul_(2)
    assert len(copies) == 1
    assert gradient is not None


def test_beyond_the_limit_nothing_of_a_call_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_BYTES_AT_STAKE", 15)

    def step(a: Tensor) -> Tensor:
        h = a.exp()
        h.data.mul_(2)
        return h.sum()

    assert told(step) == ([(False, "h.data.mul_(2)")], 0)


def test_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_BYTES_AT_STAKE", 40)

    def step(a: Tensor) -> Tensor:
        h = a.exp()
        for _ in range(5):
            h.data.mul_(2)
        return h.sum()

    assert told(step) == ([(False, "h.data.mul_(2)")], 2)


def test_images_die_with_their_memory_and_keep_no_tensor() -> None:
    a = leaf(1.0, 2.0)
    with record() as trace:
        for _ in range(3):
            h = a.exp()
            h.data.mul_(2)
        del h
        gc.collect()
    assert trace.tape.keeping.images._kept == {}


def test_nothing_that_can_be_noticed_has_changed() -> None:
    def run() -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        a = leaf(1.0, 2.0, 3.0)
        h = (a * torch.rand(3)).exp()
        loss = h.sum()
        h.data.mul_(torch.rand(3))
        h.data = h.data * 2
        loss.backward()
        return loss.detach(), a.grad, h.detach(), torch.get_rng_state(), torch.tensor([h._version, a._version])

    plain = run()
    with record():
        recorded = run()
    assert all(torch.equal(one, other) for one, other in zip(plain, recorded, strict=True))


@pytest.mark.parametrize("make", [torch.Tensor.to_sparse_csr, torch.Tensor.to_sparse_csc, torch.Tensor.to_sparse_coo])
@pytest.mark.filterwarnings("ignore:Sparse")
def test_what_has_no_strides_may_be_given_to_a_tensor(make: Callable[[torch.Tensor], torch.Tensor]) -> None:
    weight = torch.ones(4, requires_grad=True)
    with record(values=True) as trace:
        matrix = make(torch.eye(4))
        matrix.sin_()
        matrix.data = matrix.data * 0.5
        loss = (matrix.to_dense() * weight).sum()
    assert diagnose(loss, trace, {"weight": weight}).ok


def test_a_write_is_counted_for_a_view_of_what_was_given_other_memory() -> None:
    w = nn.Parameter(torch.rand(2, 4))
    with record() as trace:
        loss = w.t().sin().sum()
        w.data = w.data * 0.5
        with torch.no_grad():
            w.mul_(2)
    (conflict,) = diagnose(loss, trace, {"w": w}).conflicts
    assert conflict.effect == "raises"
    assert conflict.modified_at is not None
    assert conflict.modified_at.text == "w.mul_(2)"
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
