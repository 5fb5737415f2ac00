"""Parameters that were given a value: by others, and by steps along a gradient.

The first is a cut: of a network that makes weights for another one (``g`` here), or that it averages, the values
reach the loss, and no gradient comes back. The second is no way: every step would link all of a run to all of it.
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
STEPS: dict[str, frozenset[str]] = {}


def assigned(*kinds: str, build: Build | None = None, by_gradient: tuple[str, ...] = (), **verdicts: str):
    """Register a program; without `verdicts`, the loss depends on `w`, which was made from `g`.

    Those of `by_gradient` move the loss by the gradient that a step was made along, and by nothing else.
    """

    def register(step: Step) -> Step:
        told = verdicts or {"g": "cut", "w": "gradient"}
        ASSIGNED.append(Case(step, build or weights("g", "w"), told, frozenset(kinds), marks=marks(step)))
        STEPS[step.__name__] = frozenset(by_gradient)
        return step

    return register


def loaded(build: Build | None = None, **verdicts: str):
    """Register a program; without `verdicts`, the loss depends on `w` only, and on `g` by gradients at most."""

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


@loaded()
def a_row_that_is_not_read_is_given_and_all_is_stepped(m):
    m.w.data.select(0, 1).copy_(_made(m)[1])
    row = m.w[0]
    with torch.no_grad():
        m.w.mul_(0.9)  # each row comes of the one that stood there
    return (x() @ m.w[0]).sum() + 0 * row.detach().sum()


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


# what is added to a value that stays


@assigned("data")
def added_to_data(m):
    m.w.data = m.w.data + _made(m)  # CUT
    return _loss(m)


@assigned("data")
def added_into_data(m):
    m.w.data.mul_(0.5).add_(_made(m))  # CUT
    return _loss(m)


@assigned("data")
def added_in_place(m):
    m.w.data += _made(m)  # CUT
    return _loss(m)


@assigned("no_grad")
def added_under_no_grad(m):
    made = _made(m)
    with torch.no_grad():
        m.w.add_(made, alpha=0.5)  # CUT
    return _loss(m)


@assigned("no_grad")
def scaled_under_no_grad(m):
    made = _made(m)
    with torch.no_grad():
        m.w *= made  # CUT
    return _loss(m)


@assigned("data")
def a_row_added(m):
    m.w.data[1] += _made(m)[0]  # CUT
    return (x() @ m.w[1]).square().sum()


@assigned("no_grad")
def made_under_no_grad(m):
    with torch.no_grad():
        m.w.copy_(torch.tanh(m.g))  # CUT
    return _loss(m)


@assigned("no_grad")
def made_and_added_under_no_grad(m):
    with torch.no_grad():
        made = torch.tanh(m.g)  # CUT
        m.w.add_(made)
        m.w.data = m.w + made
    return _loss(m)


@assigned("data")
def a_learned_rate(m):
    (slope,) = torch.autograd.grad(_loss(m), m.w)
    m.w.data.sub_(m.g * slope)  # CUT
    return _loss(m)


@assigned("data", build=weights("g", "w", "v"), by_gradient=("v",), g="cut", w="gradient", v="unused")
def a_learned_rate_of_a_meta_step(m):
    """The gradient is made of `v` too, and is no way."""
    (slope,) = torch.autograd.grad((x() @ m.w @ m.v).square().sum(), m.w, create_graph=True)
    m.w.data.sub_(m.g * slope)  # CUT
    return _loss(m)


@assigned("no_grad", build=weights("g", "w", "v"), by_gradient=("v",), g="cut", w="gradient", v="unused")
def a_learned_optimizer(m):
    (x() @ m.w @ m.v).square().sum().backward()
    with torch.no_grad():
        for parameter in (m.w, m.v):
            step = torch.tanh(parameter.grad @ m.g)  # CUT
            parameter.sub_(0.1 * step)
    return _loss(m)


@assigned("no_grad", build=weights("g", "w", "v"), by_gradient=("v",), g="cut", w="gradient", v="unused")
def a_gradient_that_something_was_added_to(m):
    (x() @ m.w @ m.v).square().sum().backward()
    with torch.no_grad():
        m.w.grad.add_(m.g)  # CUT
    torch.optim.SGD([m.w, m.v], lr=0.1).step()
    return _loss(m)


@assigned("data")
def added_and_then_trained(m):
    m.w.data += _made(m)  # CUT
    for make in (torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop):
        for options in ({"foreach": False}, {"foreach": True}):
            optimizer = make([m.w], lr=0.01, weight_decay=0.1, **options)
            optimizer.zero_grad()
            _loss(m).backward()
            optimizer.step()
    return _loss(m)


@assigned("data", "no_grad", build=weights("g", "w", "v"), g="cut", w="gradient", v="cut")
def two_networks_add(m):
    m.w.data += _made(m)  # CUT
    with torch.no_grad():
        m.w.add_(m.v)  # CUT
    m.w.data.mul_(0.5)
    return _loss(m)


@assigned("data")
def a_norm_that_scales(m):
    m.w.data.mul_(m.g.norm())  # CUT
    return _loss(m)


@assigned("item")
def a_number_that_fills(m):
    nn.init.constant_(m.w, float(m.g.sum()))  # CUT
    return _loss(m)


@assigned("item")
def a_computed_number_that_fills(m):
    size = m.g.norm().item()  # CUT INFERRED
    nn.init.constant_(m.w, size / 4 + 1)
    return _loss(m)


@assigned("item")
def a_number_that_scales(m):
    size = m.g.norm().item()  # CUT
    with torch.no_grad():
        m.w.mul_(size)
    return _loss(m)


# what another network holds


@assigned("no_grad")
def average_under_no_grad(m):
    with torch.no_grad():
        m.w.mul_(0.9).add_(m.g, alpha=0.1)  # CUT
    return _loss(m)


@assigned("data")
def average_by_lerp(m):
    m.w.data.lerp_(m.g.data, 0.1)  # CUT
    return _loss(m)


@assigned("data")
def average_that_is_copied(m):
    m.w.data.copy_(0.1 * m.g + 0.9 * m.w)  # CUT
    m.w.data.copy_(0.1 * m.g.data + 0.9 * m.w.data)  # CUT
    return _loss(m)


@assigned("data")
def average_in_other_memory(m):
    m.w.data = 0.1 * m.g + (1 - 0.1) * m.w  # CUT
    return _loss(m)


@assigned("no_grad")
def average_of_many_steps(m):
    for _ in range(30):
        with torch.no_grad():
            m.w.lerp_(m.g, 0.1)  # CUT
    return _loss(m)


@assigned("no_grad")
def average_by_foreach(m):
    with torch.no_grad():
        torch._foreach_mul_([m.w], 0.9)
        torch._foreach_add_([m.w], [m.g], alpha=0.1)  # CUT
    return _loss(m)


@assigned("no_grad", build=weights("g", "w", "v", "u"), g="cut", w="gradient", v="unused", u="unused")
def averages_of_many_parameters_stay_apart(m):
    with torch.no_grad():
        torch._foreach_lerp_([m.w, m.u], [m.g, m.v], 0.1)  # CUT
        torch._foreach_mul_([m.w, m.u], torch.tensor(0.5, dtype=torch.float64))
    return _loss(m)


@assigned("data")
def target_network(m):
    m.w.data.copy_(m.g.data)
    m.w.data = m.g.clone()
    m.w.data.copy_(m.g)  # CUT
    return _loss(m)


@assigned("detach")
def target_network_that_is_loaded(m):
    m.load_state_dict({"w": m.state_dict()["g"]}, strict=False)  # CUT
    return _loss(m)


@assigned("no_grad")
def target_network_that_is_copied_under_no_grad(m):
    with torch.no_grad():
        m.w.copy_(m.g)  # CUT
    return _loss(m)


@assigned("data")
def target_network_by_deepcopy_of_data(m):
    m.w.data = copy.deepcopy(m.g.data)  # CUT
    return _loss(m)


@assigned("copy")
def target_network_by_deepcopy(m):
    m.w = copy.deepcopy(m.g)  # CUT
    return _loss(m)


@assigned("detach", build=weights("g", "w", "v"), g="cut", w="gradient", v="unused")
def loaded_from_what_was_kept(m):
    kept = {name: value.clone() for name, value in m.state_dict().items()}  # CUT
    m.load_state_dict({"w": kept["v"]}, strict=False)
    m.load_state_dict({"w": kept["g"]}, strict=False)
    return _loss(m)


@assigned("data")
def spread_from_the_vector_of_another(m):
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector([m.g]), [m.w])  # CUT
    return _loss(m)


# what is no way: optimizers, gradients, what was put back, what was overwritten


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
def kept_and_put_back(m):
    kept = {name: value.detach().clone() for name, value in m.state_dict().items()}
    (x() @ m.g @ m.w).sum().backward()
    m.load_state_dict(kept)
    m.w.data = kept["w"].clone()
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
    m.w.data += _made(m)
    m.w.data.zero_()
    m.w.data = _made(m)
    m.w.data = before
    return _loss(m)


@loaded()
def a_row_given_and_another_used(m):
    m.w.data[1] = _made(m)[0]
    optimizer = torch.optim.SGD([m.w], lr=0.1)
    (x() @ m.w[0]).square().sum().backward()
    optimizer.step()
    return (x() @ m.w[0]).square().sum()


@loaded(build=weights("g", "w", "v"), g="unused", w="gradient", v="unused")
def many_parameters_in_one_call(m):
    for make in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad):
        for options in ({"foreach": True}, {"fused": True}):
            optimizer = make([m.g, m.v, m.w], lr=0.01, weight_decay=0.1, **options)
            for _ in range(2):
                optimizer.zero_grad()
                (x() @ m.g @ m.v @ m.w).square().sum().backward()
                nn.utils.clip_grad_norm_([m.g, m.v, m.w], 1.0)
                optimizer.step()
    return _loss(m)


@loaded()
def a_view_that_was_taken_before_a_step(m):
    row = m.w[0]
    optimizer = torch.optim.Adam([m.g, m.w], lr=0.01, weight_decay=0.1)
    (x() @ m.g @ m.w).square().sum().backward()
    optimizer.step()
    return (x() @ row).sum()


@loaded(build=weights("g", "w", "v"), g="unused", w="gradient", v="unused")
def line_search(m):
    optimizer = torch.optim.LBFGS([m.g, m.v, m.w], line_search_fn="strong_wolfe", max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = (x() @ m.g @ m.v @ m.w).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return _loss(m)


class _Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4, dtype=torch.float64))
        self.old = torch.nn.utils.spectral_norm(nn.Linear(4, 4, dtype=torch.float64))
        self.spare = nn.Linear(4, 4, dtype=torch.float64)


_NORMED = {
    name: "unused" if name == "spare.bias" else "gradient"
    for name, _ in _Normed().named_parameters()
    if name != "spare.weight"
}


@loaded(build=_Normed, **_NORMED)
def spectral_norm(m):
    del m.spare.weight
    return sum(m.old(m.net(x())).square().sum() for _ in range(2))
