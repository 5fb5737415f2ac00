"""Programs in which a saved tensor is overwritten before backward needs it, and the harmless ones beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.causes.case import Build, marks, weights
from tests.causes.programs import x

CONFLICTS: list[Overwritten] = []
HARMLESS: list[Overwritten] = []


@dataclass(frozen=True)
class Overwritten:
    """A program with a write between forward and backward.

    Attributes:
        step: ``step(model, write)`` returns the loss. With `write` False the same values reach the loss and nothing
            is overwritten: the gradients of that run are the right ones.
        build: makes the model.
        effect: ``raises``, ``wrong gradient``, or empty where the write does no harm.
        node: name of the node whose saved tensor it is; empty where several are hit.
        marks: the lines marked ``# SAVED`` and ``# WROTE``.
    """

    step: Callable[[nn.Module, bool], Tensor]
    build: Build
    effect: str
    node: str
    marks: Mapping[str, frozenset[int]]

    @property
    def name(self) -> str:
        return self.step.__name__


def gradients(case: Overwritten, write: bool) -> dict[str, Tensor | None] | str:
    """The gradients of one run by name, or PyTorch's message."""
    torch.manual_seed(7)
    model = case.build()
    loss = case.step(model, write)
    for parameter in model.parameters():
        parameter.grad = None
    try:
        loss.backward()
    except RuntimeError as error:
        return str(error)
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def measure(case: Overwritten) -> str:
    """``raises``, ``wrong gradient`` or empty, as PyTorch has it."""
    right, found = gradients(case, False), gradients(case, True)
    assert isinstance(right, dict), right
    if isinstance(found, str):
        return "raises"
    same = all(
        theirs is None if ours is None else theirs is not None and torch.equal(ours, theirs)
        for ours, theirs in ((right[name], found[name]) for name in right)
    )
    return "" if same else "wrong gradient"


def conflict(effect: str, node: str = "", build: Build | None = None):
    """Register a program that conflicts."""

    def register(step):
        CONFLICTS.append(Overwritten(step, build or weights("w", "v"), effect, node, marks(step)))
        return step

    return register


def harmless(build: Build | None = None):
    """Register a program that overwrites something that no backward needs."""

    def register(step):
        HARMLESS.append(Overwritten(step, build or weights("w", "v"), "", "", marks(step)))
        return step

    return register


# the counter saw it: backward raises


@conflict("raises", "SigmoidBackward0")
def in_place_relu(m, write):
    h = (x() @ m.w).sigmoid()  # SAVED
    h = F.relu(h, inplace=write)  # WROTE
    return (h @ m.v).sum()


@conflict("raises", "TanhBackward0")
def in_place_relu_as_a_module(m, write):
    stack = nn.Sequential(nn.Tanh(), nn.ReLU(inplace=write))
    return (stack(x() @ m.w) @ m.v).sum()  # SAVED WROTE


@conflict("raises", "ReluBackward0")
def in_place_relu_of_a_relu(m, write):
    h = F.relu(x() @ m.w, inplace=write)  # SAVED
    h = F.relu(h, inplace=write)  # WROTE
    return (h @ m.v).sum()


@conflict("raises", "ExpBackward0")
def augmented_assignment(m, write):
    h = (x() @ m.w).exp()  # SAVED
    if write:
        h += 1  # WROTE
    else:
        h = h + 1
    return (h @ m.v).sum()


@conflict("raises", "MulBackward0")
def parameter_whose_data_was_exchanged_before(m, write):
    h = m.w * m.w  # SAVED
    m.w.data = m.w.data  # as after ``m.w.data -= ...``: the memory and the counter stay the same
    if write:
        with torch.no_grad():
            m.w.mul_(1)  # WROTE
    return (x() @ h @ m.v).sum()


@conflict("raises", "MulBackward0")
def parameter_whose_data_was_exchanged_after(m, write):
    h = m.w * m.w  # SAVED
    if write:
        with torch.no_grad():
            m.w.mul_(1)  # WROTE
        m.w.data = m.w.data.clone()
        m.w.data.mul_(1)
    return (x() @ h @ m.v).sum()


@conflict("raises", "MulBackward0")
def parameter_that_is_given_a_first_value_again(m, write):
    h = m.w * m.w  # SAVED
    if write:
        torch.nn.init.constant_(m.w, 0.5)  # WROTE
    return (x() @ h @ m.v).sum()


@conflict("raises", "MulBackward0")
def multiplied_input(m, write):
    h = x() @ m.w + 1
    y = h * m.v[:2]  # SAVED
    if write:
        h.mul_(2)  # WROTE
    return y.sum()


@conflict("raises", "TanhBackward0")
def write_into_a_slice(m, write):
    h = (x() @ m.w).tanh()  # SAVED
    if write:
        h[0] = 0  # WROTE
    else:
        h = torch.cat([torch.zeros_like(h[:1]), h[1:]])
    return (h @ m.v).sum()


@conflict("raises", "TanhBackward0")
def write_into_a_view(m, write):
    h = (x() @ m.w).tanh()  # SAVED
    row = h.view(-1)[:4]
    if write:
        row.zero_()  # WROTE
    else:
        h = torch.cat([torch.zeros_like(h[:1]), h[1:]])
    return (h @ m.v).sum()


@conflict("raises", "SigmoidBackward0")
def write_through_detach(m, write):
    h = (x() @ m.w).sigmoid()  # SAVED
    c = h.detach()
    y = (h @ m.v.detach()).sum()
    if write:
        c.zero_()  # WROTE
    return y


@conflict("raises", "PowBackward0")
def out_argument(m, write):
    h = (x() @ m.w).detach()
    y = (h + m.v[:2]).clone()
    z = y.pow(2).sum()  # SAVED
    if write:
        with torch.no_grad():
            torch.add(x(), 1, out=y.detach())  # WROTE
    return z


@conflict("raises", "MmBackward0")
def weight_changed_under_no_grad(m, write):
    loss = (x() @ m.w @ m.v).sum()  # SAVED
    if write:
        with torch.no_grad():
            m.v.mul_(0.5)  # WROTE
    return loss


@conflict("raises", "MmBackward0")
def optimizer_step_between_forward_and_backward(m, write):
    optimizer = torch.optim.SGD(m.parameters(), lr=0.1)
    (x() @ m.w @ m.v).square().sum().backward()
    loss = (x() @ m.w @ m.v).sum()  # SAVED
    if write:
        optimizer.step()  # WROTE
    return loss


@conflict("raises", "MmBackward0")
def foreach_adam_between_forward_and_backward(m, write):
    optimizer = torch.optim.Adam(m.parameters(), lr=0.1, foreach=True)
    (x() @ m.w @ m.v).square().sum().backward()
    loss = (x() @ m.w @ m.v).sum()  # SAVED
    if write:
        optimizer.step()  # WROTE
    return loss


@conflict("raises", "MmBackward0")
def second_backward_after_a_step(m, write):
    optimizer = torch.optim.SGD(m.parameters(), lr=0.1)
    loss = (x() @ m.w @ m.v).sum()  # SAVED
    loss.backward(retain_graph=True)
    if write:
        optimizer.step()  # WROTE
    return loss


@conflict("raises", "MmBackward0", build=weights("generator", "critic"))
def gan_second_backward(m, write):
    critics = torch.optim.SGD([m.critic], lr=0.1)
    fake = x() @ m.generator
    score = (fake @ m.critic).sum()  # SAVED
    (fake.detach() @ m.critic).square().sum().backward()
    if write:
        critics.step()  # WROTE
    return score


@conflict("raises", "MulBackward0")
def detach_in_place_after_a_consumer_saved_it(m, write):
    h = x() @ m.w
    y = h * h  # SAVED
    if write:
        h.detach_()  # WROTE
    return y.sum() + m.v.sum()


@conflict("raises", "PowBackward0")
def hidden_state_kept_in_a_buffer(m, write):
    state = torch.zeros(2, 4, dtype=torch.float64)
    h = state + x() @ m.w
    loss = h.pow(3).sum()  # SAVED
    if write:
        h.copy_(torch.zeros_like(h))  # WROTE
    return loss + m.v.sum()


@conflict("raises", "ExpBackward0")
def copied_onto_itself(m, write):
    h = (x() @ m.w).exp()  # SAVED
    if write:
        h.copy_(h.detach())  # WROTE
    return (h @ m.v).sum()


@conflict("raises", "SigmoidBackward0")
def foreach_write(m, write):
    h = (x() @ m.w).sigmoid()  # SAVED
    y = (h * 1.0).sum()
    if write:
        with torch.no_grad():
            torch._foreach_mul_([h], 2.0)  # WROTE
    return y


@conflict("raises")
def write_on_a_view_of_an_input_that_a_copy_slices_saved(m, write):
    base = x() @ m.w + 0
    base[0].exp_()  # SAVED
    if write:
        with torch.no_grad():
            base[0].mul_(2)  # WROTE
    return base.sum()


@conflict("raises")
def foreach_saved(m, write):
    h = x() @ m.w
    (y,) = torch._foreach_exp([h])  # SAVED
    z = y.sum()
    if write:
        with torch.no_grad():
            y.mul_(2)  # WROTE
    return z


# the counter did not see it: silently wrong


@conflict("wrong gradient", "SigmoidBackward0")
def data_write(m, write):
    h = (x() @ m.w).sigmoid()  # SAVED
    y = (h @ m.v.detach()).sum()
    if write:
        h.data.zero_()  # WROTE
    return y


@conflict("wrong gradient", "MmBackward0")
def weight_data_write(m, write):
    loss = (x() @ m.w @ m.v).sum()  # SAVED
    if write:
        m.v.data.mul_(0.5)  # WROTE
    return loss


@conflict("wrong gradient", "TanhBackward0")
def data_slice_write(m, write):
    h = (x() @ m.w).tanh()  # SAVED
    y = h.sum()
    if write:
        h.data[0] = 0  # WROTE
    return y


@conflict("wrong gradient", "ExpBackward0")
def numpy_memory_write(m, write):
    h = (x() @ m.w).exp()  # SAVED
    y = h.sum()
    array = h.detach().numpy()
    if write:
        torch.from_numpy(array).zero_()  # WROTE
    return y


@conflict("wrong gradient", "MmBackward0")
def fused_sgd_between_forward_and_backward(m, write):
    optimizer = torch.optim.SGD(m.parameters(), lr=0.1, fused=True)
    (x() @ m.w @ m.v).square().sum().backward()
    loss = (x() @ m.w @ m.v).sum()  # SAVED
    if write:
        optimizer.step()  # WROTE
    return loss


@conflict("wrong gradient", "MmBackward0")
def fused_adam_between_forward_and_backward(m, write):
    optimizer = torch.optim.Adam(m.parameters(), lr=0.1, fused=True)
    (x() @ m.w @ m.v).square().sum().backward()
    loss = (x() @ m.w @ m.v).sum()  # SAVED
    if write:
        optimizer.step()  # WROTE
    return loss


@conflict("wrong gradient", "SigmoidBackward0")
def storage_filled(m, write):
    h = (x() @ m.w).sigmoid()  # SAVED
    y = h.sum()
    if write:
        h.untyped_storage().fill_(0)  # WROTE
    return y


@conflict("wrong gradient", "SigmoidBackward0")
def byte_of_a_storage(m, write):
    h = (x() @ m.w).sigmoid()  # SAVED
    y = h.sum()
    if write:
        h.untyped_storage()[7] = 64  # WROTE
    return y


@conflict("wrong gradient", "TanhBackward0")
def storage_copied_into(m, write):
    h = (x() @ m.w).tanh()  # SAVED
    y = h.sum()
    if write:
        h.untyped_storage().copy_(torch.zeros_like(h).untyped_storage())  # WROTE
    return y


@conflict("wrong gradient", "MulBackward0")
def weight_given_other_memory(m, write):
    y = (m.w * m.v).sum()  # SAVED
    if write:
        m.v.data = torch.zeros_like(m.v)  # WROTE
    return y


@conflict("wrong gradient", "MulBackward0")
def activation_given_other_memory_that_is_written(m, write):
    h = x() @ m.w
    y = (h * m.v[:2]).sum()  # SAVED
    if write:
        h.data = torch.zeros_like(h)  # WROTE
        h.data.add_(3)
    return y


@conflict("wrong gradient", "MulBackward0")
def argument_of_kron(m, write):
    h = x() @ m.w
    y = torch.kron(h, m.v).sum()  # SAVED
    if write:
        h.detach().mul_(2)  # WROTE
    return y


def _normalised():
    model = nn.Sequential(nn.Linear(4, 4, dtype=torch.float64), nn.BatchNorm1d(4, dtype=torch.float64))
    model[1].eval()
    return model


@conflict("wrong gradient", "NativeBatchNormBackward0", build=_normalised)
def batch_norm_statistics_between_eval_forward_and_backward(m, write):
    loss = m(x()).square().sum()  # SAVED
    if write:
        m[1].train()
        m[1](x() * 30 + 5)  # WROTE
    return loss


@conflict("raises")
def input_of_a_checkpoint_overwritten(m, write):
    h = (x() @ m.w).detach().sin()
    y = checkpoint(lambda value: (value @ m.v).tanh(), h, use_reentrant=False)  # SAVED
    if write:
        h.mul_(2)  # WROTE
    return y.sum()


@conflict("wrong gradient")
def weight_that_a_checkpoint_reads_overwritten(m, write):
    y = checkpoint(lambda value: (value @ m.v).tanh(), x() @ m.w, use_reentrant=False)  # SAVED
    if write:
        with torch.no_grad():
            m.v.mul_(2)  # WROTE
    return y.sum()


@conflict("wrong gradient", "CheckpointFunctionBackward")
def weight_that_a_reentrant_checkpoint_reads_overwritten(m, write):
    y = checkpoint(lambda value: (value @ m.v).tanh(), x() @ m.w, use_reentrant=True)  # SAVED
    if write:
        with torch.no_grad():
            m.v.mul_(2)  # WROTE
    return y.sum()


@conflict("wrong gradient", "CheckpointFunctionBackward")
def step_between_a_reentrant_checkpoint_and_backward(m, write):
    optimizer = torch.optim.SGD([m.v], lr=0.1)
    m.v.grad = torch.ones_like(m.v)
    y = checkpoint(lambda value: (value @ m.v).tanh(), x() @ m.w, use_reentrant=True)  # SAVED
    if write:
        optimizer.step()  # WROTE
    return y.sum()


@conflict("raises", "CheckpointFunctionBackward")
def input_of_a_reentrant_checkpoint_overwritten(m, write):
    h = x() @ m.w
    y = checkpoint(lambda value: (value @ m.v).tanh(), h, use_reentrant=True)  # SAVED
    if write:
        with torch.no_grad():
            h.mul_(2)  # WROTE
    return y.sum()


def _linear():
    return nn.Linear(4, 4, dtype=torch.float64)


@conflict("raises", build=_linear)
def input_of_a_checkpointed_module_overwritten(m, write):
    h = x().sin()
    y = checkpoint(m, h, use_reentrant=False)  # SAVED
    if write:
        h.mul_(2)  # WROTE
    return y.sum()


# harmless


@harmless()
def in_place_relu_after_a_product(m, write):
    h = F.relu(x() @ m.w, inplace=write)
    return (h @ m.v).sum()


@harmless()
def in_place_add_after_a_product(m, write):
    h = x() @ m.w
    if write:
        h += 1
    else:
        h = h + 1
    return (h @ m.v).sum()


@harmless()
def write_into_a_clone(m, write):
    h = (x() @ m.w).sigmoid()
    copy = h.detach().clone()
    if write:
        copy.zero_()
    return (h @ m.v).sum()


@harmless()
def step_after_backward(m, write):
    optimizer = torch.optim.SGD(m.parameters(), lr=0.0)
    for _ in range(3):
        optimizer.zero_grad()
        (x() @ m.w @ m.v).square().sum().backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        if write:
            optimizer.step()
    return (x() @ m.w @ m.v).sum()


@harmless()
def buffer_filled_row_by_row(m, write):
    if write:
        buffer = torch.zeros(2, 4, dtype=torch.float64)
        for i, row in enumerate(x()):
            buffer[i] = row @ m.w
    else:
        buffer = x() @ m.w
    return (buffer @ m.v).sum()


@harmless()
def write_after_an_in_place_product_that_saved_a_copy(m, write):
    h = x() @ m.w
    h.mul_(m.v[:2])
    if write:
        h[1, :] = 0.5
    else:
        h = torch.cat([h[:1], torch.full_like(h[1:], 0.5)])
    return h.sin().sum()


@harmless()
def write_before_the_save(m, write):
    h = x() @ m.w
    if write:
        h.mul_(2)
        h.data.add_(1)
    else:
        h = h * 2 + 1
    return (h.tanh() @ m.v).sum()


@harmless()
def zero_of_the_gradients(m, write):
    loss = (x() @ m.w @ m.v).sum()
    loss.backward(retain_graph=True)
    if write:
        m.zero_grad(set_to_none=False)
    return loss


def _trained():
    return nn.Sequential(nn.Linear(4, 4, dtype=torch.float64), nn.BatchNorm1d(4, dtype=torch.float64))


@harmless(build=_trained)
def batch_norm_that_trains_on_before_backward(m, write):
    loss = m(x()).square().sum()
    if write:
        m(x() * 30 + 5)
    return loss


@harmless()
def result_given_other_memory(m, write):
    h = (x() @ m.w).sigmoid()
    y = (h.sum() * m.v).sum()
    if write:
        h.data = torch.zeros_like(h)
    return y


@harmless()
def other_bytes_of_a_storage(m, write):
    h = (x() @ m.w).exp()
    both = torch.cat([h, h])
    y = both[:2].sin().sum()
    if write:
        both.untyped_storage()[-8:] = 0
    return (y * m.v).sum()


@harmless(build=_linear)
def module_moved_after_its_forward(m, write):
    y = m(x()).square().sum()
    if write:
        m.float().double()
    return y


@harmless(build=_trained)
def batch_norm_in_a_reentrant_checkpoint_that_trains_on(m, write):
    loss = checkpoint(m, x().requires_grad_(), use_reentrant=True).square().sum()
    if write:
        m(x() * 30 + 5)
    return loss


@harmless()
def weight_read_before_a_checkpoint_is_overwritten(m, write):
    total = m.v.sum()
    y = checkpoint(lambda value: (value * 2).sin(), x() @ m.w, use_reentrant=False)
    if write:
        with torch.no_grad():
            m.v.mul_(2)
    return y.sum() + total


@harmless()
def running_mean_of_a_result(m, write):
    h = (x() @ m.w).tanh()
    mean = torch.zeros(4, dtype=torch.float64)
    if write:
        with torch.no_grad():
            mean.mul_(0.9).add_(h.mean(0), alpha=0.1)
    return (h @ m.v).sum()


@harmless()
def data_write_of_what_no_node_saves(m, write):
    h = x() @ m.w
    y = h + 1
    if write:
        h.data.zero_()
    return (y @ m.v).sum()
