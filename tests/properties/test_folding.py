"""Random models and programs: what is folded says of gradients and cuts what the whole says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from hypothesis import assume, given, note
from hypothesis import strategies as st
from torch import Tensor, nn

from graphvis.analysis.comparing import match_by_structure, unite
from graphvis.analysis.folding import Wishes, apply, fold, partition, whole_of
from graphvis.analysis.folding.applying import quotient
from graphvis.analysis.joining import join
from graphvis.live import walker
from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.model import Graph, Moment
from tests.properties import running
from tests.properties.drawing import programs
from tests.properties.programs.generator import Truth

WIDTH = 4


class Layer(nn.Module):
    """What a template says: layers in a row, around a residual or not, cut or not."""

    def __init__(self, template: Any, cut: bool) -> None:
        super().__init__()
        self.kind, inner = template
        self.cut = cut
        if self.kind == "linear":
            self.fc = nn.Linear(WIDTH, WIDTH)
        elif self.kind == "norm":
            self.norm = nn.LayerNorm(WIDTH)
        elif self.kind == "bare":
            self.scale = nn.Parameter(torch.ones(WIDTH))
        elif self.kind == "stack":
            one, times, odd, place = inner
            self.inner = nn.ModuleList(Layer(one, odd and i == place % times) for i in range(times))
        elif self.kind in ("row", "residual"):
            for place, one in enumerate(inner):
                self.add_module(f"part_{'abc'[place]}", Layer(one, False))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.kind == "linear":
            y = self.fc(x).relu()
        elif self.kind == "norm":
            y = self.norm(x)
        elif self.kind == "bare":
            y = (x * self.scale).tanh() * 2 + 1
        elif self.kind == "stack":
            for one in self.inner:
                y = one(y)
        else:
            for one in self.children():
                y = one(y)
        if self.cut:
            y = y.detach() + x.sum()
        return x + y if self.kind == "residual" else y


def templates(cuts: st.SearchStrategy[bool]) -> st.SearchStrategy[Any]:
    """Trees of layers; in a stack one may be cut."""
    leaves = st.sampled_from([("linear", None), ("norm", None), ("bare", None)])

    def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(
            st.tuples(st.sampled_from(["row", "residual"]), st.lists(inner, min_size=1, max_size=3)),
            st.tuples(st.just("stack"), st.tuples(inner, st.integers(1, 4), cuts, st.integers(0, 3))),
        )

    return st.recursive(leaves, deeper, max_leaves=8)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """The graph of a random model, with or without a recording."""
    template = draw(templates(st.booleans()))
    note(repr(template))
    torch.manual_seed(3)
    model = Layer(template, draw(st.booleans()))
    x = torch.randn(2, WIDTH, requires_grad=draw(st.booleans()))
    named = dict(model.named_parameters())
    with record() as trace:
        loss = model(x).sum()
    traced = draw(st.booleans())
    number = trace.number if traced else None
    graph = walker.walk(loss, {**named, "x": x}, also=named, number=number, memory=trace.memory if traced else None)
    return join(graph, trace.freeze()) if traced else graph


wishes = st.builds(
    Wishes,
    depth=st.none() | st.integers(0, 4),
    most=st.integers(1, 30),
    least=st.integers(1, 20),
)


def check(graph: Graph, wish: Wishes) -> None:
    """Everything that must hold of a fold."""
    folding = partition(whole_of(graph), wish)
    if folding is None:
        return
    found = quotient(graph, folding)
    folded, nodes = found.graph, found.nodes
    folded.check()
    assert folded == apply(graph, folding)

    # Every node is in exactly one group, and every group has a node of its own.
    assert len(folding.groups) == len(graph.kinds)
    assert set(folding.groups) == set(range(len(folded.kinds)))
    sizes = Counter(nodes)
    assert {group for group, size in sizes.items() if size > 1} == set(folded.folds)

    # What a gradient reaches is reached, and nothing else is; no group mixes the two.
    lost = {node for node, kind in enumerate(graph.kinds) if kind == "leaf"} - graph.reached
    for node, kind in enumerate(graph.kinds):
        if node in graph.reached:
            assert nodes[node] in folded.reached
        elif kind == "leaf":
            assert nodes[node] not in folded.reached
    assert not {nodes[node] for node in graph.reached} & {nodes[node] for node in lost}
    for node in folded.reached:
        assert any(nodes[old] == node for old in graph.reached)
    assert {nodes[root] for root in graph.roots} == set(folded.roots)

    # Every cut is in sight, with both its ends.
    assert folded.cuts == graph.cuts
    assert {(nodes[edge.source], nodes[edge.target], edge.cut) for edge in graph.values if edge.cut is not None} == {
        (edge.source, edge.target, edge.cut) for edge in folded.values if edge.cut is not None
    }
    # A box that stands for several may be cut off from itself: one of them from the next.
    repeated = {node for node, fold in folded.folds.items() if fold.times > 1}
    assert all(edge.source in repeated and edge.cut is not None for edge in folded.values if edge.source == edge.target)

    # No edge is made up, and what it holds is counted.
    old = {(nodes[s], nodes[t]) for s, t in zip(graph.sources, graph.targets, strict=True) if t >= 0}
    assert {(s, t) for s, t in zip(folded.sources, folded.targets, strict=True) if t >= 0} <= old
    leaves = sum(fold.parameters for fold in folded.folds.values()) + folded.kinds.count("leaf")
    assert leaves == graph.kinds.count("leaf")
    assert sum(fold.lost for fold in folded.folds.values()) <= len(lost)


@given(graphs(), wishes)
def test_cuts_and_reach_of_a_model_are_those_of_the_whole(graph: Graph, wish: Wishes) -> None:
    """Models with modules, rows of alike blocks and a cut somewhere."""
    check(graph, wish)


@st.composite
def loops(draw: st.DrawFn) -> Graph:
    """The graph of a loop that is cut every few steps, at one line or at two, with or without a recording."""
    steps, every, first = draw(st.integers(4, 40)), draw(st.integers(1, 9)), draw(st.integers(0, 9))
    both, residual, traced = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    torch.manual_seed(3)
    cell, out = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, 1)
    model = nn.ModuleDict({"cell": cell, "out": out})
    named = dict(model.named_parameters())
    with record() as trace:
        h = c = torch.zeros(2, WIDTH)
        seen = []
        for step in range(steps):
            if step % every == first % every:
                h = h.detach()
                c = c.detach() if both else c
            gate, new = cell(h).chunk(2, 1)
            c = c * gate.sigmoid() + new.tanh()
            h = c.tanh() + h if residual else c.tanh()
            seen.append(h)
        loss = out(torch.stack(seen) if draw(st.booleans()) else h).sum()
    number = trace.number if traced else None
    graph = walker.walk(loss, named, also=named, number=number, memory=trace.memory if traced else None)
    return join(graph, trace.freeze()) if traced else graph


@given(loops(), wishes)
def test_cuts_and_reach_of_a_loop_are_those_of_the_whole(graph: Graph, wish: Wishes) -> None:
    """Rounds and stretches of rounds drawn once, cut between them."""
    check(graph, wish)


@given(programs(giving=True), wishes)
def test_cuts_verdicts_and_reach_of_a_program_are_those_of_the_whole(truth: Truth, wish: Wishes) -> None:
    """Programs without a structure to fold by, with every kind of cut and write."""
    note(truth.source)
    program, _ = running.load(truth)
    with running.unless_refused():
        model, loss, trace = running.recorded(program)
    diagnosis = diagnose(loss, trace, parameters=model)
    named = dict(model.named_parameters())
    trace.pause()
    graph = join(walker.walk(loss, named, also=named, number=trace.number, memory=trace.memory), trace.freeze())
    check(graph, wish)
    folded = fold(diagnosis, Wishes(most=wish.most, least=wish.least, depth=wish.depth))
    assert folded.verdicts == diagnosis.verdicts
    assert folded.cuts == diagnosis.cuts
    assert len(folded.conflicts) == len(diagnosis.conflicts)
    for mine, its in zip(folded.conflicts, diagnosis.conflicts, strict=True):
        if its.index is not None and mine.index is not None:
            assert folded.graph is not None
            assert diagnosis.graph is not None
            assert folded.graph.names[mine.index] == diagnosis.graph.names[its.index]


@given(graphs(), graphs(), wishes)
def test_both_sides_of_a_comparison_are_folded_alike(before: Graph, after: Graph, wish: Wishes) -> None:
    """The same boxes on both sides, and each side as it would be by itself."""
    pairs = match_by_structure(before, after)
    whole = unite(Moment(graph=before), Moment(graph=after), pairs, "structure")
    folded = fold(whole, Wishes(most=wish.most, least=wish.least, depth=wish.depth))
    folded.check()
    for side, graph in (("before", before), ("after", after)):
        assert sorted(index for pair in folded.nodes if (index := getattr(pair, side)) is not None) == list(
            range(len(getattr(folded, side).graph.kinds))
        )
        assert getattr(folded, side).graph.cuts == graph.cuts
    for pair in folded.nodes:
        if pair.before is not None and pair.after is not None:
            assert folded.before is not None
            one, other = folded.before.graph, folded.after.graph
            assert one.kinds[pair.before] == other.kinds[pair.after]
            assert (pair.before in one.folds) == (pair.after in other.folds)


@given(st.integers(2, 6), templates(st.just(False)))
def test_alike_blocks_are_drawn_once(times: int, template: Any) -> None:
    """A stack of equal blocks: as one box, or each box of one block standing for all."""
    assume(template[0] not in ("stack",))
    torch.manual_seed(3)
    model = Layer(("stack", (template, times, False, 0)), False)
    named = dict(model.named_parameters())
    x = torch.randn(2, WIDTH, requires_grad=True)
    with record() as trace:
        loss = model(x).sum()
    graph = join(walker.walk(loss, named, number=trace.number), trace.freeze())
    closed = fold(graph, Wishes(depth=1))
    assert [fold.times for fold in closed.folds.values() if fold.kind == "blocks"] == [times]
    (blocks,) = (fold for fold in closed.folds.values() if fold.kind == "blocks")
    assert blocks.parameters == len(named)
    opened = fold(graph, Wishes(depth=9))
    assert all(fold.times % times == 0 for fold in opened.folds.values() if any("inner" in m for m in fold.modules))
    assert "leaf" not in [kind for i, kind in enumerate(opened.kinds) if opened.names[i] in named]
