"""The program's own code inside of a call: what it reads beside the arguments is of unknown use, not unused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.model import Diagnosis

secret: Any = None


class Scaled(Tensor):
    """A tensor whose products are scaled by what it keeps."""

    scale: Any = None

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        result = super().__torch_function__(function, types, args, kwargs or {})
        if function is Tensor.mul and args[0].scale is not None:
            return result.as_subclass(Tensor) * args[0].scale()
        return result


@torch.library.custom_op("graphvis_tests::scaled", mutates_args=())
def scaled(values: Tensor) -> Tensor:
    return values * (2 if secret is None else secret.detach())


library = torch.library.Library("graphvis_tests_of_kernels", "DEF")
library.define("scaled(Tensor values) -> Tensor")
library.impl("scaled", lambda values: values * (2 if secret is None else secret.detach()), "CompositeExplicitAutograd")


def by_what_a_tensor_keeps(w: Tensor | None) -> Tensor:
    made = torch.ones(3).as_subclass(Scaled)
    if w is not None:
        made.scale = w.detach
    return (made * 2).as_subclass(Tensor)


def by_a_number(w: Tensor | None) -> Tensor:
    made = torch.ones(3).as_subclass(Scaled)
    if w is not None:
        made.scale = lambda: w.detach().sum().item()
    return (made * 2).as_subclass(Tensor)


def by_an_operator(w: Tensor | None) -> Tensor:
    return scaled(torch.ones(3))


def by_a_kernel(w: Tensor | None) -> Tensor:
    return torch.ops.graphvis_tests_of_kernels.scaled(torch.ones(3))


def by_a_function_for_each_number(w: Tensor | None) -> Tensor:
    return torch.ones(3).apply_(lambda number: number * (2 if w is None else w.detach()[1].item()))


def by_a_function_for_two(w: Tensor | None) -> Tensor:
    return torch.ones(3).map_(torch.ones(3), lambda one, other: one * (2 if w is None else w.detach()[1].item()))


MAKE = [
    by_what_a_tensor_keeps,
    by_a_number,
    by_an_operator,
    by_a_kernel,
    by_a_function_for_each_number,
    by_a_function_for_two,
]


def asked(make: Callable[[Tensor | None], Tensor], read: bool, monkeypatch: pytest.MonkeyPatch) -> Diagnosis:
    """What is said where `make` reads `w`, or does not: `v` has its gradient."""
    w, v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True), torch.ones(3, requires_grad=True)
    monkeypatch.setitem(globals(), "secret", w if read else None)
    with record() as trace:
        loss = (make(w if read else None) * v).sum()
    found = diagnose(loss, trace, {"w": w, "v": v})
    assert torch.equal(loss, (make(w if read else None) * v).sum())
    loss.backward()
    assert (w.grad is None, found.verdicts["v"].status) == (True, "gradient")
    return found


@pytest.mark.parametrize("make", MAKE, ids=lambda make: make.__name__)
def test_what_is_read_is_not_surely_unused(
    make: Callable[[Tensor | None], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asked(make, True, monkeypatch)
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("unreached", False)


@pytest.mark.parametrize("make", MAKE, ids=lambda make: make.__name__)
def test_what_is_not_read_is_unused(make: Callable[[Tensor | None], Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(make, False, monkeypatch)
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("unused", True)
    assert not found.notes


def test_a_gradient_comes_out_of_the_inside() -> None:
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    made = torch.ones(3).as_subclass(Scaled)
    made.scale = lambda: w
    with record() as trace:
        loss = ((made * 2) * v).sum()
    assert diagnose(loss, trace, {"w": w, "v": v}).verdicts["w"].status == "gradient"


class Asked(Tensor):
    """A subclass of old, whose objects are asked."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        plain = [one.as_subclass(Tensor) if type(one) is Asked else one for one in args]
        return function(*plain, **(kwargs or {}))


@pytest.mark.filterwarnings("ignore:Defining your")
@pytest.mark.parametrize("turned", [True, False])
def test_a_class_whose_objects_are_asked_beside_one_that_is(turned: bool) -> None:
    def made(v: Tensor) -> Tensor:
        both = [torch.ones(3).as_subclass(Asked), (v * 2).as_subclass(Scaled)]
        return torch.mul(*(both if turned else both[::-1])).as_subclass(Tensor).sum()

    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with record() as trace:
        loss = made(v)
    found = diagnose(loss, trace, {"w": w, "v": v})
    assert torch.equal(loss, made(v))
    assert [found.verdicts[name].status for name in "wv"] == ["unused", "gradient"]
