"""NumPy writing into memory that it shares with a tensor, which PyTorch never hears of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import exposures, record
from graphvis.model import Conflict, Diagnosis, Trace

W = torch.linspace(-1, 1, 16).reshape(4, 4)


def conflicts(step: Callable[[Tensor], Tensor], *, probe: bool = False) -> tuple[Conflict, ...]:
    """What is told of a step on a weight; whether its gradient is wrong is PyTorch's to say."""
    return asked(step, probe=probe).conflicts


def asked(step: Callable[[Tensor], Tensor], *, probe: bool = False) -> Diagnosis:
    w = W.clone().requires_grad_()
    with record(values=probe) as trace:
        loss = step(w)
    return diagnose(loss, trace, {"w": w}, probe=probe)


def observation() -> np.ndarray:
    return np.arange(8, dtype=np.float32).reshape(2, 4)


def result_written(w: Tensor) -> Tensor:
    h = w.exp()  # saved
    loss = h.sum()
    array = h.detach().numpy()  # shared
    array *= 2
    return loss


def view_written(w: Tensor) -> Tensor:
    h = w.exp()  # saved
    loss = h.sum()
    array = h.detach().numpy()  # shared
    part = array[1:]
    del array
    part[0, 0] = 7
    return loss


def observation_reused(w: Tensor) -> Tensor:
    obs = observation()
    x = torch.from_numpy(obs)  # shared
    loss = (x @ w).square().sum()  # saved
    obs[:] = 5
    return loss


def as_tensor_reused(w: Tensor) -> Tensor:
    obs = observation()
    x = torch.as_tensor(obs)  # shared
    loss = (x @ w).square().sum()  # saved
    obs[:] = 5
    return loss


def row_of_a_buffer(w: Tensor) -> Tensor:
    buffer = np.zeros((4, 2, 4), dtype=np.float32)
    buffer[1] = observation()
    x = torch.from_numpy(buffer)[1]  # shared
    loss = (x @ w).square().sum()  # saved
    buffer[1] += 1
    return loss


def array_protocol(w: Tensor) -> Tensor:
    h = w.exp()  # saved
    loss = h.sum()
    array = np.asarray(h.detach())  # shared
    np.multiply(array, 2, out=array)
    return loss


def buffer_reused(w: Tensor) -> Tensor:
    memory = bytearray(observation().tobytes())
    x = torch.frombuffer(memory, dtype=torch.float32).reshape(2, 4)  # shared
    loss = (x @ w).square().sum()  # saved
    memory[3] = 64
    return loss


WRITTEN = [
    result_written,
    view_written,
    observation_reused,
    as_tensor_reused,
    row_of_a_buffer,
    array_protocol,
    buffer_reused,
]


def line_of(step: Callable[[Tensor], Tensor], mark: str) -> int:
    import inspect

    lines, start = inspect.getsourcelines(step)
    return start + next(i for i, line in enumerate(lines) if line.rstrip().endswith(f"# {mark}"))


@pytest.mark.parametrize("step", WRITTEN, ids=lambda step: step.__name__)
def test_a_write_by_numpy_is_told_with_both_lines(step: Callable[[Tensor], Tensor]) -> None:
    (conflict,) = conflicts(step)
    assert (conflict.effect, conflict.certain) == ("wrong gradient", False)
    assert conflict.saved_at is not None
    assert conflict.saved_at.line == line_of(step, "saved")
    assert conflict.modified_at is not None
    assert conflict.modified_at.line == line_of(step, "shared")


@pytest.mark.parametrize("step", WRITTEN, ids=lambda step: step.__name__)
def test_kept_values_make_it_certain(step: Callable[[Tensor], Tensor]) -> None:
    (conflict,) = conflicts(step, probe=True)
    assert conflict.certain


def test_a_probe_lets_off_what_makes_no_difference() -> None:
    def step(w: Tensor) -> Tensor:
        obs = observation()
        h = torch.from_numpy(obs) * w[:2]
        obs[:] = 5
        return (h * 0).sum()

    assert len(conflicts(step)) == 1
    assert conflicts(step, probe=True) == ()


def written_before(w: Tensor) -> Tensor:
    obs = observation()
    x = torch.from_numpy(obs)
    obs[:] = 5
    return (x @ w).square().sum()


def written_and_put_back(w: Tensor) -> Tensor:
    obs = observation()
    x = torch.from_numpy(obs)
    loss = (x @ w).square().sum()
    obs += 1
    obs -= 1
    return loss


def only_read(w: Tensor) -> Tensor:
    h = w.exp()
    loss = h.sum()
    float(h.detach().numpy().mean())
    return loss


def another_row(w: Tensor) -> Tensor:
    buffer = np.ones((4, 2, 4), dtype=np.float32)
    x = torch.from_numpy(buffer)
    loss = (x[0] @ w).square().sum()
    buffer[1:] = 5
    return loss


def another_column(w: Tensor) -> Tensor:
    buffer = np.ones((4, 6), dtype=np.float32)
    x = torch.from_numpy(buffer)
    loss = (x[:, ::2] * w[:, :3]).sum()
    buffer[:, 1::2] = 5
    return loss


def a_copy(w: Tensor) -> Tensor:
    obs = observation()
    x = torch.tensor(obs)
    loss = (x @ w).square().sum()
    obs[:] = 5
    return loss


def another_dtype(w: Tensor) -> Tensor:
    obs = observation().astype(np.float64)
    x = torch.as_tensor(obs, dtype=torch.float32)
    loss = (x @ w).square().sum()
    obs[:] = 5
    return loss


def not_saved(w: Tensor) -> Tensor:
    obs = observation()
    loss = (torch.from_numpy(obs) + w[:2]).sum()
    obs[:] = 5
    return loss


def no_gradient(w: Tensor) -> Tensor:
    obs = observation()
    with torch.no_grad():
        (torch.from_numpy(obs) @ w).sum()
    obs[:] = 5
    return w.sum()


def a_fresh_array_each_time(w: Tensor) -> Tensor:
    loss = w.sum()
    for _ in range(3):
        obs = observation()
        loss = loss + (torch.from_numpy(obs) @ w).square().sum()
        obs = obs + 1
    return loss


HARMLESS = [
    written_before, written_and_put_back, only_read, another_row, another_column, a_copy, another_dtype, not_saved,
    no_gradient, a_fresh_array_each_time,
]  # fmt: skip


@pytest.mark.parametrize("step", HARMLESS, ids=lambda step: step.__name__)
def test_no_false_alarm(step: Callable[[Tensor], Tensor]) -> None:
    assert conflicts(step) == ()


def test_a_loop_that_fills_one_observation_again_and_again() -> None:
    def step(w: Tensor) -> Tensor:
        obs = observation()
        loss = w.sum()
        for t in range(3):
            obs[:] = t
            loss = loss + (torch.as_tensor(obs) @ w).square().sum()
        return loss

    # The last is as it was saved.
    assert len(conflicts(step)) == 2
    assert all(conflict.certain for conflict in conflicts(step, probe=True))


def test_a_write_by_torch_is_told_by_its_own_line() -> None:
    def step(w: Tensor) -> Tensor:
        h = w.exp()
        loss = h.sum()
        array = h.detach().numpy()
        h.data.mul_(2)  # wrote
        assert array.size
        return loss

    (conflict,) = conflicts(step)
    assert conflict.function == "Tensor.mul_"
    assert conflict.modified_at is not None
    assert conflict.modified_at.text.endswith("# wrote")


def test_of_large_memory_pieces_are_looked_at() -> None:
    w = torch.ones(1, requires_grad=True)
    obs = np.zeros(exposures.MOST_BYTES, dtype=np.float32)
    with record() as trace:
        loss = (torch.from_numpy(obs) * w).sum()
        obs[:] = 1
    assert len(diagnose(loss, trace, {"w": w}).conflicts) == 1


def test_sharing_ends_with_the_array() -> None:
    """Then calls are written down the short way again."""
    w = W.clone().requires_grad_()
    with record() as trace:
        h = w.exp()
        array = h.detach().numpy()
        assert trace.tape.exposures.shared
        assert not any(trace.tape.plain)
        h.sin()
        assert array.size
        del array
        assert not trace.tape.exposures.shared
        assert trace.tape.plain == [function.plain for function in trace.tape.functions]
        assert any(trace.tape.plain)


def test_nothing_is_looked_at_before_memory_is_shared() -> None:
    w = W.clone().requires_grad_()
    with record() as trace:
        (w.exp() @ w).sum()
    assert trace.tape.exposures._sums == {}
    assert any(trace.tape.plain)


def test_changes_go_to_json_and_back() -> None:
    w = W.clone().requires_grad_()
    with record() as recording:
        loss = observation_reused(w)
    trace = recording.freeze()
    assert trace.changes
    assert Trace.from_json(trace.to_json()) == trace
    assert loss.requires_grad


def _written_by_numpy(array: Any, weight: nn.Parameter) -> None:
    array[:] = weight.detach().numpy()


def _written_by_a_function_of_numpy(array: Any, weight: nn.Parameter) -> None:
    np.sin(weight.detach().numpy(), out=array)


def _written_as_a_number(array: Any, weight: nn.Parameter) -> None:
    array.fill(weight.sum().item())


@pytest.mark.parametrize("write", [_written_by_numpy, _written_by_a_function_of_numpy, _written_as_a_number])
@pytest.mark.parametrize("entry", [lambda array: torch.from_numpy(array), lambda array: torch.as_tensor(array)])
def test_what_numpy_writes_into_its_own_memory_may_be_what_left(write: Any, entry: Any) -> None:
    w, v = nn.Parameter(torch.rand(4) + 1), nn.Parameter(torch.rand(4))

    def program() -> torch.Tensor:
        array = np.zeros(4, np.float32)
        tensor = entry(array)
        write(array, w)
        return (tensor * v).sum()

    with record() as trace:
        loss = program()
    found = diagnose(loss, trace, {"w": w, "v": v})
    # The source may tell where it went, or not; it is known neither way.
    assert found.verdicts["w"].status in ("unreached", "cut")
    assert not found.verdicts["w"].certain or not any(cut.certain for cut in found.cuts)
    with torch.no_grad():
        w += 1
    assert program() != loss


def test_what_numpy_leaves_as_it_was_holds_nothing_new() -> None:
    w, v = nn.Parameter(torch.rand(4)), nn.Parameter(torch.rand(4))
    with record() as trace:
        tensor = torch.from_numpy(np.ones(4, np.float32))
        print(w.sum().item())
        loss = (tensor * v).sum()
    verdict = diagnose(loss, trace, {"w": w, "v": v}).verdicts["w"]
    assert (verdict.status, verdict.certain) == ("unused", True)
