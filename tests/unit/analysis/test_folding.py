"""Folding real models: what a person sees of them."""

from __future__ import annotations

import pytest
import torch
from msgspec.structs import replace
from torch import nn

from graphvis.analysis.comparing import match_by_structure, single, unite
from graphvis.analysis.folding import Wishes, fold
from graphvis.analysis.joining import join
from graphvis.errors import SelectionError
from graphvis.live import walker
from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.model import Conflict, Diagnosis, Graph, Moment, Outcome
from tests.unit.analysis import folding_models as models


def boxes(graph: Graph) -> dict[str, int]:
    """Each box by frame and name, with its node."""
    return {f"{graph.clusters.get(i, '')}|{name}": i for i, name in enumerate(graph.names)}


def drawn(graph: Graph) -> int:
    """How many boxes a picture has."""
    hidden = sum(name == "AccumulateGrad" for name in graph.names)
    return (
        len(graph.kinds) - hidden - sum(kind == "tensor" and not graph.names[i] for i, kind in enumerate(graph.kinds))
    )


def test_alike_blocks_are_drawn_once_and_opened() -> None:
    folded = fold(models.gpt())
    at = boxes(folded)
    frame = "h.0–11"
    assert {"|wte", "|wpe", "|ln_f", "|head", f"{frame}|ln_1", f"{frame}|ln_2", f"{frame}|gelu"} <= set(at)
    fc = folded.folds[at[f"{frame}|mlp.fc"]]
    assert (fc.kind, fc.times, fc.parameters, fc.numel, fc.modules) == (
        "module",
        12,
        24,
        12 * (16 * 32 + 32),
        ("h.0.mlp.fc",),
    )
    assert 10 <= drawn(folded) <= 60


def test_a_block_with_a_cut_stands_alone_and_open() -> None:
    graph = models.gpt(cut=(5,))
    folded = fold(graph, Wishes(least=1))
    at = boxes(folded)
    assert {
        "|h.0–4",
        "|h.6–11",
        "h.5|ln_1",
        "h.5|attn",
        "h.5|ln_2",
        "h.5|mlp.fc",
        "h.5|gelu",
        "h.5|mlp.proj",
    } <= set(at)
    assert folded.folds[at["|h.0–4"]].times == 5
    assert folded.folds[at["|h.6–11"]].modules == tuple(f"h.{i}" for i in range(6, 12))
    assert (at["h.5|mlp.proj"], 0) in {(edge.source, edge.cut) for edge in folded.values}
    for name in ("ln_2", "mlp.fc", "mlp.proj"):
        assert at[f"h.5|{name}"] not in folded.reached
        assert folded.folds[at[f"h.5|{name}"]].lost == 2


def test_a_mere_walk_is_folded_by_the_names_of_its_parameters() -> None:
    folded = fold(models.gpt(traced=False, prefix="model."))
    assert {"h.0–11|ln_1", "h.0–11|gelu", "h.0–11|+"} <= set(boxes(folded))
    assert any(frame.startswith("h.0–11.attn") for frame in folded.clusters.values())


def test_names_of_locals_in_front_do_not_part_parameters_from_their_modules() -> None:
    plain, prefixed = fold(models.gpt()), fold(models.gpt(prefix="model."))
    assert prefixed.names == plain.names
    assert prefixed.folds == plain.folds


def test_the_same_cut_in_every_block_is_one_picture() -> None:
    folded = fold(models.gpt(cut=tuple(range(12))))
    assert drawn(folded) <= 25
    assert sum(edge.cut is not None for edge in folded.values) == 12
    assert sum(fold.lost for fold in folded.folds.values() if fold.modules == ("h.0.mlp.fc",)) == 24


def test_a_loop_is_drawn_once() -> None:
    folded = fold(models.unrolled())
    assert 20 <= drawn(folded) <= 30
    assert {fold.times for fold in folded.folds.values()} >= {199}
    assert "step 1–199" in set(folded.clusters.values())


def test_a_loop_that_is_cut_is_drawn_once_too() -> None:
    folded = fold(models.unrolled(120, cut=30))
    assert drawn(folded) <= 60
    assert {edge.cut for edge in folded.values if edge.cut is not None} == set(range(len(folded.cuts)))
    assert len(folded.cuts) == 6


def test_a_unet_is_its_blocks() -> None:
    assert {"|down1", "|down2", "|up1", "|up2", "|out"} <= set(boxes(fold(models.unet(), Wishes(least=1, most=40))))


def test_what_is_small_stays_as_it_is() -> None:
    y = x = torch.ones(3, requires_grad=True)
    for _ in range(40):
        y = y.sin()
    graph = walker.walk(y, {"x": x})
    assert fold(graph) is graph
    assert fold(graph, Wishes(most=30)).folds
    lstm = nn.ModuleDict({"emb": nn.Embedding(9, 4), "lstm": nn.LSTM(4, 4, 2), "head": nn.Linear(4, 9)})
    fused = models.graph_of(lstm, lambda: lstm["head"](lstm["lstm"](lstm["emb"](torch.ones(2, 3).long()))[0]).sum())
    assert 20 <= drawn(fused) <= 60
    named = boxes(fold(fused))
    assert "lstm|parameters" in named or "|lstm" in named  # eight leaves side by side would be wider than a page
    assert len(named) < drawn(fused)
    few = models.graph_of(model := nn.Sequential(nn.Linear(3, 3), nn.Tanh()), lambda: model(torch.ones(3)).sum())
    assert fold(few) is few
    assert fold(models.gpt(1)).folds  # modules are told apart from what is between them, however few


def test_a_loop_with_cuts_at_even_distances_is_one_round_between_two_of_them() -> None:
    folded = fold(models.unrolled(120, cut=10))
    assert drawn(folded) <= 30
    assert "steps 10–19 … 100–109" in set(folded.clusters.values())
    assert {"|steps 0–9", "|steps 110–119"} <= set(boxes(folded))
    assert {edge.cut for edge in folded.values if edge.cut is not None} == set(range(len(folded.cuts)))
    plain = fold(models.unrolled(120, cut=10, traced=False))
    assert {frame.partition(".")[0] for frame in plain.clusters.values()} == {"steps 0–9 … 110–119"}
    assert drawn(plain) <= 30


def judged_twice() -> Graph:
    """A discriminator's step: the judge sees what is real, then what was made and is cut off from its maker."""
    torch.manual_seed(0)
    width = models.D
    judge = nn.Sequential(
        *(layer for _ in range(4) for layer in (nn.Linear(width, width), nn.LayerNorm(width), nn.Tanh()))
    )
    maker = nn.Sequential(nn.Linear(3, width), nn.Tanh())
    real, noise = torch.randn(2, width), torch.randn(2, 3)
    both = nn.ModuleDict({"maker": maker, "judge": judge})
    return models.graph_of(both, lambda: judge(real).sum() - judge(maker(noise).detach()).sum())


def test_each_call_of_a_module_is_by_itself_and_their_parameters_between_them() -> None:
    folded = fold(judged_twice(), Wishes(expand=("judge",), least=1))
    ends = [folded.names.index(f"judge.call {number}") for number in (1, 2)]
    assert [folded.folds[end].parameters for end in ends] == [0, 0]
    onto = {source: {folded.targets[edge] for edge in folded.slots_of(source)} for source in ends}
    shared = onto[ends[0]] & onto[ends[1]]
    assert sum(folded.folds[box].parameters for box in shared) == 16  # of both calls, and in neither
    assert not shared & set(ends)


@pytest.mark.parametrize("least", [1, 10, 22, 40, 60])
def test_all_calls_of_a_module_are_open_or_none_is(least: int) -> None:
    folded = fold(judged_twice(), Wishes(least=least))
    shut = [f"judge.call {number}" in folded.names for number in (1, 2)]
    open_ = [any(frame.startswith(f"judge.call {n}") for frame in folded.clusters.values()) for n in (1, 2)]
    assert shut == [not open_[0], not open_[1]]
    assert shut[0] == shut[1]
    assert shut[0] == (least < 22)


def test_depth_opens_levels() -> None:
    graph = models.gpt()
    assert set(boxes(fold(graph, Wishes(depth=1)))) >= {"|h.0–11", "|wte"}
    two = fold(graph, Wishes(depth=2))
    assert "h.0–11|attn" in boxes(two)
    assert "h.0–11|attn.qkv" in boxes(fold(graph, Wishes(depth=3)))


def test_expand_takes_a_block_out_of_its_row() -> None:
    at = boxes(fold(models.gpt(), Wishes(expand=("h.3",), least=1)))
    assert {"|h.0–2", "|h.4–11", "h.3|attn", "h.3|mlp"} <= set(at)
    at = boxes(fold(models.gpt(), Wishes(expand=("h.*.attn",), least=1)))
    assert {"h.0–11|attn.qkv", "h.0–11|mlp"} <= set(at)


def test_focus_leaves_out_what_has_nothing_to_do_with_it() -> None:
    folded = fold(models.gpt(), Wishes(focus="h.3.attn", least=1))
    at = boxes(folded)
    assert "h.3|attn.qkv" in at or "h.3.attn|qkv" in at
    folded.check()
    alone = fold(models.gpt(), Wishes(focus="wpe.weight", least=1))
    assert "|wpe" not in boxes(alone)
    assert any(name.endswith("wpe.weight") for name in alone.names)
    assert alone.reached >= {alone.names.index("wpe.weight")}


@pytest.mark.parametrize("options", [{"focus": "nothing"}, {"expand": ("g.*",)}])
def test_a_name_that_nothing_fits_is_one_message(options: dict[str, object]) -> None:
    with pytest.raises(SelectionError) as caught:
        fold(models.gpt(), Wishes(**options))  # type: ignore[arg-type]
    assert "wte" in caught.value.fix


def test_a_diagnosis_keeps_its_findings_and_its_conflict_in_sight() -> None:
    torch.manual_seed(0)
    model = models.GPT(12)
    with record() as trace:
        loss = model(models.tokens())
    graph = walker.walk(loss, dict(model.named_parameters()), number=trace.number)
    graph = join(graph, trace.freeze())
    node = next(i for i, name in enumerate(graph.names) if name == "GeluBackward0" and graph.modules[i] == "h.7.mlp")
    diagnosis = Diagnosis(conflicts=(Conflict(effect="raises", node="GeluBackward0", index=node),), graph=graph)
    folded = fold(diagnosis, Wishes(least=12))
    assert folded.graph is not None
    found = folded.conflicts[0].index
    assert found is not None
    assert found not in folded.graph.folds
    assert folded.graph.names[found] == "GeluBackward0"
    assert folded.graph.locations[found] == graph.locations[node]
    assert {"|h.0–6", "|h.8–11"} <= set(boxes(folded.graph))


def test_a_diagnosis_is_folded_as_it_comes() -> None:
    torch.manual_seed(0)
    model = models.GPT(12, (5,))
    with record() as trace:
        loss = model(models.tokens())
    diagnosis = diagnose(loss, trace, model)
    folded = fold(diagnosis)
    assert folded.graph is not None
    assert drawn(folded.graph) <= 60
    assert folded.findings == diagnosis.findings


def test_a_moment_is_folded_with_what_backward_passed() -> None:
    graph = models.gpt()
    moment = Moment(graph=graph, outcome=Outcome(passed=tuple(range(len(graph.sources)))))
    folded = fold(moment)
    assert folded.outcome is not None
    assert folded.outcome.passed == tuple(range(len(folded.graph.sources)))
    after = fold(single(moment)).after
    assert (after.graph.names, after.graph.folds, after.outcome) == (
        folded.graph.names,
        folded.graph.folds,
        folded.outcome,
    )
    nothing = fold(replace(moment, outcome=Outcome(passed=())))
    assert nothing.outcome == Outcome(passed=())


def test_both_sides_of_a_comparison_have_the_same_boxes() -> None:
    before, after = models.gpt(traced=False), models.gpt(cut=(5,), traced=False)
    whole = unite(Moment(graph=before), Moment(graph=after), match_by_structure(before, after), "structure")
    folded = fold(whole)
    folded.check()
    assert folded.before is not None
    assert drawn(folded.before.graph) <= 80
    shared = [pair for pair in folded.nodes if pair.before is not None and pair.after is not None]
    assert len(shared) > 8
    for pair in shared:
        assert folded.before.graph.names[pair.before] == folded.after.graph.names[pair.after]


def test_many_parameters_without_modules_go_to_what_takes_them() -> None:
    weights = [torch.randn(4, 4, requires_grad=True) for _ in range(90)]
    x = torch.randn(2, 4)
    y = x
    for place, weight in enumerate(weights):
        y = (y @ weight).tanh() if place % 7 else (y @ weight).relu().exp()
    folded = fold(walker.walk(y.sum(), {f"w{i}": weight for i, weight in enumerate(weights)}))
    assert 2 <= drawn(folded) <= 60
    assert sum(one.parameters for one in folded.folds.values()) + folded.kinds.count("leaf") == 90


def test_a_fan_and_a_chain_and_a_thicket_are_readable() -> None:
    fan = torch.stack([torch.ones((), requires_grad=True) for _ in range(3000)]).sum()
    assert drawn(fold(walker.walk(fan))) <= 60
    y = x = torch.ones(3, requires_grad=True)
    for place in range(4000):
        y = y.sin() if place * place % 7 else y + 1
    assert drawn(fold(walker.walk(y.sum(), {"x": x}))) <= 60
    generator = torch.Generator().manual_seed(5)
    known = [x * 1]
    for _ in range(3000):
        one, other = torch.randint(max(0, len(known) - 40), len(known), (2,), generator=generator).tolist()
        known.append(known[one] * known[other] if one % 2 else known[one] + known[other].sin())
    thicket = fold(walker.walk(known[-1].sum(), {"x": x}))
    assert drawn(thicket) <= 60


def test_siblings_that_differ_are_put_together_where_there_are_too_many() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tables = nn.ModuleList(nn.Embedding(3 + i, 4) for i in range(150))

        def forward(self) -> torch.Tensor:
            return torch.cat([table(torch.tensor([0])) for table in self.tables]).sum()

    model = Wide()
    folded = fold(models.graph_of(model, model))
    assert drawn(folded) <= 60
    assert sum(one.parameters for one in folded.folds.values()) == 150


def test_the_same_graph_gives_the_same_bytes() -> None:
    graph = models.gpt(cut=(5,))
    assert fold(graph).to_json() == fold(Graph.from_json(graph.to_json())).to_json()


def test_fifty_thousand_nodes_are_folded_like_any() -> None:
    graph = models.gpt(900, traced=False)
    assert len(graph.kinds) > 45_000
    assert drawn(fold(graph)) <= 60


def test_an_operation_over_and_over_is_one_box() -> None:
    y = x = torch.ones(3, requires_grad=True)
    for _ in range(500):
        y = y.sin()
    folded = fold(walker.walk(y.sum(), {"x": x}))
    assert [fold.functions for fold in folded.folds.values()] == [500]
    assert drawn(folded) == 3


def test_an_episode_whose_steps_are_cut_off_from_what_came_before_is_one_step_of_each_loop() -> None:
    model = nn.ModuleDict({"policy": nn.Linear(4, 2), "critic": nn.Linear(4, 1)})
    states = torch.randn(40, 4, generator=torch.Generator().manual_seed(1))
    with record() as trace:
        seen, values = [], []
        for state in states:
            seen.append(model["policy"](state).log_softmax(0)[0])
            values.append(model["critic"](state).tanh().square())
        losses = [-chance * (1 - value.item()) + (value - 1).abs() for chance, value in zip(seen, values, strict=True)]
        loss = torch.stack(losses).sum()
    graph = diagnose(loss, trace, model).graph
    assert graph is not None
    assert len(graph.cuts) >= 40  # a number from item() may have gone into all that follows
    folded = fold(graph)
    assert drawn(folded) <= 30
    assert {fold.times for fold in folded.folds.values() if fold.functions >= 40} == {40}
    assert {edge.cut for edge in folded.values if edge.cut is not None} == set(range(len(graph.cuts)))


@pytest.mark.parametrize("layers", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("traced", [True, False])
def test_a_model_of_any_depth_has_twenty_boxes_and_no_more_than_sixty(layers: int, traced: bool) -> None:
    assert 20 <= drawn(fold(models.gpt(layers, traced=traced))) <= 60


@pytest.mark.parametrize("uneven", [False, True])
def test_a_loss_that_is_summed_up_does_not_hide_where_a_loop_is_cut(uneven: bool) -> None:
    torch.manual_seed(0)
    cell, out = nn.GRUCell(4, 4), nn.Linear(4, 1)
    model = nn.ModuleDict({"cell": cell, "out": out})
    cuts = {3, 5, 9, 20, 27, 31, 44} if uneven else set(range(10, 60, 10))
    with record() as trace:
        h, loss = torch.zeros(2, 4), torch.zeros(())
        for step in range(60):
            h = cell(torch.ones(2, 4), h.detach() if step in cuts else h)
            loss = loss + out(h).square().mean()
    for graph in (diagnose(loss, trace, model).graph, walker.walk(loss, dict(model.named_parameters()))):
        assert graph is not None
        folded = fold(graph)
        assert 16 <= drawn(folded) <= 30  # fewer than twenty where so many lanes lead to the cell side by side
        told = {*folded.clusters.values(), *folded.names}
        begun = "steps 9–19" if uneven else "steps 10–19 … "
        assert any(one.startswith(begun) for one in told)


@pytest.mark.parametrize("layers", [12, 120])
def test_where_each_layer_takes_all_before_it_there_are_no_more_links_than_an_eye_can_follow(layers: int) -> None:
    dense = nn.ModuleList(nn.Linear(2 * (place + 1), 2) for place in range(layers))

    def run() -> torch.Tensor:
        seen = [torch.ones(1, 2)]
        for layer in dense:
            seen.append(layer(torch.cat(seen, 1)).relu())
        return torch.cat(seen, 1).sum()

    folded = fold(models.graph_of(dense, run))
    assert 8 <= drawn(folded) <= 60
    ends = set(zip(folded.sources, folded.targets, strict=True))
    assert len(ends) <= 60


def test_what_stands_side_by_side_is_no_wider_than_a_page() -> None:
    trunk, heads = nn.Linear(4, 16), nn.ModuleList(nn.Linear(16, place + 2) for place in range(12))
    model = nn.ModuleDict({"trunk": trunk, "heads": heads})

    def run() -> torch.Tensor:
        seen = trunk(torch.ones(2, 4)).tanh()
        return torch.stack([head(seen).square().sum() for head in heads]).sum()

    folded = fold(models.graph_of(model, run))
    assert sum("heads." in name for name in folded.names) <= 4  # twelve that take the same and lead to the same
    assert sum(one.parameters for one in folded.folds.values()) >= 24


def test_modules_side_by_side_are_one_row_though_others_stand_between_their_numbers() -> None:
    members = nn.ModuleList(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)) for _ in range(20))
    inputs = torch.ones(2, 4)
    with record() as trace:
        parts = [member(inputs).detach() if place % 2 else member(inputs) for place, member in enumerate(members)]
        loss = torch.stack(parts).sum()
    graph = diagnose(loss, trace, members).graph
    assert graph is not None
    folded = fold(graph)
    assert {"0, 2, …, 18", "1, 3, …, 19"} <= {*folded.clusters.values(), *folded.names}
    assert drawn(folded) <= 24


def test_a_model_s_own_functions_are_in_it_though_a_list_of_models_is_never_called() -> None:
    class Scan(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen = state = self.inner(x)
            for _ in range(8):
                state = (state * seen).tanh() + seen.sin()
            return self.outer(state)

    model = nn.ModuleList(Scan() for _ in range(4))

    def run() -> torch.Tensor:
        x = torch.ones(2, 4)
        for scan in model:
            x = x + scan(x)
        return x.sum()

    folded = fold(models.graph_of(model, run), Wishes(least=1))
    assert {name for name in folded.names if "step" in name} == set()


def test_a_loop_in_which_a_module_is_called_several_times_a_round_is_drawn_once() -> None:
    field = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))

    def solve() -> torch.Tensor:
        y = torch.ones(3, 4)
        for _ in range(20):  # Runge and Kutta's steps
            first = field(y)
            second = field(y + 0.05 * first)
            third = field(y + 0.05 * second)
            y = y + 0.1 / 6 * (first + 2 * second + 2 * third + field(y + 0.1 * third))
        return y.square().mean()

    for traced in (True, False):
        folded = fold(models.graph_of(field, solve, traced=traced))
        assert 20 <= drawn(folded) <= 30
        assert max(fold.times for fold in folded.folds.values()) >= 18
