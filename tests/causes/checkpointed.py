"""Programs with a reentrant checkpoint that cuts inside: edges lead out of it, and backward comes to nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.causes.case import Build, Case, Step, marks, weights
from tests.causes.programs import x

CHECKPOINTED: list[Case] = []


def checkpointed(*kinds: str, build: Build | None = None, **verdicts: str):
    """Register a program with its verdicts, and the kinds of its cuts."""

    def register(step: Step) -> Step:
        builder = build or weights(*verdicts)
        CHECKPOINTED.append(Case(step, builder, verdicts, frozenset(kinds), marks=marks(step)))
        return step

    return register


def _run(function, *values: Tensor):
    return checkpoint(function, *values, use_reentrant=True)


@checkpointed("detach", w="cut", v="gradient")
def detached_inside(m):
    def inside(h):
        h = h.detach()  # CUT
        return h @ m.v

    return _run(inside, x() @ m.w).sum()


@checkpointed(w="gradient", v="gradient")
def detached_beside_a_way(m):
    return _run(lambda h: h.detach() @ m.v + h, x() @ m.w).sum()


@checkpointed("detach", w="gradient", v="cut", u="gradient")
def one_of_two_arguments(m):
    def inside(h, g):
        g = g.detach()  # CUT
        return (h @ m.u) * g

    return _run(inside, x() @ m.w, x() @ m.v).sum()


@checkpointed("data", w="cut", v="cut", u="gradient")
def in_a_checkpoint_within(m):
    def within(h):
        h = h.data  # CUT
        return h @ m.u

    def inside(h):
        return _run(within, h @ m.v)

    return _run(inside, x() @ m.w).sum()


@checkpointed("no_grad", w="cut", v="cut", u="gradient")
def without_grad_inside(m):
    def inside(h):
        with torch.no_grad():
            h = h @ m.v  # CUT
        return h @ m.u

    return _run(inside, x() @ m.w).sum()


@checkpointed("detach", w="cut", v="gradient")
def through_numpy_inside(m):
    def inside(h):
        h = torch.from_numpy(h.detach().numpy() * 2)  # CUT
        return h @ m.v

    return _run(inside, x() @ m.w).sum()


@checkpointed("detach", w="cut", v="gradient")
def parameters_as_arguments(m):
    def inside(w, v):
        w = w.detach()  # CUT
        return x() @ w + x() @ v

    return _run(inside, m.w, m.v).sum()


@checkpointed(w="gradient", v="gradient", u="gradient")
def an_argument_that_is_handed_back(m):
    h, g = _run(lambda h, g: (h, g @ m.u), x() @ m.w, x() @ m.v)
    return (h * g).sum()


@checkpointed("detach", w="cut", v="gradient")
def overwritten_before_a_cut(m):
    h = x() @ m.w
    h[...] = 0.5

    def inside(h):
        return h.detach() @ m.v  # of the value of w nothing is left to be cut here

    return _run(inside, h).sum() + (x() @ m.w).detach().sum()  # CUT


@checkpointed("detach", w="cut", v="gradient", u="gradient")
def behind_two(m):
    def inside(h):
        h = h.detach()  # CUT
        return h @ m.v

    return _run(lambda h: h @ m.u, _run(inside, x() @ m.w)).sum()


def _parametrized() -> nn.Module:
    layer = nn.Linear(4, 4, dtype=torch.float64)
    torch.nn.utils.parametrize.register_parametrization(layer, "weight", _Detaching())
    return layer


class _Detaching(nn.Module):
    def forward(self, weight):
        return weight.detach().exp()


def parametrized() -> tuple[nn.Module, Tensor]:
    """A layer that gets its parametrization while it is recorded, and its loss."""
    layer = _parametrized()
    return layer, layer(x()).sum()


@checkpointed("detach", w="cut", v="gradient", u="gradient")
def in_another_that_saves_by_hooks(m):
    def within(h):
        return (h @ m.w.detach()).sin()  # CUT

    def inside(h):
        return _run(within, h * 1) @ m.u

    return checkpoint(inside, x() @ m.v, use_reentrant=False).sum()


@checkpointed("no_grad", w="cut", v="gradient", u="gradient")
def around_which_what_is_saved_is_moved(m):
    def inside(h):
        with torch.no_grad():
            k = h @ m.w  # CUT
        return k @ m.u + h

    with torch.autograd.graph.save_on_cpu():
        return _run(inside, x() @ m.v).sum()


@checkpointed(w="gradient", v="gradient", u="gradient")
def around_which_hooks_compute(m):
    def pack(saved):
        with torch.no_grad():
            return saved * 1

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        return _run(lambda h: _run(lambda g: g @ m.w, h) @ m.u, x() @ m.v).sum()
