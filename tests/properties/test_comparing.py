"""Random pairs of programs: what a comparison calls severed is what loses its gradient, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import given
from hypothesis import strategies as st

import graphvis
from graphvis.model import Graph

LEAVES = ("a", "b", "c")
BINARY = (torch.add, torch.mul, torch.sub, torch.maximum)
UNARY = (torch.exp, torch.sin, torch.neg, torch.sigmoid, torch.clone)

Step = tuple[int, int, int, bool]
"""Which operation, two operands (counted back from the newest), and whether the cut program detaches the result."""
STEPS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 5), st.integers(0, 5), st.booleans()), min_size=1, max_size=8
)


def program(steps: list[Step], leaves: list[torch.Tensor], cut: bool) -> torch.Tensor:
    values = list(leaves)
    for operation, first, second, detached in steps:
        one, other = values[-1 - first % len(values)], values[-1 - second % len(values)]
        value = BINARY[operation](one, other) if operation < len(BINARY) else UNARY[operation - len(BINARY)](one)
        values.append(value.detach() if cut and detached else value)
    return values[-1].sum()


def gradients(loss: torch.Tensor, leaves: list[torch.Tensor]) -> list[bool]:
    """Which leaves get a gradient."""
    if not loss.requires_grad:
        return [False] * len(leaves)
    return [grad is not None for grad in torch.autograd.grad(loss, leaves, allow_unused=True)]


def check(comparison: graphvis.Comparison, had: list[bool], has: list[bool]) -> None:
    assert comparison.before is not None
    told = {
        comparison.before.graph.names[pair.before]: pair.state
        for pair in comparison.nodes
        if pair.before is not None and comparison.before.graph.kinds[pair.before] == "leaf"
    }
    expected = {
        name: "kept" if after else "severed" for name, before, after in zip(LEAVES, had, has, strict=True) if before
    }
    assert told == expected


@given(STEPS)
def test_severed_leaves_are_those_that_lose_their_gradient(steps: list[Step]) -> None:
    a, b, c = (torch.ones(2, requires_grad=True) for _ in LEAVES)
    leaves = [a, b, c]

    def run(cut: bool) -> Callable[[], torch.Tensor]:
        return lambda: program(steps, leaves, cut)

    had, has = (gradients(run(cut)(), leaves) for cut in (False, True))
    check(graphvis.compare(run(False), run(True)), had, has)
    names = dict(zip(LEAVES, leaves, strict=True))
    before, after = (Graph.from_json(graphvis.walk(run(cut)(), names).to_json()) for cut in (False, True))
    check(graphvis.compare(before, after), had, has)
