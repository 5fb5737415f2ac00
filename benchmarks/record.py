"""What recording and diagnosing cost: a call, a training step of GPT-2, the diagnosis of a big one."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record

CALLS = 4000
ROUNDS = 5


class Empty(TorchFunctionMode):
    """The least that a mode can do."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def rows() -> Iterator[tuple[str, str, str]]:
    """What was measured, and what bounds it."""
    for depth in (0, 50):
        ours, empty = of_a_call(depth)
        yield (
            f"recording a call, {depth} frames deep" if depth else "recording a call",
            f"{ours:.1f} µs",
            f"{ours / empty:.1f} times an empty mode ({empty:.1f} µs)",
        )
    ours, empty = of_a_call(0, of_modules)
    yield (
        "recording a module of one call, nn.Linear(4, 4)",
        f"{ours:.1f} µs",
        f"{ours / empty:.1f} times an empty mode ({empty:.1f} µs)",
    )
    yield "memory of a recorded call", f"{bytes_of_a_call():.0f} bytes", "1,000 bytes"
    yield of_a_step(12)
    few, (small, *_) = 4, of_a_diagnosis(4)
    big, nodes, parameters = of_a_diagnosis(10 * few)
    large, more_nodes, more_parameters = of_a_diagnosis(48)
    yield (
        f"diagnosing GPT-2 of 48 layers ({more_nodes} nodes, {more_parameters} parameters)",
        f"{large * 1e3:.0f} ms",
        "100 ms",
    )
    yield f"ten times the layers ({nodes} nodes, {parameters} parameters)", f"{big / small:.1f} times the time", "12"


def calls() -> None:
    """Small calls of several kinds."""
    a, b = torch.randn(4, 4, requires_grad=True), torch.randn(4, 4)
    x = a
    for _ in range(CALLS // 4):
        x = torch.sin(torch.add(x, b).mul(b)).view(4, 4)


def seconds(
    run: Callable[[], object], around: Callable[[], Any] = contextlib.nullcontext, rounds: int = ROUNDS
) -> float:
    """The median of some rounds."""
    taken = []
    for _ in range(rounds):
        gc.collect()
        with around():
            start = perf_counter()
            run()
            taken.append(perf_counter() - start)
    return median(taken)


def of_modules() -> None:
    """A module's call for each function's call, which is the most that modules can add."""
    module, x = nn.Linear(4, 4), torch.randn(1, 4)
    for _ in range(CALLS):
        module(x)


def of_a_call(depth: int, run: Callable[[], None] = calls, rounds: int = 4 * ROUNDS) -> tuple[float, float]:
    """Microseconds that a call costs more, recorded and under an empty mode: the least of rounds that take turns."""
    if depth:
        return of_a_call(depth - 1, run, rounds)
    ways = (contextlib.nullcontext, Empty, record)
    taken = [[seconds(run, around, 1) / CALLS * 1e6 for around in ways] for _ in range(rounds)]
    plain, empty, ours = (min(times) for times in zip(*taken, strict=True))
    return ours - plain, empty - plain


def bytes_of_a_call() -> float:
    """What the recording keeps of a call, in the mean."""
    with record():
        calls()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        calls()
        kept = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    return kept / CALLS


def gpt2(layers: int, width: int = 256) -> nn.Module:
    """GPT-2 of transformers with random weights."""
    from transformers import GPT2Config, GPT2LMHeadModel

    ids = {"bos_token_id": 0, "eos_token_id": 0}
    return GPT2LMHeadModel(GPT2Config(n_layer=layers, n_embd=width, n_head=4, vocab_size=1000, use_cache=False, **ids))


def of_a_step(layers: int) -> tuple[str, str, str]:
    """Forward and backward, plain and recorded in turn, so that a noisy neighbour hits both."""
    torch.manual_seed(0)
    model, tokens = gpt2(layers), torch.randint(0, 1000, (8, 128))

    def step() -> None:
        model.zero_grad()
        model(input_ids=tokens, labels=tokens).loss.backward()

    step()
    times = [(seconds(step, rounds=1), seconds(step, record, rounds=1)) for _ in range(ROUNDS)]
    plain, ours = (min(taken) for taken in zip(*times, strict=True))
    return (
        f"forward and backward of GPT-2, {layers} layers, width 256, batch 8, length 128, recorded",
        f"{ours * 1e3:.0f} ms",
        f"{ours / plain:.2f} times plain",
    )


def of_a_diagnosis(layers: int) -> tuple[float, int, int]:
    """Seconds, nodes and parameters."""
    model, tokens = gpt2(layers, 64), torch.randint(0, 1000, (1, 16))
    with record() as recording:
        loss = model(input_ids=tokens, labels=tokens).loss
    graph = diagnose(loss, recording, model).graph
    assert graph is not None
    count = sum(1 for _ in model.parameters())
    return seconds(lambda: diagnose(loss, recording, model)), len(graph.kinds), count
