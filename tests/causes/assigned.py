"""Parameters that were given a value: by what a graph computed for them, and by what training code does all the time.

The first is a cut: of a network that makes weights for another one (``g`` here) the values reach the loss, and no
gradient comes back. The second is not followed: every optimizer step would link all of a run to all of it.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.causes.case import Build, Case, Step, marks, weights
from tests.causes.programs import x

ASSIGNED: list[Case] = []
LOADED: list[Case] = []


def assigned(*kinds: str, build: Build | None = None, **verdicts: str):
    """Register a program; without `verdicts`, the loss depends on `w`, which was made from `g`."""

    def register(step: Step) -> Step:
        told = verdicts or {"g": "cut", "w": "gradient"}
        ASSIGNED.append(Case(step, build or weights("g", "w"), told, frozenset(kinds), marks=marks(step)))
        return step

    return register


def loaded(build: Build | None = None, **verdicts: str):
    """Register a program; without `verdicts`, the loss depends on `w` only, and what became of `g` is not followed."""

    def register(step: Step) -> Step:
        told = verdicts or {"g": "unused", "w": "gradient"}
        LOADED.append(Case(step, build or weights("g", "w"), told))
        return step

    return register


def _made(m: nn.Module) -> Tensor:
    """A weight for `w`."""
    return torch.tanh(torch.eye(4, dtype=torch.float64) @ m.g)


def _loss(m: nn.Module) -> Tensor:
    return (x() @ m.w).square().sum()


# assignments


@assigned("data")
def given_other_memory(m):
    m.w.data = _made(m)  # CUT
    return _loss(m)


@assigned("data")
def copied_into_data(m):
    m.w.data.copy_(_made(m))  # CUT
    return _loss(m)


@assigned("data")
def all_elements_set(m):
    m.w.data[:] = _made(m)  # CUT
    return _loss(m)


@assigned("data")
def one_row_set(m):
    m.w.data[1] = _made(m)[0]  # CUT
    return _loss(m)


@assigned("no_grad")
def copied_under_no_grad(m):
    made = _made(m)
    with torch.no_grad():
        m.w.copy_(made)  # CUT
    return _loss(m)


@assigned("no_grad")
def set_under_no_grad(m):
    made = _made(m)
    with torch.no_grad():
        m.w[...] = made  # CUT
    return _loss(m)


@assigned("detach")
def copied_into_what_is_detached(m):
    m.w.detach().copy_(_made(m))  # CUT
    return _loss(m)


@assigned("data")
def data_of_what_was_made(m):
    m.w.data = _made(m).data  # CUT
    return _loss(m)


@assigned("detach")
def detached_copy_of_what_was_made(m):
    made = _made(m)
    m.w.data = made.detach().clone()  # CUT
    return _loss(m)


@assigned("data", "detach")
def made_and_cast(m):
    m.w.data.copy_(_made(m).detach().float().double())  # CUT
    return _loss(m)


@assigned("no_grad")
def loaded_as_a_state_that_was_made(m):
    m.load_state_dict({"w": _made(m)}, strict=False)  # CUT
    return _loss(m)


@assigned("data")
def spread_from_a_vector_that_was_made(m):
    nn.utils.vector_to_parameters(_made(m).flatten(), [m.w])  # CUT
    return _loss(m)


@assigned("rewrap")
def wrapped_as_a_parameter(m):
    m.w = nn.Parameter(_made(m))  # CUT
    return _loss(m)


@assigned("detach")
def wrapped_without_its_history(m):
    m.w = nn.Parameter(_made(m).detach().clone())  # CUT
    return _loss(m)


def _frozen() -> nn.Module:
    model = weights("g", "w")()
    model.w.requires_grad_(False)
    return model


@assigned("data", build=_frozen, g="cut", w="frozen")
def given_to_a_frozen_parameter(m):
    m.w.data = _made(m)  # CUT
    return _loss(m) + 0 * m.g.new_zeros((), requires_grad=True)


@assigned("data")
def given_and_then_trained(m):
    m.w.data = _made(m)  # CUT
    optimizer = torch.optim.Adam([m.w], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        _loss(m).backward()
        optimizer.step()
    return _loss(m)


@assigned("data")
def given_and_then_stepped_by_hand(m):
    m.w.data = _made(m)  # CUT
    (slope,) = torch.autograd.grad(_loss(m), m.w)
    m.w.data = m.w.data - 0.1 * slope
    return _loss(m)


@assigned("data")
def given_and_then_cast(m):
    m.w.data = _made(m)  # CUT
    m.w.data = m.w.data.float().double()
    kept = m.w.detach().clone()
    m.w.data.mul_(2)
    m.w.data.copy_(kept)
    return _loss(m)


@assigned("data")
def given_in_every_round(m):
    loss = 0
    for round_ in range(3):
        m.w.data = _made(m) * (round_ + 1)  # CUT
        loss = loss + _loss(m)
    return loss


@assigned("data", build=weights("g", "w", "v"), g="cut", w="gradient", v="gradient")
def fast_weights_of_another_network(m):
    slow = _made(m)
    (slope,) = torch.autograd.grad((x() @ slow).square().sum(), slow, create_graph=True)
    fast = slow - 0.1 * slope
    m.w.data = fast  # CUT
    return (x() @ m.w @ m.v).square().sum()


@assigned("data", build=weights("g", "w", "v"), g="cut", w="gradient", v="cut")
def mixed_of_two_others(m):
    m.w.data.copy_(0.5 * (m.g + m.v))  # CUT
    return _loss(m)


# updates and loading


@loaded()
def optimizers(m):
    for make in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop):
        for options in ({"foreach": False}, {"foreach": True}):
            optimizer = make([m.g, m.w], lr=0.01, **options)
            optimizer.zero_grad()
            (x() @ m.g @ m.w).square().sum().backward()
            optimizer.step()
    return _loss(m)


@loaded()
def steps_by_hand(m):
    slopes = torch.autograd.grad((x() @ m.g @ m.w).square().sum(), [m.g, m.w])
    for parameter, slope in zip([m.g, m.w], slopes, strict=True):
        parameter.data = parameter - 0.1 * slope
        parameter.data.sub_(0.1 * slope)
        parameter.data -= 0.1 * slope
        parameter.data.copy_((parameter - 0.1 * slope).clamp(-2, 2))
    return _loss(m)


@loaded()
def steps_that_keep_their_graph(m):
    slopes = torch.autograd.grad((x() @ m.g @ m.w).square().sum(), [m.g, m.w], create_graph=True)
    for parameter, slope in zip([m.g, m.w], slopes, strict=True):
        parameter.data = parameter - 0.1 * slope
    m.w.data = slopes[1]  # a gradient that takes a parameter's place
    return _loss(m)


@loaded()
def step_of_a_meta_learner_on_itself(m):
    fast = m.w.clone()
    for _ in range(2):
        (slope,) = torch.autograd.grad((x() @ m.g @ fast).square().sum(), fast, create_graph=True)
        fast = fast - 0.1 * slope
    m.w.data = fast
    return _loss(m)


@loaded()
def average(m):
    with torch.no_grad():
        m.w.mul_(0.9).add_(m.g, alpha=0.1)
    m.w.data.lerp_(m.g.data, 0.1)
    m.w.data.copy_(0.1 * m.g + 0.9 * m.w)
    m.w.data = 0.1 * m.g + (1 - 0.1) * m.w
    m.w.data.copy_(0.1 * m.g.data + 0.9 * m.w.data)
    return _loss(m)


@loaded()
def target_network(m):
    m.w.data.copy_(m.g)
    m.w.data.copy_(m.g.data)
    m.w.data = m.g.clone()
    m.w.data = m.g.detach().clone()
    with torch.no_grad():
        m.w.copy_(m.g)
    m.load_state_dict({"w": m.g}, strict=False)
    m.load_state_dict({"w": m.state_dict()["g"]}, strict=False)
    m.w.data = copy.deepcopy(m.g.data)
    return _loss(m)


@loaded()
def kept_and_put_back(m):
    kept = {name: value.detach().clone() for name, value in m.state_dict().items()}
    (x() @ m.g @ m.w).sum().backward()
    m.load_state_dict(kept)
    m.load_state_dict({"g": kept["g"], "w": kept["g"]})
    return _loss(m)


@loaded()
def initialised(m):
    for fill in (nn.init.xavier_uniform_, nn.init.orthogonal_, nn.init.zeros_, nn.init.kaiming_normal_):
        fill(m.g)
        fill(m.w)
    m.w.data.normal_(0, 0.5)
    m.w.data = torch.randn(4, 4, dtype=torch.float64)
    return _loss(m)


@loaded()
def spread_from_the_vector_of_the_parameters(m):
    vector = nn.utils.parameters_to_vector([m.g, m.w])
    nn.utils.vector_to_parameters(0.9 * vector, [m.g, m.w])
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector([m.g]), [m.w])
    return _loss(m)


@loaded()
def normalised(m):
    m.w.data = F.normalize(m.w, dim=-1)
    m.w.data.div_(m.w.norm())
    m.w.data.copy_(m.w / m.w.norm(dim=-1, keepdim=True).clamp(min=1e-8))
    return _loss(m)


@loaded()
def given_and_then_loaded_over(m):
    before = m.w.detach().clone()
    m.w.data.copy_(_made(m))
    m.w.data.copy_(before)
    m.w.data = _made(m)
    m.w.data = before
    return _loss(m)


class _Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4, dtype=torch.float64))
        self.old = torch.nn.utils.spectral_norm(nn.Linear(4, 4, dtype=torch.float64))
        self.spare = nn.Linear(4, 4, dtype=torch.float64)


_NORMED = {name: "unused" if name.startswith("spare") else "gradient" for name, _ in _Normed().named_parameters()}


@loaded(build=_Normed, **_NORMED)
def spectral_norm(m):
    m.old.weight_orig.data.copy_(m.spare.weight)
    return sum(m.old(m.net(x())).square().sum() for _ in range(2))
