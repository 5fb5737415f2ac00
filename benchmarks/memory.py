"""Peak memory of what looks at a model, each in a process of its own."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import tempfile
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.growth import TOOLS, Subject, available
from benchmarks.record import gpt2
from benchmarks.walk import chain
from graphvis import draw
from graphvis.live.recorder import record
from graphvis.live.walker import walk

LAYERS = 12
OPS = 1_000_000
PLAIN = "a step, plain"
LEFT_OUT = ("the plain loop", "forward, plain", "fold")
RESET = Path("/proc/self/clear_refs")


def rows() -> Iterator[tuple[str, str, str]]:
    """The peers and we on one model; then what saving a graph of a million nodes and reading it takes."""
    if not RESET.exists():
        return
    plain = 0.0
    for tool in sorted(TOOLS, key=lambda tool: tool.name != PLAIN):
        if tool.name not in LEFT_OUT and all(map(available, tool.needs)):
            more = _in_a_process("tool", tool.name)
            plain = plain or more
            beside = "" if tool.name == PLAIN else f"{more / plain:.1f} times a plain step"
            yield f"peak memory, GPT-2 of {LAYERS} layers: {tool.name}", f"{more:.1f} MiB more", beside
    plain, recorded = (_in_a_process("step", way) for way in ("plain", "recorded"))
    what = "peak of what is allocated, a step of GPT-2 of 12 layers, width 256, batch 8, length 128, recorded"
    yield what, f"{recorded - plain:.2f} MiB more", f"{recorded / plain:.3f} times plain ({plain:.0f} MiB); at most 1.1"
    with tempfile.TemporaryDirectory() as folder:
        for way in ("saving", "reading"):
            more = _in_a_process(way, str(Path(folder) / "graph.json"))
            size = (Path(folder) / "graph.json").stat().st_size
            what = f"peak memory, {way} the JSON of a chain of {OPS:,} ops ({size / 1e6:.0f} MB)"
            yield what, f"{more:.0f} MiB more", "beside the graph" if way == "saving" else "the graph itself included"


def _in_a_process(*arguments: str) -> float:
    """What :func:`_measure` says, in MiB."""
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.split()[-1])


def _measure(way: str, what: str) -> float:
    """How much more than before is held at the peak."""
    if way == "tool":
        torch.manual_seed(0)
        subject = Subject(LAYERS)
        call = next(tool for tool in TOOLS if tool.name == what).prepare(subject)
        subject.step()
        subject.step()
    elif way == "step":
        call = partial(_step, gpt2(LAYERS), torch.randint(0, 1000, (8, 128)), what == "recorded")
        call()  # the first one allocates what stays
        return _allocated(call)
    elif way == "saving":
        graph = walk(chain(OPS))
        call = partial(graph.save, what)
    else:
        call = partial(draw.read, what)
    gc.collect()
    RESET.write_text("5")  # Linux's word for it: the peak begins anew
    before = _held("VmRSS")
    call()
    return _held("VmHWM") - before


def _allocated(call: Callable[[], None]) -> float:
    """The peak of what PyTorch and Python allocate, in MiB.

    Of a step with many threads the process itself says now this, now half as much again, as the system comes to take
    back what is free; the allocators count to the byte.
    """
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        call()
    events = (event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]")
    tensors = max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))
    gc.collect()
    tracemalloc.start()
    call()
    _, objects = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (tensors + objects) / 2**20


def _step(model: nn.Module, tokens: torch.Tensor, recorded: bool) -> None:
    with record() if recorded else contextlib.nullcontext():
        model(input_ids=tokens, labels=tokens).loss.backward()


def _held(what: str) -> float:
    lines = (Path("/proc/self/status").read_text()).splitlines()
    return float(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(_measure(*sys.argv[1:]))
