"""What a walk takes, beside the plain loop over ``next_functions`` and torchviz, on graphs that are new to Python."""

from __future__ import annotations

import gc
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter

import torch

from graphvis.live.walker import walk
from graphvis.model import Graph

ROUNDS = 3


def rows() -> Iterator[tuple[str, str, str]]:
    """Each graph walked for its structure, with what it saved, and what a node of the result takes."""
    torch.set_num_threads(1)
    for name, build in GRAPHS.items():
        nodes = sum(kind == "function" for kind in WAYS["structure"](build()).kinds)
        for what, way in WAYS.items():
            ours, bare = beside(way, build)
            yield f"walk {name}, {what}", per_node(ours, nodes), compared(ours, bare, "the plain loop")
        yield f"memory of {name}", f"{bytes_of(build) / len(walk(build()).kinds):.0f} bytes a node", "at most 600"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchviz imports distutils
        from torchviz import make_dot
    shallow = partial(chain, 300)
    ours, theirs = beside(walk, shallow, make_dot)
    yield "walk a chain of 300 ops, all there is", f"{ours * 1e3:.2f} ms", compared(ours, theirs, "torchviz's make_dot")


def chain(length: int) -> torch.Tensor:
    """One op after the other."""
    y = torch.ones(1, requires_grad=True)
    for _ in range(length):
        y = y + 1
    return y


def sigmoids(length: int) -> torch.Tensor:
    """One op after the other, each of which saves its result."""
    y = torch.ones(100, requires_grad=True)
    for _ in range(length):
        y = y.sigmoid()
    return y


def residual(length: int) -> torch.Tensor:
    """Blocks of three ops, each with a parameter and a way around it."""
    y = torch.ones(1, requires_grad=True)
    for _ in range(length // 4):
        y = (y * torch.ones(1, requires_grad=True)).sigmoid() + y
    return y


def fan(leaves: int) -> torch.Tensor:
    """Many leaves, one op."""
    return torch.cat([torch.ones(1, requires_grad=True) for _ in range(leaves)])


GRAPHS: dict[str, Callable[[], torch.Tensor]] = {
    "a chain of 1,000,000 ops": partial(chain, 1_000_000),
    "a chain of 100,000 ops": partial(chain, 100_000),
    "a chain of 100,000 sigmoids": partial(sigmoids, 100_000),
    "a residual net of 300,000 nodes": partial(residual, 300_000),
    "a fan of 100,000 leaves": partial(fan, 100_000),
}


WAYS: dict[str, Callable[[torch.Tensor], Graph]] = {
    "structure": partial(walk, states=False, saved=False),
    "with the states of its tensors": partial(walk, saved=False, values=False),
    "with saved tensors and values": walk,
}


def plain_loop(output: torch.Tensor) -> int:
    """The least that a walk from Python can do."""
    seen = {output.grad_fn}
    stack = [output.grad_fn]
    while stack:
        for function, _ in stack.pop().next_functions:
            if function is not None and function not in seen:
                seen.add(function)
                stack.append(function)
    return len(seen)


def beside(
    ours: Callable[[torch.Tensor], object], build: Callable[[], torch.Tensor], other: Callable[..., object] = plain_loop
) -> tuple[float, float]:
    """The least seconds of both, taking turns, each on a graph of its own that nobody touched before."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for function, seconds in zip((ours, other), times, strict=True):
            output = build()
            gc.collect()
            gc.disable()  # as the walk does: else the plain loop would be the slower one
            start = perf_counter()
            result = function(output)
            seconds.append(perf_counter() - start)
            gc.enable()
            del result
            walk(output, states=False, saved=False)  # else freeing a deep graph after the plain loop is a crash
    return min(times[0]), min(times[1])


def bytes_of(build: Callable[[], torch.Tensor]) -> int:
    """What the finished graph takes."""
    output = build()
    walk(output)  # from now on nodes have their wrappers, which are PyTorch's
    gc.collect()
    tracemalloc.start()
    graph: Graph = walk(output)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert graph.kinds
    return taken


def per_node(seconds: float, nodes: int) -> str:
    """Microseconds a node."""
    return f"{seconds / nodes * 1e6:.2f} µs a function node"


def compared(ours: float, theirs: float, name: str) -> str:
    """The ratio in words."""
    return f"{ours / theirs:.1f} times {name}" if ours > theirs else f"1/{theirs / ours:.1f} of {name}"
