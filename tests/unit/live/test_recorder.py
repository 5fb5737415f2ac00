"""What a recording promises: it keeps nothing alive, changes nothing, is off again afterwards, and forgets no one."""

from __future__ import annotations

import copy
import gc
import threading
import tracemalloc
import warnings
import weakref

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from graphvis.live.recorder import Recording, hooks, record
from graphvis.model import Call, Trace


def names(trace: Trace) -> list[str]:
    return [call.function for call in trace.calls]


def find(trace: Trace, function: str) -> Call:
    return next(call for call in trace.calls if call.function == function)


def hooked() -> list[object]:
    """Everything that a recording replaces while it is on."""
    return [
        torch.from_numpy, torch.frombuffer, torch.from_dlpack, torch.overrides.has_torch_function,
        vars(torch.Tensor).get("set_"), vars(torch.Tensor).get("_make_subclass"), vars(torch.Tensor)["__reduce_ex__"],
        vars(nn.Parameter)["__deepcopy__"], vars(nn.Parameter)["__reduce_ex__"], torch.utils.swap_tensors,
        torch.inference_mode.__enter__, torch.inference_mode.__exit__, torch.optim.Optimizer.__init__,
        vars(torch.autograd.function._SingleLevelFunction).get("apply"), torch._C._len_torch_function_stack(),
        threading.Thread.start,
    ]  # fmt: skip


def test_a_tensor_dies_inside() -> None:
    with record():
        made = torch.ones(3, requires_grad=True) * 2
        there = weakref.ref(made)
        del made
        assert there() is None


def test_the_memory_of_a_tensor_is_given_back() -> None:
    with record():
        made = torch.ones(1000) + 1
        there = weakref.ref(made.untyped_storage())
        del made
        gc.collect()
        assert there() is None


def test_at_most_a_thousand_bytes_a_call() -> None:
    a, b = torch.randn(4, 4, requires_grad=True), torch.randn(4, 4)
    with record() as recording:
        (a + b).sin()
        tracemalloc.start()
        before, calls = tracemalloc.get_traced_memory()[0], len(recording.tape.calls)
        for _ in range(1000):
            torch.add(a, b).mul(b).view(16).sin()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(recording.tape.calls) - calls == 4000
    assert (after - before) / 4000 <= 1000


def test_it_is_off_again_after_an_exception() -> None:
    before = hooked()
    recording = record()
    with pytest.raises(ZeroDivisionError), recording:
        _ = 1 / 0
    assert hooked() == before
    torch.ones(2) + 1
    assert names(recording.freeze()) == []


def test_it_is_off_again_after_an_exception_within_a_call() -> None:
    before = hooked()
    with pytest.raises(RuntimeError), record():
        torch.ones(2) @ torch.ones(3)
    assert hooked() == before


def test_nested_recordings_both_see_and_end_apart() -> None:
    before = hooked()
    a = torch.ones(2, requires_grad=True)
    with record() as outer:
        with record() as inner:
            a.sin()
            nn.Parameter(a.detach())
        a.cos()
        assert hooked() != before
    assert hooked() == before
    assert names(inner.freeze()) == ["Tensor.sin", "Tensor.detach", "nn.Parameter"]
    assert names(outer.freeze()) == ["Tensor.sin", "Tensor.detach", "nn.Parameter", "Tensor.cos"]


def test_one_recording_entered_twice() -> None:
    a = torch.ones(2)
    recording = record()
    with recording:
        a.sin()
    with recording:
        a.cos()
    assert names(recording.freeze()) == ["Tensor.sin", "Tensor.cos"]


def test_pause_and_resume() -> None:
    a = torch.ones(2)
    with record() as recording:
        recording.pause()
        a.sin()
        nn.Parameter(a)
        recording.resume()
        a.cos()
    assert names(recording.freeze()) == ["Tensor.cos"]


def test_a_number_is_of_one_tensor_though_ids_are_used_again() -> None:
    a = torch.ones(2, requires_grad=True)
    with record() as recording:
        seen = set()
        for _ in range(50):
            made = a.detach()
            number = recording.number(made)
            assert number not in seen
            seen.add(number)
            del made
        assert recording.number(torch.ones(2).sin()) is not None
    assert recording.number(torch.ones(2)) is None


def test_swap_tensors_does_not_notice() -> None:
    first, second = torch.ones(2), torch.zeros(2)
    with record() as recording:
        first.add_(1)
        second.add_(1)
        one, other = recording.number(first), recording.number(second)
        torch.utils.swap_tensors(first, second)
        assert (recording.number(first), recording.number(second)) == (other, one)


def test_modules_move_with_swapping() -> None:
    layer = nn.Linear(2, 2)
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with record():
            layer(torch.ones(1, 2))
            layer.to(torch.float64)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
    assert layer.weight.dtype == torch.float64


def test_a_tensor_bears_no_mark() -> None:
    with record():
        a = nn.Parameter(torch.ones(2)) * 1
        twin = copy.deepcopy(a.detach())
    assert a.__dict__ == {}
    assert twin.__dict__ == {}
    assert weakref.getweakrefs(a) == []


class _Counting(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen.append(getattr(func, "__name__", "?"))
        return func(*args, **(kwargs or {}))


def test_another_mode_around_it_sees_only_what_the_program_does() -> None:
    a = torch.ones(2, requires_grad=True)
    with _Counting() as alone:
        a.sin().detach()
    with _Counting() as around, record():
        a.sin().detach()
    assert around.seen == alone.seen


def test_a_subclass_sees_only_what_the_program_does() -> None:
    class Spying(torch.Tensor):
        seen: list[str] = []

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            Spying.seen.append(getattr(func, "__name__", "?"))
            return super().__torch_function__(func, types, args, kwargs or {})

    a = torch.ones(2).as_subclass(Spying)
    Spying.seen.clear()
    a.sin()
    alone = list(Spying.seen)
    Spying.seen.clear()
    with record() as recording:
        b = a.sin()
        assert type(b) is Spying
        recording.number(b)
    assert Spying.seen == alone


def test_eval_fast_paths_are_kept() -> None:
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2).eval()
    attention = nn.MultiheadAttention(16, 2, batch_first=True).eval()
    x = torch.randn(2, 3, 16)
    with torch.no_grad():
        expected = encoder(x), attention(x, x, x)[0]
        with record():
            found = encoder(x), attention(x, x, x)[0]
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)


def test_a_mode_of_the_program_still_keeps_them_off() -> None:
    with record():
        assert not torch.overrides.has_torch_function((torch.ones(1),))
        with _Counting():
            assert torch.overrides.has_torch_function((torch.ones(1),))


def test_three_steps_are_the_same_to_the_bit() -> None:
    def train(watched: bool) -> list[torch.Tensor]:
        torch.manual_seed(3)
        model = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.ReLU(inplace=True), nn.Linear(8, 2)
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(torch.randn(5, 6)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return [*losses, *(p.detach() for p in model.parameters()), *model.buffers(), torch.get_rng_state()]

    expected = train(False)
    with record():
        found = train(True)
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)


def test_what_another_thread_computes_is_said_not_to_be_seen() -> None:
    a = torch.ones(2, requires_grad=True)
    with record() as recording:
        thread = threading.Thread(target=lambda: a.sin())
        thread.start()
        thread.join()
    trace = recording.freeze()
    assert names(trace) == []
    assert trace.unseen
    assert "thread" in trace.notes[0]


def test_hooks_do_not_write_down_what_another_thread_does() -> None:
    a = torch.ones(2)
    with record() as recording:
        thread = threading.Thread(target=lambda: (nn.Parameter(a), torch.from_numpy(a.numpy())))
        thread.start()
        thread.join()
    assert names(recording.freeze()) == []


def test_a_scripted_module_is_said_not_to_be_seen() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Linear(2, 2))
    with record() as recording:
        scripted(torch.ones(1, 2)).sum()
    trace = recording.freeze()
    assert trace.unseen
    assert any("Scripted" in note for note in trace.notes)


def test_the_line_and_the_users_own_line_in_a_library() -> None:
    with record() as recording:
        a = torch.ones(2, requires_grad=True)
        copy.copy(a.sin())
    call = find(recording.freeze(), "Tensor.sin")
    trace = recording.freeze()
    location = trace.locations[call.location]
    assert location.file == __file__
    assert location.text == "copy.copy(a.sin())"
    assert location.function.endswith("test_the_line_and_the_users_own_line_in_a_library")
    assert call.caller is None


def test_module_paths() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Tanh(), nn.Linear(2, 2)))
    with record() as recording:
        model(torch.ones(1, 2)).sum()
    trace = recording.freeze()
    assert [trace.modules[call.module] for call in trace.calls] == ["", "0", "1.0", "1.1", ""]


def test_what_a_call_says_of_gradients() -> None:
    a = torch.ones(2, requires_grad=True)
    with record() as recording:
        with torch.no_grad():
            view = a.view(1, 2)
        a.sin().detach()
    trace = recording.freeze()
    view_call = find(trace, "Tensor.view")
    assert view.requires_grad
    assert view_call.connected == (True,)
    assert view_call.results == (False,)
    assert not view_call.grad_mode
    assert find(trace, "Tensor.sin").results == (True,)
    assert find(trace, "Tensor.detach").results == (False,)


def test_sequence_numbers_enclose_the_nodes_of_a_call() -> None:
    a = torch.ones(2, 2, requires_grad=True)
    with record() as recording:
        b = nn.functional.softmax(a @ a, -1)
    call = find(recording.freeze(), "torch.nn.functional.softmax")
    assert call.sequence[0] <= b.grad_fn._sequence_nr() < call.sequence[1]


def test_recording_touches_no_grad_fn() -> None:
    """Else a deep graph would crash the process when it is freed."""
    a = torch.ones(2, requires_grad=True)
    with record():
        x = a
        for _ in range(60_000):
            x = x + 1
    del x


def test_writes() -> None:
    buffer, out = torch.zeros(4, 4), torch.zeros(4)
    norm = nn.BatchNorm1d(4)
    assert norm.running_mean is not None
    version = norm.running_mean._version
    with record() as recording:
        buffer[:, 1] = 2
        buffer.data.add_(1)
        torch.add(torch.ones(4), 1, out=out)
        norm(torch.randn(3, 4))
    trace = recording.freeze()
    item = find(trace, "Tensor.__setitem__").writes[0]
    assert (item.start, item.stop, item.shape, item.strides, item.counted) == (4, 56, (4,), (16,), True)
    assert find(trace, "torch.add").writes[0].counted
    statistics = find(trace, "torch.nn.functional.batch_norm").writes
    assert [write.counted for write in statistics] == [norm.running_mean._version > version] * 2


def test_fused_steps_write_though_no_counter_moves() -> None:
    weight = nn.Parameter(torch.ones(3))
    weight.grad = torch.ones(3)
    optimizer = torch.optim.Adam([weight], fused=True)
    with record() as recording:
        optimizer.step()
        number = recording.number(weight)
    writes = [write for call in recording.freeze().calls for write in call.writes if write.tensor == number]
    assert [write.counted for write in writes] == [False]


def test_backward_and_optimizers_are_told_of() -> None:
    told: list[object] = []
    weight = nn.Parameter(torch.ones(3))
    with record() as recording:
        recording.on_backward(lambda event: told.append((event.function, event.done, event.error is None)))
        recording.on_optimizer(lambda what, optimizer: told.append((what, type(optimizer).__name__)))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        weight.sum().backward()
        optimizer.step()
        torch.autograd.grad(weight.sum(), weight)
        with pytest.raises(RuntimeError):
            torch.ones(1).backward()
    assert told == [
        ("built", "SGD"), ("Tensor.backward", False, True), ("Tensor.backward", True, True), ("stepped", "SGD"),
        ("torch.autograd.grad", False, True), ("torch.autograd.grad", True, True),
        ("Tensor.backward", False, True), ("Tensor.backward", True, False),
    ]  # fmt: skip


def test_names_of_locals_come_for_free() -> None:
    model = nn.Linear(2, 2)
    with record() as recording:
        hidden = model(torch.ones(1, 2))
        loss = hidden.sum()
    trace = recording.freeze()
    number = recording.number(hidden)
    assert number is not None
    assert trace.tensors[number].name == "hidden"
    assert trace.tensors[recording.number(model.weight) or 0].name == "model.weight"
    assert trace.tensors[recording.number(loss) or 0].name == "loss"


def test_leaving_keeps_no_local_alive() -> None:
    def run() -> weakref.ref[torch.Tensor]:
        with record():
            made = torch.ones(2) + 1
        there = weakref.ref(made)
        del made
        return there

    def kept() -> bool:
        with record():
            made = torch.ones(2) + 1
        there = weakref.ref(made)
        del made
        return there() is not None

    assert run()() is None
    assert not kept()


def test_a_trace_comes_back_from_json() -> None:
    with record() as recording:
        torch.ones(2, requires_grad=True).sin().detach().numpy()
    trace = recording.freeze()
    assert Trace.from_json(trace.to_json()) == trace


def test_nothing_is_installed_without_a_recording() -> None:
    assert hooks.recordings == []
    assert isinstance(record(), Recording)
