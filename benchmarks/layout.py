"""What laying out takes, beside the system's dot on the same source, and the whole way from a loss to a picture."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter

import torch
from torch import nn

from benchmarks.fold import loop, transformer
from graphvis.live.walker import walk
from graphvis.picture.layout import engine

ROUNDS = 3


def rows() -> Iterator[tuple[str, str, str]]:
    """Sources of growing size under both engines; models of growing size, folded."""
    torch.set_num_threads(1)
    for name, build in SOURCES.items():
        source = build()
        ours = seconds(lambda source=source: engine.run(source, "svg", engine.EMBEDDED))  # type: ignore[misc]
        beside = f"{source.count('->'):,} edges"
        if shutil.which(engine.SYSTEM):
            theirs = seconds(lambda source=source: engine.run(source, "svg", engine.SYSTEM))  # type: ignore[misc]
            slower = "" if ours <= theirs else ": the same algorithm, compiled from other sources"
            beside += f"; {ours / theirs:.2f} times the system's dot{slower}"
        yield f"lay out {name}", f"{ours * 1e3:.0f} ms", beside
    for name, model in MODELS.items():
        loss, module = model()
        nodes = len(walk(loss, module=module).kinds)
        took = seconds(lambda loss=loss, module=module: walk(loss, module=module).to_svg())  # type: ignore[misc]
        yield f"from loss to folded SVG: {name}, {nodes:,} nodes", f"{took * 1e3:.0f} ms", "1,000 ms up to 50,000 nodes"


def dot_of(layers: int) -> str:
    """A transformer's whole graph as DOT."""
    loss, module = transformer(layers)
    return walk(loss, module=module).to_dot()


def seconds(call: Callable[[], object]) -> float:
    """The median of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        begin = perf_counter()
        call()
        taken.append(perf_counter() - begin)
    return median(taken)


SOURCES: dict[str, Callable[[], str]] = {
    "a transformer of 2 layers, unfolded": lambda: dot_of(2),
    "a transformer of 20 layers, unfolded": lambda: dot_of(20),
}
MODELS: dict[str, Callable[[], tuple[torch.Tensor, nn.Module | None]]] = {
    "a transformer of 10 layers": lambda: transformer(10),
    "a transformer of 100 layers": lambda: transformer(100),
    "a transformer of 960 layers": lambda: transformer(960),
    "a loop of 8,000 steps": lambda: loop(8000),
}
