"""NumPy arrays that lie in the memory of tensors since before the recording: what is computed from them is not seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.causes.asking import said

Array = Any  # NumPy's own says less of what can be done with one
kept: Array = None


class Holder:
    """What a variable may hold, and what holds an array."""

    def __init__(self, array: Array) -> None:
        self.array = array


def parameters() -> tuple[nn.Parameter, nn.Parameter]:
    return nn.Parameter(torch.tensor([1.0, 2.0, 3.0])), nn.Parameter(torch.ones(3))


def number(array: Array) -> float:
    return float(array.sum())


def global_number() -> float:
    return float(kept[0])


STEPS: list[Callable[[Array, Tensor], Tensor]] = [
    lambda array, v: (torch.from_numpy(array) * v).sum(),
    lambda array, v: (torch.from_numpy(array * 1) * v).sum(),
    lambda array, v: (torch.tensor(array) * v).sum(),
    lambda array, v: (torch.tensor(array.sum()) * v).sum(),
    lambda array, v: (torch.as_tensor(array.tolist()) * v).sum(),
    lambda array, v: (torch.frombuffer(bytearray(array.tobytes()), dtype=torch.float32) * v).sum(),
    lambda array, v: (float(array[0]) * v).sum(),
    lambda array, v: (v * array[0]).sum(),
    lambda array, v: (v * float(np.linalg.norm(array))).sum(),
    lambda array, v: (torch.full((3,), number(array)) * v).sum(),
    lambda array, v: (v * 2).pow(float(memoryview(array)[1])).sum(),
]


@pytest.mark.parametrize("step", STEPS)
def test_what_comes_from_an_array_is_not_known(step: Callable[[Array, Tensor], Tensor]) -> None:
    w, v = parameters()
    array = w.detach().numpy()
    with record() as trace:
        loss = step(array, v)
    found = diagnose(loss, trace, {"w": w, "v": v})
    assert said(found) == ("unreached", False)
    assert found.verdicts["v"].status == "gradient"
    assert any("NumPy array that was there before the recording" in note for note in found.notes)
    loss.backward()
    assert w.grad is None
    with torch.no_grad():
        w += 1
        assert not torch.equal(step(array, v), loss)


def test_an_array_that_stays_where_it_is_costs_no_certainty() -> None:
    w, v = parameters()
    array = w.detach().numpy()
    data = np.ones(3, np.float32)
    with record() as trace:
        loss = (torch.from_numpy(data * 2) * torch.tensor([0.5, 1.0, 2.0]) * v * float(data[0])).sum()
        print(array.sum())
    found = diagnose(loss, trace, {"w": w, "v": v})
    assert said(found) == ("unused", True)
    assert not found.notes


def in_a_closure(w: Tensor) -> Callable[[], float]:
    array = w.detach().numpy()
    return lambda: float(array[0])


def in_an_object(w: Tensor) -> Callable[[], float]:
    holder = Holder(w.detach().numpy())
    return lambda: float(holder.array[0])


def deep_in_objects(w: Tensor) -> Callable[[], float]:
    holder = Holder({"arrays": [Holder((w.detach().numpy()[1:],))]})
    return lambda: float(holder.array["arrays"][0].array[0][0])


def in_a_view_of_bytes(w: Tensor) -> Callable[[], float]:
    view = memoryview(w.detach().numpy())
    return lambda: float(view[0])


def in_a_generator(w: Tensor) -> Callable[[], float]:
    def numbers():
        array = w.detach().numpy()
        yield 0.0
        yield from array

    going = numbers()
    next(going)
    return lambda: next(going)


@pytest.mark.parametrize("hold", [in_a_closure, in_an_object, deep_in_objects, in_a_view_of_bytes, in_a_generator])
def test_wherever_an_array_is_held(hold: Callable[[Tensor], Callable[[], float]]) -> None:
    w, v = parameters()
    ask = hold(w)
    with record() as trace:
        loss = (v * ask()).sum()
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("unreached", False)


def test_an_array_that_dies_before_anybody_asks() -> None:
    def recorded():
        w, v = parameters()
        array = w.detach().numpy()
        with record() as trace:
            loss = (v * float(array[0])).sum()
        return w, v, trace, loss

    w, v, trace, loss = recorded()
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("unreached", False)


def test_a_global_array_that_a_function_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    w, v = parameters()
    monkeypatch.setitem(globals(), "kept", w.detach().numpy())
    with record() as trace:
        loss = (v * global_number()).sum()
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("unreached", False)


def test_an_array_that_is_gone_is_nobody_s_secret() -> None:
    w, v = parameters()
    w.detach().numpy()
    with record() as trace:
        loss = (v * 0.5).sum()
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("unused", True)


@pytest.mark.parametrize("held", [True, False])
def test_the_array_that_a_parameter_was_made_of(held: bool) -> None:
    array: Array = np.ones(3, np.float32)
    holder = Holder([array])
    w, v = nn.Parameter(torch.from_numpy(array)), torch.ones(3, requires_grad=True)
    del array
    if not held:
        holder.array.clear()
    with record() as trace:
        loss = (v * (float(holder.array[0][0]) if held else 0.5)).sum()
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == (("unreached", False) if held else ("unused", True))


def test_an_array_in_memory_that_is_written_shows_what_is_written() -> None:
    w, v = parameters()
    buffer = torch.zeros(3)
    array: Array = buffer.numpy()
    with record() as trace:
        buffer.copy_(w.detach())
        loss = (v * float(array[0])).sum()
    found = diagnose(loss, trace, {"w": w, "v": v})
    assert found.verdicts["w"].status == "cut"
    assert [(cut.kind, cut.location.text) for cut in found.cuts] == [("detach", "buffer.copy_(w.detach())")]


def test_an_array_in_memory_that_is_written_costs_no_certainty_where_nobody_reads_it() -> None:
    w, v = parameters()
    buffer = torch.zeros(3)
    array: Array = buffer.numpy()
    with record() as trace:
        buffer.copy_(w.detach())
        loss = (v * 0.5).sum()
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("unused", True)
    assert array[0] == 1


def test_an_array_costs_neither_a_gradient_nor_a_cut() -> None:
    w, v = parameters()
    array = w.detach().numpy()
    with record() as trace:
        loss = (v * w.detach()).sum() + array.size
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("cut", True)
    with record() as trace:
        loss = (v * w).sum()
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("gradient", True)


def test_a_recording_that_finds_an_array_keeps_nothing_alive() -> None:
    w, v = parameters()
    array = w.detach().numpy()
    references = torch._C._storage_Use_Count(w.untyped_storage()._cdata)
    with record():
        (v * 2).sum()
    assert array.base is not None
    del array
    assert torch._C._storage_Use_Count(w.untyped_storage()._cdata) == references - 1
