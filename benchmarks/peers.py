"""The same model under graphvis and under what else looks at it; peers that are not installed are left out.

``pip install torchlens torchview --no-deps`` brings those that are not among the project's own dependencies.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import nn

import graphvis
from benchmarks.record import gpt2, seconds

LAYERS = 12
_STEP = """
import contextlib, resource, sys, torch
from benchmarks.record import gpt2
from graphvis.live.recorder import record
torch.manual_seed(0)
model, tokens = gpt2(12), torch.randint(0, 1000, (8, 128))
for _ in range(2):
    with record() if sys.argv[1] == "recorded" else contextlib.nullcontext():
        model(input_ids=tokens, labels=tokens).loss.backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def rows() -> Iterator[tuple[str, str, str]]:
    """What was measured, and what bounds it."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    model, tokens = gpt2(LAYERS, 64), torch.randint(0, 1000, (1, 16))

    def forward() -> torch.Tensor:
        loss: torch.Tensor = model(input_ids=tokens, labels=tokens).loss
        return loss

    forward()
    yield from _of_walks(forward())
    yield from _of_forwards(model, tokens, forward)
    yield _of_memory()


def _of_walks(loss: torch.Tensor) -> Iterator[tuple[str, str, str]]:
    from torchviz import make_dot

    bare = seconds(lambda: _bare(loss))
    what = f"GPT-2 of {LAYERS} layers, from the loss"
    takes = {
        "graphvis.walk, structure, states and saved tensors": lambda: graphvis.walk(loss, {}),
        "graphvis.walk, then a folded SVG": lambda: graphvis.walk(loss, {}).to_svg(),
        "torchviz.make_dot": lambda: make_dot(loss),
    }
    if shutil.which("dot"):
        takes["torchviz.make_dot, then the system's dot to SVG"] = lambda: make_dot(loss).pipe("svg")
    for name, run in takes.items():
        took = seconds(run, rounds=3)
        yield f"{what}: {name}", f"{took * 1e3:.0f} ms", f"{took / bare:.0f} times the bare loop ({bare * 1e3:.1f} ms)"


def _bare(loss: torch.Tensor) -> int:
    """The least that a walk can do."""
    stack = [loss.grad_fn]
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node is not None:
            for below, _ in node.next_functions:
                if below is not None and below not in seen:
                    seen.add(below)
                    stack.append(below)
    return len(seen)


def _of_forwards(
    model: nn.Module, tokens: torch.Tensor, forward: Callable[[], torch.Tensor]
) -> Iterator[tuple[str, str, str]]:
    from torch.utils._debug_mode import DebugMode

    def step() -> None:
        forward().backward()

    bare = {forward: seconds(forward, rounds=7), step: seconds(step, rounds=7)}

    def row(what: str, took: float, run: Callable[[], object] = forward) -> tuple[str, str, str]:
        beside = f"{took / bare[run]:.1f} times plain ({bare[run] * 1e3:.0f} ms)"
        return f"GPT-2 of {LAYERS} layers, {what}", f"{took * 1e3:.0f} ms", beside

    yield row("forward under graphvis.record", seconds(forward, graphvis.record))
    yield row("forward under DebugMode", seconds(forward, DebugMode))
    yield row("a step under graphvis.record", seconds(step, graphvis.record), step)
    yield row("a step under anomaly mode", seconds(step, torch.autograd.detect_anomaly, rounds=3), step)
    inputs = {"input_ids": tokens, "labels": tokens}
    if importlib.util.find_spec("torchlens"):
        import torchlens

        with contextlib.redirect_stdout(sys.stderr):
            took = seconds(lambda: torchlens.trace(model, input_args=(), input_kwargs=inputs), rounds=3)
        yield row("TorchLens trace", took)
    if importlib.util.find_spec("torchview"):
        from torchview import draw_graph

        yield row("torchview draw_graph", seconds(lambda: draw_graph(model, input_data=inputs, depth=20), rounds=3))


def _of_memory() -> tuple[str, str, str]:
    """Peak memory of two steps, each in a process of its own."""

    def peak(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", _STEP, how], check=True, capture_output=True, text=True)
        return int(done.stdout.split()[-1])

    plain, recorded = peak("plain"), peak("recorded")
    what = "peak memory of a process with two steps of GPT-2, recorded"
    return what, f"{recorded / 1024:.0f} MiB", f"{recorded / plain:.2f} times plain"
