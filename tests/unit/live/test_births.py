"""Tensors that came into being during the recording, and that no call was seen to make, are of unknown origin."""

from __future__ import annotations

import _thread
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor, from_numpy
from torch.utils._python_dispatch import TorchDispatchMode

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.causes.asking import asked, said

Step = Callable[[Tensor, Tensor], Tensor]


def by_its_kernel(w: Tensor) -> Tensor:
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
    return torch.ops.aten.mul.Tensor.redispatch(keys, w.detach(), torch.ones(3))


def by_a_thread_of_the_lowest_kind(w: Tensor) -> Tensor:
    made: list[Tensor] = []
    done = _thread.allocate_lock()
    done.acquire()
    _thread.start_new_thread(lambda: (made.append(w.detach() * 2), done.release()), ())
    done.acquire()
    return made[0]


def by_a_hook_of_a_backward(w: Tensor) -> Tensor:
    made: list[Tensor] = []
    h = w * 2
    h.register_hook(lambda gradient: made.append(h.detach() * gradient))
    h.sum().backward()
    w.grad = None
    return made[0]


def by_a_mode_that_is_told_of_operators(w: Tensor) -> Tensor:
    made: list[Tensor] = []

    class Keeping(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made.append(w.detach() * 2)
            return function(*args, **(kwargs or {}))

    with Keeping():
        torch.ones(1)
    return made[0]


def by_an_integer(w: Tensor) -> Tensor:
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
    return torch.ops.aten.argmax.default.redispatch(keys, w.detach())


HIDDEN = [
    by_its_kernel,
    by_a_thread_of_the_lowest_kind,
    by_a_hook_of_a_backward,
    by_a_mode_that_is_told_of_operators,
    by_an_integer,
]


@pytest.mark.parametrize("make", HIDDEN, ids=lambda make: make.__name__)
@pytest.mark.parametrize("until", [lambda: None, lambda: gc.collect(0), gc.collect], ids=["at once", "young", "old"])
def test_what_it_was_made_of_is_not_known(make: Callable[[Tensor], Tensor], until: Callable[[], object]) -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        made = make(w)
        until()
        return (made * v).sum()

    found = asked(step)
    assert said(found) == ("unreached", False)
    assert any("`return (made * v).sum()`" in note and "could not be seen" in note for note in found.notes)


@pytest.mark.parametrize(
    "make", [by_its_kernel, by_a_thread_of_the_lowest_kind, by_a_hook_of_a_backward, by_an_integer]
)
def test_it_is_nobody_s_doubt_where_it_does_not_reach_the_loss(make: Callable[[Tensor], Tensor]) -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        (make(w) * 2).sum()
        return (v * 2).sum()

    found = asked(step)
    assert said(found) == ("unused", True)
    assert not found.notes


def test_data_from_before_is_data_however_old_it_is() -> None:
    old = torch.full((3,), 0.5)
    gc.collect()
    middle = torch.full((3,), 0.5)
    gc.collect(0)
    young = torch.full((3,), 0.5)

    def step(w: Tensor, v: Tensor) -> Tensor:
        loss = (old * v).sum()
        gc.collect()
        return loss + (middle * v).sum() + (young * v).sum() + (young[:2] * v[:2]).sum()

    assert said(asked(step)) == ("unused", True)


def test_data_that_is_made_between_two_parts_of_a_recording_is_data() -> None:
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    trace = record()
    for _ in range(20):
        batch = torch.full((3,), 0.5)  # it lies where something of the last round did
        with trace:
            loss = (batch * v).sum() * 2
        del batch
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("unused", True)


def test_numbers_of_numpy_are_data_by_whatever_name_they_come() -> None:
    assert said(asked(lambda w, v: (from_numpy(np.ones(3, np.float32)) * v).sum())) == ("unused", True)


def test_gradients_are_no_strangers() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        (v * v).sum().backward()
        slope = v.grad
        assert slope is not None
        v.grad = None
        return (slope * v).sum()

    assert said(asked(step)) == ("unused", True)


@contextmanager
def without_the_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_without_the_collector_nothing_is_known_and_data_is_data() -> None:
    data = torch.ones(3)
    with without_the_collector():
        assert said(asked(lambda w, v: (data * v).sum())) == ("unused", True)


def test_the_collector_has_no_more_listeners_afterwards() -> None:
    before = list(gc.callbacks)
    with record(), record():
        assert len(gc.callbacks) == len(before) + 2
    assert gc.callbacks == before
