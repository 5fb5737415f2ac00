"""What recording costs: a call, a training step of GPT-2, and the diagnosis of a big one; ratios within one run.

python benchmarks/record.py [--layers 12] [--rounds 5]
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record


class Empty(TorchFunctionMode):
    """The least that a mode can do."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class Block(nn.Module):
    """A GPT-2 block of width `width`, for where transformers is not installed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.ln_1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


def gpt2(layers: int, width: int = 256) -> nn.Module:
    """GPT-2 by transformers, with random weights."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_layer=layers, n_embd=width, n_head=4, vocab_size=1000, use_cache=False)
    return GPT2LMHeadModel(config)


def step(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Forward and backward."""
    for parameter in model.parameters():
        parameter.grad = None
    loss = model(input_ids=tokens, labels=tokens).loss
    loss.backward()
    return loss


def calls(count: int = 4000) -> None:
    """Small calls of several kinds."""
    a, b = torch.randn(4, 4, requires_grad=True), torch.randn(4, 4)
    x = a
    for _ in range(count // 4):
        x = torch.add(x, b)
        x = x.mul(b)
        x = torch.sin(x)
        x = x.view(4, 4)


def seconds(run: Callable[[], object], rounds: int, around: Callable[[], Any]) -> float:
    """The median of some rounds."""
    taken = []
    for _ in range(rounds):
        gc.collect()
        with around():
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


@contextlib.contextmanager
def recorded() -> Iterator[None]:
    """A recording of which only the calls count."""
    with record():
        yield


def of_a_call(rounds: int) -> None:
    count = 4000
    plain = seconds(lambda: calls(count), rounds, contextlib.nullcontext) / count * 1e6
    empty = seconds(lambda: calls(count), rounds, Empty) / count * 1e6
    ours = seconds(lambda: calls(count), rounds, recorded) / count * 1e6
    with record():
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        calls(count)
        bytes_a_call = (tracemalloc.get_traced_memory()[0] - before) / count
        tracemalloc.stop()
    print(f"a call: plain {plain:.2f} us, empty mode +{empty - plain:.2f}, recording +{ours - plain:.2f}")
    print(f"  recording / empty mode: {(ours - plain) / (empty - plain):.1f} (goal 7), goal 10 us")
    print(f"  {bytes_a_call:.0f} bytes a call (goal 1000)")


def of_a_step(layers: int, rounds: int) -> None:
    torch.manual_seed(0)
    model, tokens = gpt2(layers), torch.randint(0, 1000, (8, 128))
    step(model, tokens)
    plain, ours = [], []
    for _ in range(rounds):  # in turn, so that a noisy neighbour hits both
        plain.append(seconds(lambda: step(model, tokens), 1, contextlib.nullcontext))
        ours.append(seconds(lambda: step(model, tokens), 1, recorded))
    with record() as recording:
        step(model, tokens)
    print(f"GPT-2 of {layers} layers, forward and backward, {len(recording.calls)} calls:")
    print(f"  plain {min(plain):.3f} s, recorded {min(ours):.3f} s, ratio {min(ours) / min(plain):.3f} (goal 1.15)")


def of_a_diagnosis(layers: int, rounds: int) -> float:
    model, tokens = gpt2(layers, 64), torch.randint(0, 1000, (1, 16))
    with record() as recording:
        loss = model(input_ids=tokens, labels=tokens).loss
    taken = seconds(lambda: diagnose(loss, recording, model), rounds, contextlib.nullcontext)
    graph = diagnose(loss, recording, model).graph
    assert graph is not None
    count = sum(1 for _ in model.parameters())
    print(f"diagnosing GPT-2 of {layers} layers, {len(graph.kinds)} nodes, {count} parameters: {taken * 1e3:.0f} ms")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    of_a_call(chosen.rounds)
    of_a_step(chosen.layers, chosen.rounds)
    small = of_a_diagnosis(chosen.layers // 3 or 1, chosen.rounds)
    of_a_diagnosis(48, chosen.rounds)
    large = of_a_diagnosis((chosen.layers // 3 or 1) * 10, chosen.rounds)
    print(f"  ten times the layers: {large / small:.1f} times the time (goal 12)")


if __name__ == "__main__":
    main()
