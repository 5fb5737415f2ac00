"""What folding takes, beside the walk that it follows, and how many boxes are left for a reader."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter

import torch
from torch import nn
from torch.nn import functional

from graphvis.analysis.folding import fold
from graphvis.live.walker import walk
from graphvis.model import Graph

ROUNDS = 5


def rows() -> Iterator[tuple[str, str, str]]:
    """Models of growing size, a loop, and graphs that nothing is known of."""
    torch.set_num_threads(1)
    for name, build in GRAPHS.items():
        loss, model = build()
        names = {} if model is None else dict(model.named_parameters())
        graph = walk(loss, names)
        walked = seconds(lambda loss=loss, names=names: walk(loss, names))  # type: ignore[misc]
        folded = seconds(lambda graph=graph: fold(graph))  # type: ignore[misc]
        size = len(graph.kinds)
        beside = f"{folded / walked:.1f} times the walk; {boxes(fold(graph))} boxes"
        yield f"fold {name}, {size:,} nodes", f"{folded * 1e3:.0f} ms, {folded / size * 1e6:.1f} µs a node", beside


def boxes(graph: Graph) -> int:
    """How many boxes a picture of it has."""
    return sum(name != "AccumulateGrad" for name in graph.names)


def seconds(call: Callable[[], object]) -> float:
    """The median of some rounds."""
    found = []
    for _ in range(ROUNDS):
        gc.collect()
        begin = perf_counter()
        call()
        found.append(perf_counter() - begin)
    return median(found)


class Block(nn.Module):
    """A transformer's block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unsqueeze(1) for part in self.qkv(self.ln_1(x)).chunk(3, -1))
        x = x + self.out(functional.scaled_dot_product_attention(q, k, v).squeeze(1))
        return x + self.mlp(self.ln_2(x))


def transformer(layers: int) -> tuple[torch.Tensor, nn.Module]:
    """Blocks in a row."""
    model = nn.Sequential(nn.Embedding(10, 8), *(Block(8) for _ in range(layers)), nn.Linear(8, 10))
    return model(torch.zeros(1, 4, dtype=torch.long)).sum(), model


def loop(steps: int) -> tuple[torch.Tensor, nn.Module]:
    """A recurrent cell, unrolled."""
    model = nn.Linear(8, 8)
    h = torch.ones(1, 8)
    for _ in range(steps):
        h = model(h).tanh() * h.sigmoid() + h
    return h.sum(), model


def thicket(length: int) -> tuple[torch.Tensor, None]:
    """Every value from two of the last forty, by chance."""
    generator = torch.Generator().manual_seed(5)
    known = [torch.ones(2, requires_grad=True) * 1]
    for _ in range(length):
        one, other = torch.randint(max(0, len(known) - 40), len(known), (2,), generator=generator).tolist()
        known.append(known[one] * 0.5 + known[other].sin())
    return torch.stack(known[-40:]).sum(), None


GRAPHS: dict[str, Callable[[], tuple[torch.Tensor, nn.Module | None]]] = {
    "a transformer of 12 layers": lambda: transformer(12),
    "a transformer of 120 layers": lambda: transformer(120),
    "a transformer of 1,200 layers": lambda: transformer(1200),
    "a loop of 8,000 steps": lambda: loop(8000),
    "a thicket": lambda: thicket(15000),
}
