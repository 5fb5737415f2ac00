"""What computes where nobody looks: it is said, with its line, and nothing is called unused for it."""

from __future__ import annotations

import ctypes
import queue
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch
from torch import Tensor
from torch._C import DisableTorchFunction as Silence
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.causes.asking import asked, said


class Worker:
    """A thread that doubles tensors without their history."""

    def __init__(self) -> None:
        self.todo: queue.SimpleQueue[Tensor | None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[Tensor] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while (tensor := self.todo.get()) is not None:
            self.done.put(tensor.detach() * 2)

    def ask(self, tensor: Tensor) -> Tensor:
        self.todo.put(tensor)
        return self.done.get()


@pytest.fixture
def worker() -> Iterator[Worker]:
    one = Worker()
    one.ask(torch.ones(1))
    time.sleep(0.05)  # it waits again
    yield one
    one.todo.put(None)
    one.thread.join()


def test_a_thread_that_was_there_before_may_compute(worker: Worker) -> None:
    found = asked(lambda w, v: (worker.ask(w) * v).sum())
    assert said(found) == ("unreached", False)
    assert "`while (tensor := self.todo.get()) is not None:` at test_unseen.py:" in found.notes[0]


def test_a_thread_that_waits_all_the_while_computes_nothing(worker: Worker) -> None:
    found = asked(lambda w, v: (v * 2).sum())
    assert said(found) == ("unused", True)
    assert not found.notes


def test_a_thread_that_ends_meanwhile_may_have_computed() -> None:
    worker, taken = Worker(), []

    def step(w: Tensor, v: Tensor) -> Tensor:
        taken.append(worker.ask(w))
        worker.todo.put(None)
        worker.thread.join()
        return (taken[0] * v).sum()

    assert said(asked(step)) == ("unreached", False)


def test_a_library_s_thread_that_never_rests_is_no_reason_to_doubt() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.001,))
        thread.start()

        def step(w: Tensor, v: Tensor) -> Tensor:
            time.sleep(0.05)
            return (v * 2).sum()

        found = asked(step)
        server.shutdown()
        thread.join()
    assert said(found) == ("unused", True)
    assert not found.notes


@pytest.mark.parametrize("owner", [torch, torch._C])
def test_calls_that_pytorch_is_told_not_to_tell_of(owner: object) -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        with owner.DisableTorchFunction():  # type: ignore[attr-defined]  # torch has it
            kept = w.detach() * 2
        return (kept * v).sum()

    found = asked(step)
    assert said(found) == ("unreached", False)
    assert "`with owner.DisableTorchFunction():" in found.notes[0]


class Silent:
    """Holders that no list of a module's names has."""

    silence = torch._C.DisableTorchFunction

    def __init__(self) -> None:
        held = torch._C.DisableTorchFunction
        self.by_closure = lambda: held()


begun = torch._C.DisableTorchFunction()
popping = torch.overrides._pop_mode_temporarily


@contextmanager
def taken_off() -> Iterator[None]:
    mode = torch._C._pop_torch_function_stack()
    yield
    torch._C._push_on_torch_function_stack(mode)


@contextmanager
def switched_off() -> Iterator[None]:
    before = torch._C._get_torch_function_state()
    torch._C._set_torch_function_state(torch._C._TorchFunctionState.ALL_DISABLED)
    yield
    torch._C._set_torch_function_state(before)


@pytest.mark.parametrize(
    "silence",
    [
        Silence,
        Silent.silence,
        Silent().by_closure,
        lambda held=torch._C.DisableTorchFunction: held(),
        lambda: begun,
        lambda: torch.overrides._pop_mode_temporarily(),
        popping,
        taken_off,
        switched_off,
    ],
)
@pytest.mark.parametrize("leave", [lambda w: w.detach() * 2, lambda w: w.sum().item()])
def test_calls_that_are_not_told_of_however_that_was_come_by(
    silence: Callable[[], AbstractContextManager[object]], leave: Callable[[Tensor], Tensor | float]
) -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        with silence():
            kept = leave(w)
        return (kept * v).sum()

    for _ in range(2):
        found = asked(step)
        assert said(found) == ("unreached", False)
        assert "turned off by `" in found.notes[0]


class Passing(torch.overrides.TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def test_modes_that_come_and_go_and_functions_of_python_hide_nothing() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        with Passing(), torch.device("cpu"):
            return torch.nn.functional.relu(v).sum() + torch.einsum("i,i->", v, v)

    found = asked(step)
    assert said(found) == ("unused", True)
    assert not found.notes


def test_subclasses_alone_that_are_told_of_nothing_hide_nothing() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        with torch._C.DisableTorchFunctionSubclass():
            kept = w.detach() * 2
        return (kept * v).sum()

    assert said(asked(step)) == ("cut", True)


def test_a_recording_that_begins_where_calls_are_not_told_of() -> None:
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with torch._C.DisableTorchFunction(), record() as trace:
        kept = w.detach() * 2
    with trace:
        loss = (kept * v).sum()
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("unreached", False)


class Quiet(Tensor):
    """A subclass that runs its calls as those of plain tensors."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunction():
            return function(*args, **(kwargs or {}))


def test_what_is_not_told_of_inside_of_a_call_that_is_costs_no_certainty() -> None:
    found = asked(lambda w, v: (v.as_subclass(Quiet) * 2).sum())
    assert said(found) == ("unused", True)
    assert not found.notes


def test_what_stood_there_before_stands_there_again() -> None:
    def found() -> list[object]:
        return [vars(Silence)["__enter__"], torch._C._set_torch_function_state, torch._C._pop_torch_function_stack]

    before = found()
    with record():
        assert not any(one is other for one, other in zip(found(), before, strict=True))
    assert found() == before
    with Silence():
        assert torch._C._is_torch_function_all_disabled()


class Adding(TorchDispatchMode):
    """A mode that adds something to each product."""

    def __init__(self, what: Tensor) -> None:
        super().__init__()
        self.what = what

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        return result + self.what.detach() if function is torch.ops.aten.mul.Tensor else result


def test_a_mode_of_the_program_that_runs_inside_of_calls() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        with Adding(w):
            kept = torch.ones(3) * torch.ones(3)
        return (kept * v).sum()

    found = asked(step)
    assert said(found) == ("unreached", False)
    assert "`with Adding(w):`" in found.notes[0]


def test_a_mode_of_the_program_that_was_on_before() -> None:
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with Adding(w), record() as trace:
        loss = (torch.ones(3) * torch.ones(3) * v).sum()
    assert said(diagnose(loss, trace, {"w": w, "v": v})) == ("unreached", False)


def test_modes_of_pytorch_that_run_inside_of_calls_only_pass_them_on() -> None:
    def step(w: Tensor, v: Tensor) -> Tensor:
        with FlopCounterMode(display=False):
            return (v * 2).sum()

    with torch.device("cpu"):
        found = asked(step)
    assert said(found) == ("unused", True)
    assert not found.notes


lies_at = Tensor.data_ptr


@pytest.mark.parametrize("ask", [lambda w: w.data_ptr(), lambda w: lies_at(w)])
def test_whoever_is_told_where_a_tensor_lies_may_read_there(ask: Callable[[Tensor], int]) -> None:
    found = asked(lambda w, v: (v * (ctypes.c_float * 3).from_address(ask(w))[0]).sum())
    assert said(found) == ("unreached", False)
