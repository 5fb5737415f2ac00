"""Tensors and functions that have no memory, no shape or no code of their own: a recording is not to break on them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record


def batch() -> Tensor:
    return torch.linspace(-1, 1, 8).reshape(2, 4)


def sparse(w: Tensor, v: Tensor) -> Tensor:
    made = torch.sparse_coo_tensor(torch.tensor([[0, 1], [1, 2]]), (batch() @ w)[0, :2], (4, 4))
    return torch.sparse.mm(made.coalesce(), v).sum()


def nested(w: Tensor, v: Tensor) -> Tensor:
    made = torch.nested.as_nested_tensor([batch() @ w, (batch() @ w)[:1]])
    return (made.to_padded_tensor(0.0) @ v).sum()


def jagged(w: Tensor, v: Tensor) -> Tensor:
    made = torch.nested.as_nested_tensor([batch() @ w, (batch() @ w)[:1]], layout=torch.jagged)
    return (made @ v).values().sum()


def compiled(w: Tensor, v: Tensor) -> Tensor:
    return (torch.compile(lambda h: (h @ w).sin(), backend="eager")(batch()) @ v).sum()


def chosen(w: Tensor, v: Tensor) -> Tensor:
    h = batch() @ w
    return torch.cond(h.sum() > 0, lambda h: (h @ v).sin(), lambda h: (h @ v).cos(), (h,)).sum()


def chosen_of_what_is_detached(w: Tensor, v: Tensor) -> Tensor:
    h = (batch() @ w).detach()
    return torch.cond(h.sum() > 0, lambda h: (h @ v).sin(), lambda h: (h @ v).cos(), (h,)).sum()


def nested_copy(w: Tensor, v: Tensor) -> Tensor:
    made = torch.nested.nested_tensor([batch() @ w, (batch() @ w)[:1]])
    return (made.to_padded_tensor(0.0) @ v).sum()


def sampled(w: Tensor, v: Tensor) -> Tensor:
    return (torch.distributions.Normal(batch() @ w, 1.0).sample() @ v).sum()


def compiled_with_a_cut(w: Tensor, v: Tensor) -> Tensor:
    return (torch.compile(lambda h: (h @ w).detach(), backend="eager")(batch()) @ v).sum()


def gradients_by_transforms(w: Tensor, v: Tensor) -> Tensor:
    def loss(weight: Tensor, row: Tensor) -> Tensor:
        return (row @ weight).square().sum()

    return torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(w.detach(), batch()).sum() + v.sum()


def cut_within_vmap(w: Tensor, v: Tensor) -> Tensor:
    return (torch.vmap(lambda row: (row @ w).detach() * 2)(batch()) @ v).sum()


def cut_within_vmap_within_vmap(w: Tensor, v: Tensor) -> Tensor:
    return (torch.vmap(torch.vmap(lambda number: number.detach() * 2))(batch() @ w) @ v).sum()


def index_within_vmap(w: Tensor, v: Tensor) -> Tensor:
    return (torch.vmap(lambda row: row * row.argmax())(batch() @ w.detach()) @ v).sum() + torch.vmap(torch.argmax)(
        batch() @ w
    ).sum()


def no_grad_within_vmap(w: Tensor, v: Tensor) -> Tensor:
    def halve(row: Tensor) -> Tensor:
        with torch.no_grad():
            return row / 2

    return (torch.vmap(halve)(batch() @ w) @ v).sum()


def kept_within_vmap(w: Tensor, v: Tensor) -> Tensor:
    return (torch.vmap(lambda row: row * row.detach())(batch() @ w) @ v).sum()


def frozen_while_it_is_used(w: Tensor, v: Tensor) -> Tensor:
    w.requires_grad_(False)
    h = batch() @ w
    w.requires_grad_(True)
    return (h @ v).sum()


def diagnosed(step: Callable[[Tensor, Tensor], Tensor]) -> tuple[Any, dict[str, Tensor | None]]:
    """The diagnosis of one run, and the gradients."""
    torch.manual_seed(5)
    parameters = {name: nn.Parameter(torch.randn(4, 4)) for name in "wv"}
    with record() as trace:
        loss = step(*parameters.values())
    found = diagnose(loss, trace, parameters=parameters)
    loss.backward()
    return found, {name: parameter.grad for name, parameter in parameters.items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "step", [sparse, nested, jagged, compiled, kept_within_vmap, chosen], ids=lambda step: step.__name__
)
def test_all_get_their_gradient(step: Any) -> None:
    found, gradients = diagnosed(step)
    assert None not in gradients.values()
    assert {verdict.status for verdict in found.verdicts.values()} == {"gradient"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("step", "kinds"),
    [
        (nested_copy, {"copy"}),
        (sampled, {"no_grad"}),
        (compiled_with_a_cut, {"detach"}),
        (chosen_of_what_is_detached, {"detach"}),
        (cut_within_vmap, {"detach"}),
        (cut_within_vmap_within_vmap, {"detach"}),
        (no_grad_within_vmap, {"no_grad"}),
        (index_within_vmap, {"detach", "non_differentiable"}),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_the_cut_is_told(step: Any, kinds: set[str]) -> None:
    found, gradients = diagnosed(step)
    assert gradients["w"] is None
    assert found.verdicts["w"].status == "cut"
    assert {cut.kind for cut in found.verdicts["w"].cuts} == kinds


def test_a_value_goes_through_transforms() -> None:
    found, gradients = diagnosed(gradients_by_transforms)
    assert gradients["w"] is None
    assert found.verdicts["w"].status == "cut"
    assert "detach" in {cut.kind for cut in found.verdicts["w"].cuts}


def test_what_was_frozen_while_it_was_used_is_frozen() -> None:
    found, gradients = diagnosed(frozen_while_it_is_used)
    verdict = found.verdicts["w"]
    assert gradients["w"] is None
    assert (verdict.status, verdict.certain) == ("frozen", True)
    assert verdict.at is not None
    assert verdict.at.text == "w.requires_grad_(False)"


def test_the_compiler_is_as_it_was_afterwards() -> None:
    graphs = []

    def backend(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    with record():
        torch.compile(torch.sin, backend=backend)(batch())
    assert not graphs
    torch.compile(torch.cos, backend=backend)(batch())
    assert len(graphs) == 1


@pytest.mark.filterwarnings("ignore")
def test_what_pytorch_compiles_by_itself_gives_the_gradients_that_it_gives_alone() -> None:
    torch.manual_seed(5)
    parameters = [nn.Parameter(torch.randn(4, 4)) for _ in range(2)]
    alone = torch.autograd.grad(chosen(*parameters), parameters)
    with record():
        stack = torch.overrides._get_current_function_mode_stack()
        loss = chosen(*parameters)
        assert torch.overrides._get_current_function_mode_stack() == stack
    for found, expected in zip(torch.autograd.grad(loss, parameters), alone, strict=True):
        assert torch.equal(found, expected)


@pytest.mark.filterwarnings("ignore")
def test_of_what_pytorch_compiles_by_itself_nothing_is_surely_unused() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        with torch.no_grad():
            h = torch.cond(w.sum() > 0, lambda h: (h @ w).sin(), lambda h: (h @ w).cos(), (batch(),))
        return (h @ v).sum()

    verdict = diagnosed(step)[0].verdicts["w"]
    assert (verdict.status, verdict.certain) == ("unreached", False)


def test_a_module_is_no_tensor() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        return v.sum() * math.exp((batch() @ w).mean())

    (cut,) = diagnosed(step)[0].cuts
    assert (cut.kind, cut.tensor) == ("item", "float32 []")


def test_bytes_that_are_copied_leave_nothing_certain() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        made = torch.zeros(2, 4)
        made.untyped_storage().copy_((batch() @ w).detach().untyped_storage())
        return (made @ v).sum()

    verdict = diagnosed(step)[0].verdicts["w"]
    assert (verdict.status, verdict.certain) == ("unreached", False)


def test_a_tensor_that_is_given_another_class_is_followed() -> None:
    """PyTorch reports no such call, and the new tensor may take the place of one that has died."""

    class Own(torch.Tensor):
        pass

    weight, other = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with record() as trace:
        loss = ((weight * 1).as_subclass(Own).exp().detach().as_subclass(torch.Tensor) * other).sum()
    assert [call.function for call in trace.freeze().calls] == [
        "Tensor.mul", "Tensor.as_subclass", "Tensor.exp", "Tensor.detach", "Tensor.as_subclass", "Tensor.mul",
        "Tensor.sum",
    ]  # fmt: skip
    found = diagnose(loss, trace, parameters={"weight": weight, "other": other})
    assert [verdict.status for verdict in found.verdicts.values()] == ["cut", "gradient"]
    assert [cut.kind for cut in found.cuts] == ["detach"]


@pytest.mark.parametrize("several", [False, True])
def test_a_write_that_the_program_itself_counts_is_told_with_its_line(several: bool) -> None:
    weight, other = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with record() as trace:
        result = weight.exp()
        torch.autograd.graph.increment_version([result, other * 1] if several else result)
        loss = (result * other).sum()
    found = diagnose(loss, trace, parameters={"weight": weight, "other": other})
    assert [verdict.status for verdict in found.verdicts.values()] == ["gradient", "gradient"]
    (conflict,) = found.conflicts
    assert conflict.effect == "raises"
    assert conflict.modified_at is not None
    assert conflict.modified_at.text.startswith("torch.autograd.graph.increment_version(")
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def _of_several(w: Tensor) -> Tensor:
    results = torch._foreach_exp([w * 1, w * 2])
    results[0].mul_(2)
    return results[0].sum()


def _of_a_checkpoint(w: Tensor) -> Tensor:
    given = w * 1
    result: Any = checkpoint(lambda x: (x * 2).exp(), given, use_reentrant=False)
    given.add_(1)
    return cast(Tensor, result).sum()


def _by_a_checkpoint(w: Tensor) -> Tensor:
    result: Any = checkpoint(lambda x: (x.add_(1) * 2).exp(), w * 1, use_reentrant=False)
    return cast(Tensor, result).sum()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("function", [_of_several, _of_a_checkpoint, _by_a_checkpoint])
def test_what_hooks_of_the_program_pack_has_no_version_to_compare(
    function: Callable[[Tensor], Tensor], packed: bool
) -> None:
    weight = torch.ones(2, requires_grad=True)
    hooks = torch.autograd.graph.saved_tensors_hooks(lambda saved: saved * 1, lambda saved: saved)
    with record() as trace, hooks if packed else contextlib.nullcontext():
        loss = function(weight)
    found = diagnose(loss, trace, parameters={"weight": weight})
    assert {conflict.effect for conflict in found.conflicts} == (set() if packed else {"raises"})
    with contextlib.nullcontext() if packed else pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


class Unfinished(torch.Tensor):
    """Cannot say its layout while it is being made, as FakeTensor cannot from PyTorch 2.14 on."""

    @staticmethod
    def __new__(cls, values: torch.Tensor) -> Unfinished:
        made = torch.Tensor._make_subclass(cls, values)
        made.own = torch.strided
        return made

    @property
    def layout(self) -> torch.layout:
        return self.own


def test_a_tensor_that_is_still_being_made_is_not_asked_what_its_class_says() -> None:
    w = torch.ones(2, requires_grad=True)
    with record() as trace:
        loss = (w * Unfinished(torch.ones(2)).as_subclass(torch.Tensor)).sum()
    assert diagnose(loss, trace, parameters={"w": w}).verdicts["w"].status == "gradient"
