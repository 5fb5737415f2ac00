"""Where a call is made: what is found with the marks in modules' frames equals what a walk of the whole stack finds."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from graphvis.live.counterfactual import without_cuts
from graphvis.live.recorder import Recording, record
from graphvis.live.recorder.frames import LIBRARY, TORCH, USER, Frames, locate

LIBRARY_CODE = """
def pass_on(run):
    return run()

def twice(run):
    run()
    return run()
"""


def library() -> dict[str, Any]:
    """Functions whose frames are a library's."""
    made: dict[str, Any] = {}
    exec(compile(LIBRARY_CODE, "/somewhere/site-packages/library.py", "exec"), made)
    return made


def walked(frames: Frames, frame: FrameType | None) -> tuple[int, int, Any]:
    """The oracle: every frame, to the outermost."""
    place = caller = -1
    module = None
    while frame is not None:
        kind = frames.kind(frame.f_code.co_filename)
        if kind != TORCH and place < 0:
            place = frames.place(frame)
        if kind == USER and caller < 0:
            caller = frames.place(frame)
        if frame.f_code is nn.Module._wrapped_call_impl.__code__ and module is None:
            module = frame.f_locals["self"]
        frame = frame.f_back
    return place, caller, module


class Step(nn.Module):
    """A module that asks where it is, and runs others."""

    def __init__(self, ask: Callable[[FrameType], None], inner: list[nn.Module], through: Callable[..., Any]) -> None:
        super().__init__()
        self.ask, self.inner, self.through = ask, nn.ModuleList(inner), through

    def forward(self, times: int) -> None:
        for child in self.inner:
            self.through(lambda child=child: child(1))
        for _ in range(times):
            self.ask(sys._getframe())
            self.through(lambda: self.ask(sys._getframe()))


def grown(chance: random.Random, ask: Callable[[FrameType], None], depth: int) -> nn.Module:
    found = library()
    through = chance.choice([found["pass_on"], found["twice"], lambda run: run()])
    inner = [grown(chance, ask, depth - 1) for _ in range(chance.randrange(3))] if depth else []
    return Step(ask, inner, through)


@pytest.mark.parametrize("seed", range(40))
def test_it_finds_what_a_whole_walk_finds(seed: int) -> None:
    chance = random.Random(seed)
    frames, asked = Frames(), []

    def ask(frame: FrameType) -> None:
        asked.append(frames.find(frame))
        assert asked[-1] == walked(frames, frame)

    model = grown(chance, ask, 4)

    def started() -> None:
        frames.start(sys._getframe())
        for _ in range(chance.randrange(1, 4)):
            model(chance.randrange(3))
            library()["twice"](lambda: model(1))
        ask(sys._getframe())
        frames.stop()

    outer = Step(lambda _: started(), [], library()["pass_on"])
    chance.choice([started, lambda: outer(1), lambda: library()["pass_on"](started)])()
    model(1)
    assert asked


def test_kinds() -> None:
    frames = Frames()
    assert frames.kind(torch.__file__) == TORCH
    assert frames.kind(__file__) == USER
    assert frames.kind(pytest.__file__) == LIBRARY


def test_the_same_module_called_at_two_lines_tells_each_line() -> None:
    layer = nn.Linear(2, 2)
    through = library()["pass_on"]
    x = torch.ones(2)
    with record() as recording:
        through(lambda: layer(x))
        through(lambda: layer(x))
    calls = [call for call in recording.freeze().calls if call.function.endswith("linear")]
    trace = recording.freeze()
    lines = [trace.locations[call.location].line for call in calls]
    assert len(lines) == 2
    assert lines[1] == lines[0] + 1


def test_a_recording_that_outlives_the_function_that_entered_it() -> None:
    stack, layer = ExitStack(), nn.Linear(2, 2)

    def enter() -> Any:
        return stack.enter_context(record())

    recording = enter()
    outer = Step(lambda _: enter_again(), [], library()["pass_on"])

    def enter_again() -> None:
        layer(torch.ones(2))

    outer(1)
    stack.close()
    assert [reference() for reference in recording.tape.modules] == [outer, layer]


def test_a_deep_nest_of_modules_needs_no_deeper_stack_of_ours() -> None:
    """Modules nest as deep as the interpreter lets them; finding where one is adds no frame a level."""
    frames = Frames()
    places: list[str] = []

    class Nest(nn.Module):
        def forward(self, depth: int) -> None:
            if depth:
                self(depth - 1)
            else:
                places.append(locate(frames.places[frames.find(sys._getframe())[0]]).function)

    limit = sys.getrecursionlimit()
    frame, used = sys._getframe(), 0
    while frame is not None:
        used, frame = used + 1, frame.f_back
    Nest()((limit - used - 60) // 4)
    assert places[0].endswith("Nest.forward")


class Passing(TorchFunctionMode):
    """A mode that does nothing, with a frame more than it needs."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return self.call(func, args, kwargs or {})

    def call(self, func, args, kwargs):
        return func(*args, **kwargs)


class Framed(Recording):
    """A recording with a frame more."""

    def _run(self, *args):
        return super()._run(*args)


@pytest.mark.parametrize("kind", [Recording, Framed])
@pytest.mark.parametrize("mode", [contextlib.nullcontext, Passing, lambda: torch.device("cpu"), without_cuts])
def test_who_switches_the_grad_mode_is_found_past_any_frame(kind, mode) -> None:
    with kind() as trace, mode():
        with torch.enable_grad():
            pass
        torch.set_grad_enabled(True)
        torch._C._set_grad_enabled(True)
    names = [call.function for call in trace.freeze().calls]
    assert names == [
        "torch._set_grad_enabled.__enter__ (True)", "torch._set_grad_enabled.__exit__ (True)",
        "torch._set_grad_enabled (True)", "torch._set_grad_enabled (True)",
    ]  # fmt: skip
