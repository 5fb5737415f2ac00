"""What a comparison claims, held against torch.autograd.grad."""

from __future__ import annotations

import pytest
import torch

import graphvis
from graphvis.model import Comparison, Graph, PairEdge


def states(comparison: Comparison) -> dict[str, str]:
    """State by name, of nodes whose name is their own."""
    found = {}
    for pair in comparison.nodes:
        moment = comparison.after if pair.before is None else comparison.before
        assert moment is not None
        found[moment.graph.names[pair.after if pair.before is None else pair.before]] = pair.state
    return found


def ends(comparison: Comparison, edge: PairEdge) -> tuple[str, str | None]:
    """Names of source and target."""
    moment, index = (comparison.after, edge.after) if edge.before is None else (comparison.before, edge.before)
    assert moment is not None
    assert index is not None
    found = moment.graph.edges[index]
    return moment.graph.names[found.source], None if found.target is None else moment.graph.names[found.target]


def test_an_equal_program_is_all_kept() -> None:
    a = torch.ones(3, requires_grad=True)
    comparison = graphvis.compare(graphvis.walk(a.exp().sum()), graphvis.walk(a.exp().sum()))
    assert {pair.state for pair in comparison.nodes} == {"kept"}
    assert {edge.state for edge in comparison.edges} == {"kept"}


def test_one_run_matches_by_identity_and_detach_in_place_leaves_the_consumer_alone() -> None:
    x = torch.ones(3, requires_grad=True)
    m = x * 2
    y = m * 3
    before = graphvis.walk(y.sum())
    m.detach_()
    comparison = graphvis.compare(before, graphvis.walk(y.sum()))
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert grad.tolist() == [6, 6, 6]
    assert comparison.matching == "identity"
    assert states(comparison)["x"] == "kept"
    assert states(comparison)["m"] == "severed"


@pytest.mark.parametrize("as_callables", [True, False])
def test_what_is_severed_gets_no_gradient(as_callables: bool) -> None:
    x = torch.ones(3, requires_grad=True)
    w = torch.ones(3, requires_grad=True)

    def whole() -> torch.Tensor:
        return ((x * 2) * w).sum()

    def cut() -> torch.Tensor:
        return ((x * 2).detach() * w).sum()

    if as_callables:
        comparison = graphvis.compare(whole, cut)
        assert comparison.matching == "calls"
    else:
        one, other = graphvis.walk(whole()), graphvis.walk(cut())
        comparison = graphvis.compare(Graph.from_json(one.to_json()), Graph.from_json(other.to_json()))
        assert comparison.matching == "structure"
    assert states(comparison)["x"] == "severed"
    assert states(comparison)["w"] == "kept"
    assert torch.autograd.grad(whole(), [x, w], allow_unused=True)[0] is not None
    assert torch.autograd.grad(cut(), [x, w], allow_unused=True)[0] is None
    severed = [ends(comparison, edge) for edge in comparison.edges if edge.state == "severed"]
    assert severed == [("MulBackward0", "MulBackward0")]


def test_a_part_that_only_the_graph_after_has_is_new() -> None:
    a = torch.ones(3, requires_grad=True)
    b = torch.ones(3, requires_grad=True)
    comparison = graphvis.compare(graphvis.walk(a.exp().sum()), graphvis.walk((a.exp() * b).sum()))
    assert states(comparison)["b"] == "new"
    assert states(comparison)["a"] == "kept"


def test_a_comparison_survives_json() -> None:
    a = torch.ones(3, requires_grad=True)
    comparison = graphvis.compare(lambda: a.exp().sum(), lambda: a.detach().exp().sum() + a.sum())
    assert Comparison.from_json(comparison.to_json()) == comparison
    assert comparison.to_svg() == Comparison.from_json(comparison.to_json()).to_svg()


def test_the_same_comparison_gives_the_same_bytes_however_much_ran_before() -> None:
    def run() -> str:
        a = torch.ones(3, requires_grad=True)
        return graphvis.compare(lambda: a.exp().sum(), lambda: a.detach().exp().sum() + a.sum()).to_json()

    first = run()
    (torch.ones(3, requires_grad=True) * 2).sum().backward()
    assert run() == first
