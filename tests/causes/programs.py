"""One program for each way to lose a gradient without a word, and the variants that hide it."""

from __future__ import annotations

import copy
import io

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.causes.case import Build, Case, Step, marks, weights

CAUSES: list[Case] = []


def cause(
    *kinds: str,
    build: Build | None = None,
    probe: bool = False,
    **verdicts: str,
):
    """Register a program; without `verdicts`, `w` is cut and `v` gets its gradient."""
    verdicts = verdicts or {"w": "cut", "v": "gradient"}

    def register(step: Step) -> Step:
        names = {name.replace("__", "."): status for name, status in verdicts.items()}
        model = build or weights(*names)
        CAUSES.append(Case(step, model, names, frozenset(kinds), probe, marks(step)))
        return step

    return register


def x() -> Tensor:
    """An input that requires no grad."""
    return torch.linspace(-1, 1, 8, dtype=torch.float64).reshape(2, 4)


# 1. detach


@cause("detach")
def detach(m):
    h = x() @ m.w
    h = h.detach()  # CUT
    return (h @ m.v).sum()


@cause("detach")
def detach_as_function(m):
    h = torch.detach(x() @ m.w)  # CUT
    return (h @ m.v).sum()


@cause("detach_")
def detach_in_place(m):
    h = (x() @ m.w).tanh()
    h.detach_()  # CUT
    return (h @ m.v).sum()


@cause("detach")
def detach_before_the_parameter_lies_elsewhere(m):
    h = x() @ m.w.detach()  # CUT
    with torch.no_grad():
        m.w.set_(torch.zeros_like(m.w))
    return (h @ m.v).sum()


@cause("detach")
def detach_of_a_view(m):
    h = (x() @ m.w).view(8)[2:6].detach()  # CUT
    return (h @ m.v).sum()


@cause("detach")
def detach_copied_into_a_buffer(m):
    buffer = torch.zeros(2, 4, dtype=torch.float64)
    buffer[:, 1:] = (x() @ m.w)[:, 1:].detach()  # CUT
    return (buffer @ m.v).sum()


@cause("detach", w="cut", v="gradient", u="gradient")
def detach_in_one_of_a_list(m):
    parts = [x() @ m.w, x() @ m.u]
    parts[0] = parts[0].detach()  # CUT
    return (torch.cat(parts) @ m.v).sum()


@cause("detach", w="cut", v="cut", u="gradient")
def straight_through_then_detached(m):
    h = x() @ m.w
    h = h + (h.round() - h).detach()
    h = (h @ m.v).detach()  # CUT
    return (h @ m.u).sum()


@cause("detach", w="cut", v="gradient")
def every_branch_is_detached(m):
    h = x() @ m.w
    left, right = h.exp(), h.sin()
    left = left.detach()  # CUT
    right = right.detach()  # CUT
    return ((left + right) @ m.v).sum()


@cause("detach", "no_grad")
def two_branches_cut_in_two_ways(m):
    h = x() @ m.w
    left = h.detach()  # CUT
    with torch.no_grad():
        right = h.cos()  # CUT
    return ((left + right) @ m.v).sum()


# 2. data


@cause("data")
def data(m):
    h = (x() @ m.w).data  # CUT
    return (h @ m.v).sum()


@cause("data")
def data_of_the_parameter(m):
    return ((x() @ m.w.data) @ m.v).sum()  # CUT


@cause("data", "copy", w="cut", v="gradient")
def data_copied_into(m):
    target = torch.zeros(2, 4, dtype=torch.float64)
    target.data.copy_(x() @ m.w)  # CUT
    return (target @ m.v).sum()


@cause("data")
def data_assigned(m):
    h = x() @ m.w
    target = torch.zeros(2, 4, dtype=torch.float64)
    target.data = h  # CUT
    return (target @ m.v).sum()


# 3. no_grad


@cause("no_grad")
def no_grad_block(m):
    with torch.no_grad():
        h = x() @ m.w  # CUT
        h = h * 2
        h = h.tanh()
    return (h @ m.v).sum()


@torch.no_grad()
def _features(m):
    return (x() @ m.w).relu() + 1


@cause("no_grad")
def no_grad_decorator(m):
    h = _features(m)
    return (h @ m.v).sum()


@cause("no_grad")
def grad_enabled_false_block(m):
    with torch.set_grad_enabled(False):
        h = x() @ m.w  # CUT
    return (h @ m.v).sum()


@cause("no_grad")
def no_grad_around_a_block_with_grad(m):
    with torch.no_grad():  # OFF
        h = x()
        with torch.enable_grad():
            h = h * 2 @ m.v
        h = h @ m.w  # CUT
    return (x() @ m.v * h.mean()).sum()


@cause("no_grad", w="cut", v="cut")
def grad_enabled_false_left_on(m):
    torch.set_grad_enabled(False)  # OFF
    h = x() @ m.w  # CUT
    return (h @ m.v).sum()  # CUT


@cause("no_grad")
def no_grad_view_that_says_requires_grad(m):
    with torch.no_grad():
        flat = m.w.view(16)  # CUT
    assert flat.requires_grad
    assert flat.grad_fn is None
    return (flat[:4] * m.v).sum()


@cause("no_grad")
def no_grad_copy_into_a_buffer(m):
    cache = torch.zeros(2, 4, dtype=torch.float64)
    h = x() @ m.w
    with torch.no_grad():
        cache.copy_(h)  # CUT
    return (cache @ m.v).sum()


@cause("no_grad")
def no_grad_write_of_a_slice(m):
    cache = torch.zeros(4, 4, dtype=torch.float64)
    h = x() @ m.w
    with torch.no_grad():
        cache[1:3] = h  # CUT
    return (cache @ m.v).sum()


@cause("no_grad")
def no_grad_with_out(m):
    result = torch.empty(2, 4, dtype=torch.float64)
    with torch.no_grad():
        torch.mm(x(), m.w, out=result)  # CUT
    return (result @ m.v).sum()


@cause("no_grad", "detach")
def no_grad_around_a_module(m):
    layer = nn.Linear(4, 4, dtype=torch.float64)
    with torch.no_grad():
        h = layer(x() @ m.w)  # CUT
    return (h @ m.v).sum()


@cause("inference_mode")
def inference_mode_block(m):
    with torch.inference_mode():
        h = x() @ m.w  # CUT
    return (h + m.v[:2]).sum()


@torch.inference_mode()
def _encode(m):
    return x() @ m.w


@cause("inference_mode")
def inference_mode_decorator(m):
    return (_encode(m) + m.v[:2]).sum()


# 4. float and item


@cause("item")
def item(m):
    scale = (x() @ m.w).mean().item()  # CUT
    return (x() @ m.v * scale).sum()


@cause("item")
def float_of(m):
    scale = float((x() @ m.w).mean())  # CUT
    return (x() @ m.v * scale).sum()


@cause("item")
def item_with_arithmetic_in_python(m):
    scale = 1.0 + 2.0 * (x() @ m.w).mean().item()  # CUT INFERRED
    return (x() @ m.v * scale).sum()


@cause("item")
def tolist(m):
    row = (x() @ m.w).mean(0).tolist()  # CUT
    return (x() @ m.v * torch.tensor(row, dtype=torch.float64)).sum()


@cause("item")
def losses_summed_as_floats(m):
    total = 0.0
    for row in x():
        total += (row @ m.w).sum().item()  # CUT INFERRED
    return (x() @ m.v).sum() + total


# 5. NumPy


@cause("numpy")
def numpy_force(m):
    array = (x() @ m.w).numpy(force=True)  # CUT
    return (torch.from_numpy(array) @ m.v).sum()


@cause("numpy", "detach")
def numpy_of_detached(m):
    array = (x() @ m.w).detach().numpy()  # CUT
    return (torch.from_numpy(array) @ m.v).sum()


@cause("numpy", "detach")
def numpy_computed_elsewhere(m):
    array = np.tanh((x() @ m.w).detach().cpu().numpy())  # CUT INFERRED
    return (torch.from_numpy(array) @ m.v).sum()


@cause("numpy", "detach")
def numpy_back_by_tensor(m):
    array = (x() @ m.w).detach().numpy() * 2  # CUT INFERRED
    return (torch.tensor(array) @ m.v).sum()


@cause("numpy", "detach")
def numpy_back_by_as_tensor(m):
    array = (x() @ m.w).detach().numpy()  # CUT
    return (torch.as_tensor(array) @ m.v).sum()


@cause("numpy", "detach")
def numpy_written_through_memory(m):
    target = torch.zeros(2, 4, dtype=torch.float64)
    target.numpy()[:] = (x() @ m.w).detach().numpy()  # CUT INFERRED
    return (target @ m.v).sum()


@cause("numpy", "data")
def numpy_by_asarray(m):
    array = np.asarray((x() @ m.w).data)  # CUT
    return (torch.from_numpy(array) @ m.v).sum()


@cause("item", "detach")
def numpy_and_item_side_by_side(m):
    h = x() @ m.w
    array = np.tanh(h.detach().numpy())  # CUT INFERRED
    scale = h.sum().item()  # CUT
    return (torch.from_numpy(array) @ m.v).sum() * torch.full((), scale, dtype=torch.float64)


@cause("item", "detach")
def numpy_nearer_than_what_is_known(m):
    h = (x() @ m.w).sum().item()  # CUT
    known = torch.full((2, 4), h, dtype=torch.float64).requires_grad_()
    array = (x() @ m.w).detach().numpy() * 2  # CUT INFERRED
    return (torch.tensor(array) @ m.v).sum() + (known * m.v[:2]).detach().sum()  # CUT


@cause("numpy")
def numpy_twice_through_one_memory(m):
    h = torch.from_numpy((x() @ m.w).numpy(force=True)).requires_grad_()  # CUT
    h = torch.from_numpy(h.numpy(force=True))  # CUT
    return (h @ m.v).sum()


# 6. torch.tensor and its kin


@cause("copy")
def tensor_of_a_tensor(m):
    h = torch.tensor(x() @ m.w)  # CUT
    return (h @ m.v).sum()


@cause("copy", "item", w="cut", v="cut", u="gradient")
def tensor_of_a_list(m):
    losses = [(x() @ m.w).sum(), (x() @ m.v).sum()]
    both = torch.tensor(losses, dtype=torch.float64)  # CUT
    return both.sum() * m.u.sum()


@cause("copy", "item")
def tensor_constructor_of_a_list(m):
    s = (x() @ m.w).sum()
    pair = torch.Tensor([s, s])  # CUT
    return pair.sum() * m.v.sum()


@cause("copy")
def new_tensor(m):
    h = x().new_tensor(x() @ m.w)  # CUT
    return (h @ m.v).sum()


# 7. rewrapped


@cause("rewrap")
def parameter_of_a_result(m):
    h = nn.Parameter(x() @ m.w)  # CUT
    return (h @ m.v).sum()


@cause("detach", "grad")
def a_gradient_made_a_parameter(m):
    h = (x() @ m.w).detach().requires_grad_()  # CUT
    (gradient,) = torch.autograd.grad(h.pow(3).sum(), h)  # CUT
    return (nn.Parameter(gradient) @ m.v).sum()


@cause("no_grad", "copy")
def a_parameter_whose_memory_is_written_back(m):
    with torch.no_grad():
        h = x() @ m.w  # CUT
    made = nn.Parameter(h)
    copy = torch.zeros(1, dtype=torch.float64).new_tensor(made)  # CUT
    h.data.copy_(copy)
    return (made @ m.v).sum()


@cause("detach", "rewrap")
def requires_grad_after_detach(m):
    h = (x() @ m.w).detach().requires_grad_()  # CUT
    return (h @ m.v).sum()


@cause("rewrap")
def parameter_made_in_forward(m):
    layer = nn.Linear(4, 4, bias=False, dtype=torch.float64)
    layer.weight = nn.Parameter(m.w / m.w.norm())  # CUT
    return (layer(x()) @ m.v).sum()


# 8. not differentiable


@cause("non_differentiable")
def argmax(m):
    index = (x() @ m.w).argmax(-1)  # CUT
    return m.v[index].sum()


@cause("non_differentiable")
def one_hot(m):
    hot = F.one_hot((x() @ m.w).argmax(-1), 4).double()  # CUT
    return (hot @ m.v).sum()


@cause("non_differentiable")
def comparison(m):
    mask = (x() @ m.w) > 0  # CUT
    return (mask.double() @ m.v).sum()


@cause("non_differentiable")
def comparison_in_where(m):
    mask = (x() @ m.w).gt(0)  # CUT
    return torch.where(mask, x() @ m.v, torch.zeros(2, 4, dtype=torch.float64)).sum()


@cause("non_differentiable")
def integer_cast(m):
    h = (x() @ m.w * 10).long()  # CUT
    return (h.double() @ m.v).sum()


@cause("non_differentiable")
def sort_indices(m):
    _, order = (x() @ m.w).sort(-1)  # CUT
    return m.v.gather(0, order).sum()


@cause("non_differentiable")
def topk_indices(m):
    order = torch.topk(x() @ m.w, 2).indices  # CUT
    return m.v[order].sum()


# 9. exactly zero


@cause(probe=True, w="zero", v="gradient")
def rounded(m):
    h = (x() @ m.w).round()  # ZERO
    return (h @ m.v).sum()


@cause(probe=True, w="zero", v="gradient")
def sign(m):
    h = (x() @ m.w).sign()  # ZERO
    return (h @ m.v).sum()


@cause(probe=True, w="zero", v="gradient")
def saturated_clamp(m):
    h = (x() @ m.w).exp().clamp(max=1e-9)  # ZERO
    return (h @ m.v).sum()


@cause(probe=True, w="zero", v="gradient")
def dead_relu(m):
    h = (-(x() @ m.w).exp()).relu()  # ZERO
    return ((h + 1) @ m.v).sum()


@cause(probe=True, w="zero", v="gradient")
def times_zero(m):
    h = 0 * (x() @ m.w)  # ZERO
    return ((h + 1) @ m.v).sum()


# 10. unused


@cause(w="unused", v="gradient")
def branch_that_the_loss_does_not_use(m):
    aside = (x() @ m.w).sum()
    assert aside.requires_grad
    return (x() @ m.v).sum()


@cause(w="unused", v="gradient")
def never_called(m):
    return (x() @ m.v).sum()


@cause(w="unused", v="gradient")
def shape_only(m):
    h = x() @ m.w
    ones = torch.ones_like(h)
    return (ones.new_zeros(h.shape) + ones.view_as(h) @ m.v * h.size(0) / h.numel()).sum()


@cause(w="unused", v="gradient")
def overwritten_before_use(m):
    buffer = torch.zeros(2, 4, dtype=torch.float64)
    with torch.no_grad():
        buffer.copy_(x() @ m.w)
    buffer.copy_(x())
    return (buffer @ m.v).sum()


@cause(w="unused", v="gradient")
def overwritten_by_an_ellipsis(m):
    buffer = (x() @ m.w).detach().clone()
    buffer[...] = x()
    return (buffer @ m.v).sum()


@cause(w="unused", v="gradient")
def overwritten_by_an_out_argument(m):
    buffer = (x() @ m.w).detach().clone()
    with torch.no_grad():
        torch.cos(x(), out=buffer)
    return (buffer @ m.v).sum()


@cause(w="unused", v="gradient")
def overwritten_after_it_came_back_from_numpy(m):
    buffer = torch.from_numpy(np.tanh((x() @ m.w).detach().numpy()))
    buffer.fill_(0.25)
    return (buffer @ m.v).sum()


@cause(w="unused", v="gradient")
def overwritten_through_numpy_memory(m):
    buffer = (x() @ m.w).detach().clone()
    torch.from_numpy(buffer.numpy())[...] = x()
    return (buffer @ m.v).sum()


@cause(w="unused", v="gradient")
def overwritten_by_an_out_argument_in_numpy_memory(m):
    buffer = (x() @ m.w).detach().clone()
    alias = torch.from_numpy(buffer.numpy())
    with torch.no_grad():
        torch.cos(x(), out=alias)
    return (buffer @ m.v).sum()


@cause(w="unused", v="gradient")
def another_slice_of_the_buffer(m):
    buffer = torch.zeros(4, 4, dtype=torch.float64)
    buffer[:2] = (x() @ m.w).detach()
    return (buffer[2:] @ m.v).sum() + m.v.sum()


@cause(w="unused", v="gradient")
def only_control_flow(m):
    if (x() @ m.w).sum() > -1e9:
        return (x() @ m.v).sum()
    return m.v.sum()


# 11. frozen


def _frozen_w():
    model = weights("w", "v")()
    model.w.requires_grad_(False)
    return model


@cause(build=_frozen_w, w="frozen", v="gradient")
def frozen(m):
    return ((x() @ m.w) @ m.v).sum()


@cause(w="frozen", v="gradient")
def frozen_on_the_way(m):
    m.w.requires_grad_(False)  # FROZEN
    return ((x() @ m.w) @ m.v).sum()


# 12. reentrant checkpoint


@cause("checkpoint", w="cut", v="gradient")
def reentrant_checkpoint(m):
    def block(value):
        return (value @ m.w).tanh()

    h = checkpoint(block, x(), use_reentrant=True)  # CUT
    return (h @ m.v).sum()


def _live() -> Tensor:
    """An input that requires grad, as a reentrant checkpoint wants it."""
    return x().requires_grad_()


@cause("detach_", w="cut", v="gradient")
def input_of_a_reentrant_checkpoint_detached_afterwards(m):
    h = x() @ m.w
    out = checkpoint(lambda value: (value @ m.v).sin(), h, use_reentrant=True)
    h.detach_()  # CUT
    return out.sum()


@cause("no_grad", w="cut", v="gradient")
def no_grad_in_a_reentrant_checkpoint(m):
    def block(value):
        with torch.no_grad():  # OFF
            gate = (value @ m.w).sigmoid()  # CUT
        return (value @ m.v) * gate

    return checkpoint(block, _live(), use_reentrant=True).sum()


@cause("no_grad", w="cut", v="gradient")
def no_grad_decorator_in_a_reentrant_checkpoint(m):
    @torch.no_grad()
    def gate(value):
        return (value @ m.w).sigmoid()  # CUT

    return checkpoint(lambda value: (value @ m.v) * gate(value), _live(), use_reentrant=True).sum()


@cause("no_grad", w="cut", v="gradient", u="gradient")
def no_grad_twice_in_a_reentrant_checkpoint(m):
    def block(value):
        with torch.no_grad():  # OFF
            with torch.no_grad():
                value = value + 1
            gate = value @ m.w  # CUT
        with torch.enable_grad():
            return (value @ m.v) * gate @ m.u

    return checkpoint(block, _live(), use_reentrant=True).sum()


@cause("no_grad", w="cut", v="gradient", u="gradient")
def grad_enabled_false_and_true_in_a_reentrant_checkpoint(m):
    def block(value):
        torch.set_grad_enabled(False)  # OFF
        gate = value @ m.w  # CUT
        torch.set_grad_enabled(True)
        with torch.set_grad_enabled(False), torch.set_grad_enabled(True):
            value = value @ m.u
        return (value @ m.v) * gate

    return checkpoint(block, _live(), use_reentrant=True).sum()


@cause("no_grad", w="cut", v="gradient")
def no_grad_write_in_a_reentrant_checkpoint(m):
    def block(value):
        h = value @ m.v
        with torch.no_grad():
            h.add_(value @ m.w)  # CUT
        return h * 2

    return checkpoint(block, _live(), use_reentrant=True).sum()


@cause("inference_mode", w="cut", v="gradient")
def inference_mode_in_a_reentrant_checkpoint(m):
    def block(value):
        with torch.inference_mode():  # OFF
            gate = value @ m.w  # CUT
        return (value @ m.v) * gate.clone()

    return checkpoint(block, _live(), use_reentrant=True).sum()


@cause("no_grad", w="cut", v="gradient", u="gradient")
def no_grad_in_a_reentrant_checkpoint_in_another(m):
    def inner(value):
        with torch.no_grad():
            gate = value @ m.w  # CUT
        return (value @ m.v) * gate

    def outer(value):
        return checkpoint(inner, value @ m.u, use_reentrant=True)

    return checkpoint(outer, _live(), use_reentrant=True).sum()


@cause("no_grad", w="cut", v="gradient")
def no_grad_around_a_reentrant_checkpoint_in_another(m):
    def outer(value):
        with torch.no_grad():
            gate = checkpoint(lambda value: value @ m.w, value, use_reentrant=True)  # CUT
        return (value @ m.v) * gate

    return checkpoint(outer, _live(), use_reentrant=True).sum()


@cause("detach", w="cut", v="gradient")
def detach_in_a_reentrant_checkpoint(m):
    return checkpoint(lambda value: (value @ m.v) * (value @ m.w).detach(), _live(), use_reentrant=True).sum()  # CUT


@cause(probe=True, w="zero", v="gradient")
def reentrant_checkpoint_whose_result_is_overwritten(m):
    h = checkpoint(lambda value: value @ m.w, _live(), use_reentrant=True)
    h.fill_(0.5)
    return (h @ m.v).sum()


# 13. requires_grad_ on the loss


@cause("detach", "rewrap", w="cut", v="cut")
def loss_requires_grad_after_a_cut(m):
    loss = (x() @ m.w @ m.v).sum().detach()  # CUT
    loss.requires_grad_(True)
    return loss


@cause("no_grad", "rewrap", w="cut", v="cut")
def loss_requires_grad_after_no_grad(m):
    with torch.no_grad():
        loss = (x() @ m.w @ m.v).sum()  # CUT
    loss.requires_grad_(True)
    return loss


# 14. a gradient used as a value


@cause("grad", w="cut", v="gradient")
def grad_used_as_a_value(m):
    h = (x() @ m.w).tanh().square().sum()
    (g,) = torch.autograd.grad(h, [m.w])  # CUT
    return (g @ m.v).sum()


@cause("grad", w="cut", v="gradient")
def dot_grad_used_as_a_value(m):
    twin = (m.w * 1).tanh()
    twin.retain_grad()
    twin.square().sum().backward()
    g = twin.grad  # CUT
    m.w.grad = None
    return (g @ m.v).sum()


# 15 and its kin: gradients that arrive elsewhere (see also tests/cli for those no optimizer takes)


@cause(w="gradient", v="gradient")
def non_leaf_grad_is_none_but_leaves_learn(m):
    h = x() @ m.w
    loss = (h @ m.v).sum()
    assert h.grad is None
    return loss


@cause("detach", "copy", w="cut", v="gradient")
def state_dict_used_in_forward(m):
    state = m.state_dict()  # CUT
    return ((x() @ state["w"]) @ m.v).sum()


class _Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4, dtype=torch.float64)
        self.head = nn.Linear(4, 4, dtype=torch.float64)


@cause(
    "detach", "copy", build=_Pair,
    inner__weight="cut", inner__bias="cut", head__weight="gradient", head__bias="gradient",
)  # fmt: skip
def functional_call_of_a_state_dict(m):
    state = m.inner.state_dict()  # CUT
    h = torch.func.functional_call(m.inner, state, (x(),))
    return m.head(h).sum()


# custom Functions


class _ReturnsNone(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value * 2

    @staticmethod
    def backward(ctx, grad):
        return None


@cause("function", probe=True)
def function_that_returns_none(m):
    h = _ReturnsNone.apply(x() @ m.w)  # CUT
    return (h @ m.v).sum()


class _NotDifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        out = value * 2
        ctx.mark_non_differentiable(out)
        return out

    @staticmethod
    def backward(ctx, grad):
        return grad


@cause("function", "non_differentiable")
def function_marked_non_differentiable(m):
    h = _NotDifferentiable.apply(x() @ m.w)  # CUT
    return (h @ m.v).sum()


class _ReadsByClosure(torch.autograd.Function):
    weight: Tensor

    @staticmethod
    def forward(ctx, value):
        return value @ _ReadsByClosure.weight

    @staticmethod
    def backward(ctx, grad):
        return grad


@cause("function")
def function_that_reads_a_parameter_by_closure(m):
    _ReadsByClosure.weight = m.w
    h = _ReadsByClosure.apply(x() + m.v[:2])  # CUT INFERRED
    return h.sum()


# modules, deeper stacks


class _Block(nn.Module):
    def __init__(self, cut: bool):
        super().__init__()
        self.fc = nn.Linear(4, 4, dtype=torch.float64)
        self.cut = cut

    def forward(self, value):
        h = self.fc(value)
        if self.cut:
            h = h.detach()
        return value + h


@cause(
    "detach",
    build=lambda: nn.Sequential(_Block(False), _Block(True), _Block(False)),
    **{"0__fc__weight": "gradient", "0__fc__bias": "gradient", "1__fc__weight": "cut", "1__fc__bias": "cut",
       "2__fc__weight": "gradient", "2__fc__bias": "gradient"},
)  # fmt: skip
def residual_block_with_a_detach(m):
    return m(x()).sum()


@cause("copy", "detach")
def deepcopied_module(m):
    twin = copy.deepcopy(m)  # CUT
    return ((x() @ twin.w) @ m.v).sum()


@cause("copy", "numpy", "detach", "no_grad")
def saved_and_loaded_state(m):
    stream = io.BytesIO()
    torch.save(m.w, stream)  # CUT INFERRED
    stream.seek(0)
    twin = torch.load(stream)  # BACK INFERRED
    return ((x() @ twin.detach()) @ m.v).sum()  # BACK INFERRED


def _case(name: str) -> Case:
    return next(case for case in CAUSES if case.name == name)


def _marked_elsewhere() -> None:
    """Programs whose cut stands in a helper: take the lines from there."""
    for name, where, text in (
        ("no_grad_decorator", _features, "x() @ m.w"),
        ("inference_mode_decorator", _encode, "x() @ m.w"),
        ("residual_block_with_a_detach", _Block.forward, "h.detach()"),
    ):
        import inspect

        lines, start = inspect.getsourcelines(inspect.unwrap(where))
        numbers = frozenset(start + i for i, line in enumerate(lines) if text in line)
        case = _case(name)
        CAUSES[CAUSES.index(case)] = Case(
            case.step, case.build, case.verdicts, case.kinds, case.probe, {"CUT": numbers}
        )


_marked_elsewhere()
