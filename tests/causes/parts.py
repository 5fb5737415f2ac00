"""Programs of whose values only a part goes on: Functions with several results, parameters joined to one vector."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors
from torch.nn.utils import parameters_to_vector
from torch.utils.checkpoint import checkpoint

from tests.causes.case import Build, Case, Step, marks, weights
from tests.causes.programs import x

PARTS: list[Case] = []


def parts(*kinds: str, build: Build | None = None, probe: bool = False, **verdicts: str):
    """Register a program with its verdicts, and the kinds of its cuts."""

    def register(step: Step) -> Step:
        builder = build or weights(*verdicts)
        PARTS.append(Case(step, builder, verdicts, frozenset(kinds), probe, marks(step)))
        return step

    return register


# Functions


class _DropsTheSecond(torch.autograd.Function):
    @staticmethod
    def forward(ctx, one, other):
        return one.sin(), other.cos()

    @staticmethod
    def backward(ctx, grad, _):
        return grad, None


class _AsTheyCame(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *values):
        ctx.set_materialize_grads(False)
        return tuple(value * 2 for value in values)

    @staticmethod
    def backward(ctx, *grads):
        return tuple(None if grad is None else grad * 2 for grad in grads)


class _MarksTheSecond(torch.autograd.Function):
    @staticmethod
    def forward(ctx, one, other):
        result = other * 3
        ctx.mark_non_differentiable(result)
        return one * 2, result

    @staticmethod
    def backward(ctx, grad, _):
        return grad * 2, None


class _SetUp(torch.autograd.Function):
    @staticmethod
    def forward(one, other, spare):
        return one * other, spare + 1

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad, _):
        (other,) = ctx.saved_tensors
        return grad * other, None, None


class _HandsThemOn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, one, other):
        return one, other.view_as(other)

    @staticmethod
    def backward(ctx, grad, _):
        return grad, None


class _Around(torch.autograd.Function):
    @staticmethod
    def forward(ctx, one, other):
        first, second = _AsTheyCame.apply(one, other)
        return first + 0, second + 0

    @staticmethod
    def backward(ctx, grad, _):
        return grad * 2, None


@parts("function", probe=True, w="gradient", v="cut")
def both_results(m):
    a, b = _DropsTheSecond.apply(m.w, m.v)  # CUT
    return (a + b).sum()


@parts(probe=True, w="gradient", v="unused")
def the_result_that_has_a_gradient(m):
    a, _ = _DropsTheSecond.apply(m.w, m.v)
    return a.sum()


@parts("function", probe=True, v="cut")
def the_result_that_has_none(m):
    _, b = _DropsTheSecond.apply(torch.ones_like(m.v, requires_grad=True), m.v)  # CUT
    return b.sum()


@parts(probe=True, w="gradient", v="unused", u="gradient")
def a_result_of_three_that_is_not_used(m):
    a, _, c = _AsTheyCame.apply(m.w, m.v, m.u)
    return (a * c).sum()


@parts("detach", probe=True, w="gradient", v="cut")
def a_result_that_is_detached(m):
    a, b = _AsTheyCame.apply(m.w, m.v)
    b = b.detach()  # CUT
    return (a * b).sum()


@parts("function", probe=True, w="gradient", v="cut")
def a_result_that_is_marked(m):
    a, b = _MarksTheSecond.apply(m.w, m.v)  # CUT
    return (a * b).sum()


@parts("function", probe=True, w="gradient", v="cut", u="unused")
def with_a_context_of_its_own(m):
    a, _ = _SetUp.apply(m.w, m.v, m.u)  # CUT
    return a.sum()


@parts("function", probe=True, w="gradient", v="cut")
def arguments_that_are_results(m):
    a, b = _HandsThemOn.apply(m.w, m.v)  # CUT
    return (a * b).sum()


@parts(probe=True, w="gradient", v="unused")
def an_argument_that_is_a_result_and_not_used(m):
    a, _ = _HandsThemOn.apply(m.w, m.v)
    return a.sum()


@parts("function", probe=True, w="gradient", v="cut")
def a_function_within_a_function(m):
    a, b = _Around.apply(m.w, m.v)  # CUT
    return (a * b).sum()


@parts(probe=True, w="gradient", v="gradient", u="unused")
def a_checkpoint_that_does_not_use_an_argument(m):
    return checkpoint(lambda value, _: value @ m.v, x() @ m.w, m.u, use_reentrant=True).sum()


@parts("detach", w="cut", v="unused", u="gradient")
def cut_before_a_function(m):
    a, _ = _AsTheyCame.apply(m.w.detach(), m.v.detach())  # CUT
    return (a @ m.u).sum()


# vectors of parameters


def _second(vector: Tensor) -> Tensor:
    return vector[16:].view(4, 4)


@parts("detach", w="unused", v="cut", u="gradient")
def a_vector_of_parameters(m):
    flat = parameters_to_vector([m.w, m.v]).detach()  # CUT
    return (_second(flat) @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def a_copy_of_a_vector(m):
    flat = parameters_to_vector([m.w, m.v]).clone()
    flat = flat.detach().to(torch.float32).double()  # CUT
    return (_second(flat) @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def a_flat_buffer(m):
    flat = _flatten_dense_tensors([m.w, m.v]).detach()  # CUT
    _, v = _unflatten_dense_tensors(flat, [m.w, m.v])
    return (v @ m.u).sum()


@parts("no_grad", w="unused", v="cut", u="gradient")
def a_buffer_that_was_there(m):
    flat = torch.empty(32, dtype=torch.float64)
    with torch.no_grad():  # OFF
        torch.cat([m.w.view(-1), m.v.view(-1)], out=flat)  # CUT
    return (_second(flat) @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def side_by_side(m):
    both = torch.hstack([m.w, m.v]).detach()  # CUT
    return (both[:, 4:] @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def one_over_the_other(m):
    both = torch.vstack([m.w[0], m.v]).detach()  # CUT
    return (both[1:] @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def one_behind_the_other(m):
    both = torch.dstack([m.w, m.v]).detach()  # CUT
    return (both[..., 1] @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def as_columns(m):
    both = torch.column_stack([m.w[:, 0], m.v]).detach()  # CUT
    return (both[:, 1:] @ m.u).sum()


@parts("detach", w="cut", v="cut", u="gradient")
def a_vector_whose_parts_were_mixed(m):
    flat = torch.cat([m.w.view(-1), m.v.view(-1)]).softmax(0).detach()  # CUT
    return (_second(flat) @ m.u).sum()


# transforms of torch.func


def _loss_of(m: nn.Module, weight: Tensor):
    return lambda row: (torch.tanh(row @ weight) * m.v[0]).sum()


@parts("detach", w="cut", v="gradient", u="gradient")
def detached_before_a_gradient_is_taken(m):
    weight = m.w.detach()  # CUT
    return (torch.func.grad(_loss_of(m, weight))(x()[0]) @ m.u).sum()


@parts("detach", w="cut", v="gradient", u="gradient")
def only_what_is_detached_in_a_gradient(m):
    def loss_of(row):
        weight = m.w.detach()  # CUT
        return torch.tanh(row @ weight).sum()

    return (torch.func.grad(loss_of)(x()[0]) @ m.u).sum() + m.v.sum()


@parts("detach", w="cut", v="gradient", u="gradient")
def only_what_is_detached_in_gradients_of_rows(m):
    def loss_of(row):
        weight = m.w.detach()  # CUT
        return torch.tanh(row @ weight).sum()

    return (torch.func.vmap(torch.func.grad(loss_of))(x()) @ m.u).sum() + m.v.sum()


@parts("detach", w="cut", v="gradient")
def detached_beside_a_live_way_in_a_jacobian(m):
    def inside(row):
        h = torch.tanh(row @ m.w)
        h = h.detach()  # CUT
        return h * row * m.v[0]

    return torch.func.jacrev(inside)(x()[0]).square().sum()


@parts("no_grad", w="cut", v="gradient")
def a_gradient_without_a_graph(m):
    with torch.no_grad():  # OFF
        taken = torch.func.grad(lambda row: torch.tanh(row @ m.w).sum())(x()[0])  # CUT
    return (taken @ m.v).sum()


@parts("detach", w="cut", v="gradient")
def a_hessian_of_what_is_detached(m):
    def inside(row):
        weight = m.w.detach()  # CUT
        return (torch.tanh(row @ weight) * m.v[0]).sum()

    return torch.func.hessian(inside)(x()[0]).square().sum()


# parts in another order


@parts("detach", w="cut", v="cut", u="gradient")
def columns_that_a_copy_made_rows(m):
    both = torch.cat([m.w, m.v]).detach()  # CUT
    return (both.t().contiguous()[:2].sum() * m.u).sum()


@parts("detach", w="cut", u="gradient", v="unused")
def columns_that_a_copy_left_columns(m):
    both = torch.cat([m.w, m.v]).detach()  # CUT
    return (both.t().clone()[:, : len(m.w)].sum() * m.u).sum()


@parts("detach", w="cut", v="cut", u="gradient")
def joined_in_another_order(m):
    both = torch.cat([m.w.t(), m.v.t()], 1).detach()  # CUT
    return (both.contiguous()[:2].sum() * m.u).sum()


@parts("detach", w="cut", v="unused", u="gradient")
def rows_that_a_copy_made_columns(m):
    both = torch.cat([m.w, m.v]).detach()  # CUT
    return (both.t().contiguous()[:, :4] @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def rows_one_after_another_in_another_order(m):
    both = torch.cat([m.w, m.v]).detach()  # CUT
    return (both.t().reshape(4, 2, 4)[:, 1] @ m.u).sum()


# parts behind arithmetic


@parts("detach", w="cut", v="unused", u="gradient")
def parts_that_are_scaled(m):
    both = torch.cat([m.w, m.v]).detach() * 2 + 1  # CUT
    return (both[:4] @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def parts_that_are_broadcast(m):
    both = torch.cat([m.w[0], m.v[0]]).detach()  # CUT
    return ((torch.ones(4, 1, dtype=torch.float64) - both)[:, 4:] @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def parts_that_are_repeated_along_another_dimension(m):
    both = torch.cat([m.w[0], m.v[0]]).detach()  # CUT
    return (F.silu(both.unsqueeze(1) / torch.full((4,), 3.0, dtype=torch.float64))[4:] @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def parts_of_two_that_are_chosen_between(m):
    both = torch.stack([m.w, m.v]).detach()  # CUT
    chosen = torch.where(both > 0, both, -both.exp())
    return (chosen[1] @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def parts_that_are_changed_in_place(m):
    both = torch.cat([m.w, m.v]).detach().clone()  # CUT
    both.mul_(2).clamp_(-1, 1)
    F.elu(both, inplace=True)
    both += 1
    return (both[4:] @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def parts_that_are_copied_over(m):
    both = torch.cat([m.w, m.v]).detach()  # CUT
    copy_of_both = torch.zeros(8, 4, dtype=torch.float32)
    copy_of_both.copy_(both)
    return (copy_of_both[4:].double() @ m.u).sum()


@parts("detach", w="unused", v="cut", u="gradient")
def parts_that_are_written_to_by_index(m):
    both = torch.cat([m.w, m.v]).detach()  # CUT
    both = both.index_fill(0, torch.tensor([5]), 0.5).triu(-6)
    return (both[4:] @ m.u).sum()


@parts("detach", w="cut", v="cut", u="gradient")
def parts_that_another_argument_mixes(m):
    both = torch.cat([m.w, m.v]).detach()  # CUT
    mixed = torch.addmm(input=both, mat2=both, mat1=torch.ones(8, 8, dtype=torch.float64))
    return (mixed[4:] @ m.u).sum()


@parts("detach", w="cut", v="cut", u="gradient")
def parts_that_are_summed_up(m):
    both = torch.cat([m.w, m.v]).detach().cumsum(0)  # CUT
    return (both[4:] @ m.u).sum()


# what drops out of a derivative


def _energy(m: nn.Module, row: Tensor) -> Tensor:
    return (torch.tanh(row @ m.w) @ m.u + m.v[0]).sum()


@parts(w="gradient", v="unused", u="gradient")
def a_bias_in_a_gradient(m):
    row = x()[0].requires_grad_()
    (force,) = torch.autograd.grad(_energy(m, row), row, create_graph=True)
    return (force.norm() - 1) ** 2


@parts(w="gradient", v="unused", u="gradient")
def a_bias_in_gradients_of_gradients(m):
    row = x()[0].requires_grad_()
    (force,) = torch.autograd.grad(_energy(m, row), row, create_graph=True)
    (bend,) = torch.autograd.grad(force.sum(), row, create_graph=True)
    return bend.square().sum()


@parts(w="gradient", v="unused", u="gradient")
def a_bias_in_a_gradient_that_is_read(m):
    row = x()[0].requires_grad_()
    _energy(m, row).backward(create_graph=True)
    return row.grad.square().sum()


@parts(w="gradient", v="unused", u="gradient")
def a_bias_in_a_jacobian(m):
    return torch.func.jacrev(lambda row: _energy(m, row))(x()[0]).square().sum()


@parts(w="gradient", v="unused", u="gradient")
def a_bias_in_a_tangent(m):
    row = x()[0]
    return torch.func.jvp(lambda row: _energy(m, row), (row,), (torch.ones_like(row),))[1].square()


@parts("detach", w="gradient", v="cut", u="gradient")
def a_bias_in_a_gradient_and_detached_beside(m):
    row = x()[0].requires_grad_()
    energy = _energy(m, row)
    (force,) = torch.autograd.grad(energy, row, create_graph=True)
    return (force.norm() - energy.detach()) ** 2  # CUT


# tangents, which go along and are not part of a value


@parts(w="gradient", v="unused", u="gradient")
def a_value_whose_tangent_is_left(m):
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(m.w * 1, m.v * 1)
        return (torch.autograd.forward_ad.unpack_dual(dual.sin()).primal @ m.u).sum()


@parts(w="gradient", v="unused", u="gradient")
def a_value_that_keeps_its_tangent(m):
    with torch.autograd.forward_ad.dual_level():
        value = torch.autograd.forward_ad.make_dual(m.w, m.v).sin().mul_(2) @ m.u
    return value.sum()


@parts("detach", w="cut", v="cut", u="gradient")
def a_tangent_that_is_detached(m):
    with torch.autograd.forward_ad.dual_level():
        value = torch.autograd.forward_ad.make_dual(m.w.detach(), m.v.detach()).sin()  # CUT
        return (torch.autograd.forward_ad.unpack_dual(value.mul_(2)).tangent @ m.u).sum()


@parts(w="gradient", v="unused", u="gradient")
def the_value_of_a_jvp(m):
    return torch.func.jvp(lambda w: (w @ m.u).sin(), (m.w,), (m.v,))[0].sum()


@parts(w="gradient", v="gradient", u="gradient")
def the_tangent_of_a_jvp(m):
    return torch.func.jvp(lambda w: (w @ m.u).sin(), (m.w,), (m.v,))[1].sum()


# what is not seen


class _Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, one):
        ctx.kept = one.detach()
        return one**3

    @staticmethod
    def backward(ctx, grad):
        return grad * 3 * ctx.kept**2


def cubed(model: nn.Module) -> Tensor:
    """The derivative depends on `v`, by what a Function keeps without its history."""
    row = x()[0].requires_grad_()
    (taken,) = torch.autograd.grad((_Cube.apply(row + model.v[0]) @ model.w).sum(), row, create_graph=True)
    return taken.square().sum()


class _Opaque(torch.autograd.Function):
    @staticmethod
    def forward(ctx, one, other):
        return one * 2, torch.from_numpy(other.numpy(force=True) * 2)

    @staticmethod
    def backward(ctx, grad, _):
        return grad * 2, None


def opaque(model: nn.Module) -> Tensor:
    """Of the second result nobody can tell what it was computed from."""
    return _Opaque.apply(model.w, model.v)[0].sum()


# What is handed in beside, and does not flow


@parts(w="unused", v="unused", u="gradient")
def a_deep_copy_is_of_one_tensor_whatever_was_copied_before(m):
    _, _, scale = copy.deepcopy((m.w, m.v, x()[0]))
    return (m.u * scale).sum()


@parts(w="unused", v="gradient")
def a_cast_to_the_type_of_another(m):
    return m.v.float().to(m.w).sum()


@parts("detach", w="cut", v="cut", u="gradient")
def a_number_that_a_tensor_is_filled_with(m):
    first, second = m.w.sum().detach(), m.v.mean().detach()  # CUT
    return (m.u * torch.full_like(m.u, first) * m.u.new_full((4, 4), second)).sum()


@parts(w="unused", v="gradient")
def a_training_takes_the_statistics_of_its_batch(m):
    mean, var = m.w.detach().mean(0), m.w.detach().var(0)
    return (F.batch_norm(x() @ m.v, mean, var, training=True) * x()).sum()


@parts("detach", w="cut", v="gradient")
def an_evaluation_takes_the_running_statistics(m):
    mean, var = m.w.detach().mean(0), torch.ones(4, dtype=torch.float64)  # CUT
    return (F.batch_norm(x() @ m.v, mean, var, training=False) * x()).sum()


@parts("non_differentiable", w="cut", v="gradient", u="unused")
def a_training_notes_the_statistics_of_its_batch(m):
    mean, var = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    F.batch_norm(x() @ m.w, mean, var, m.u[0], training=True)  # CUT
    return (F.batch_norm(x() @ m.v, mean, var, training=False) * x()).sum()
