"""What is drawn once though it is there several times, and looks a little different each time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from graphvis.analysis.folding import Wishes, fold
from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.model import Graph
from tests.unit.analysis import folding_models as models


def told(graph: Graph) -> set[str]:
    """What stands on boxes and frames."""
    return {*graph.names, *graph.clusters.values()}


class Layer(nn.Module):
    """A layer of a dense block, as torchvision has it."""

    def __init__(self, taken: int, cut: bool) -> None:
        super().__init__()
        self.norm, self.conv1, self.conv2 = nn.LayerNorm(taken), nn.Linear(taken, 8), nn.Linear(8, 4)
        self.cut = cut

    def forward(self, seen: list[Tensor]) -> Tensor:
        found: Tensor = self.conv2(self.conv1(self.norm(torch.cat(seen, 1)).relu()).relu())
        return found.detach() if self.cut else found


class Dense(nn.Module):
    """A dense block with something before and behind it."""

    def __init__(self, layers: int, cut: int = -1) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(3, 4), nn.Linear(4 + 4 * layers, 1)
        self.block = nn.ModuleDict({f"layer{k + 1}": Layer(4 + 4 * k, k == cut) for k in range(layers)})

    def forward(self) -> Tensor:
        seen = [self.stem(torch.ones(2, 3))]
        for layer in self.block.values():
            seen.append(layer(seen))
        loss: Tensor = self.head(torch.cat(seen, 1)).sum()
        return loss


@pytest.mark.parametrize("traced", [True, False])
def test_layers_of_a_dense_block_are_drawn_once_though_each_takes_more(traced: bool) -> None:
    model = Dense(12)
    folded = fold(models.graph_of(model, model, traced=traced), Wishes(expand=("block",), least=1))
    (row,) = (one for one in folded.folds.values() if one.times > 1)
    assert row.times >= 11
    assert row.parameters == 6 * row.times


def test_layers_that_take_what_was_cut_off_are_drawn_once_with_their_cut() -> None:
    model = Dense(12, cut=2)
    with record() as trace:
        loss = model()
    diagnosis = diagnose(loss, trace, model)
    folded = fold(diagnosis, Wishes(least=1)).graph
    assert folded is not None
    assert {"layer1–2", "layer3", "layer4–12"} <= told(folded)
    assert len([edge for edge in folded.values if edge.cut is not None]) <= 2
    assert folded.cuts == diagnosis.graph.cuts  # type: ignore[union-attr]


def test_layers_in_a_row_are_not_alike_though_each_takes_the_one_before() -> None:
    model = nn.Sequential(*(nn.Sequential(nn.Linear(k, k + 1), nn.Tanh(), nn.Linear(k + 1, k + 1)) for k in (1, 2, 3)))
    folded = fold(models.graph_of(model, lambda: model(torch.ones(2, 1)).sum()), Wishes(most=12))
    assert all(one.times == 1 for one in folded.folds.values())


def test_modules_whose_names_end_in_numbers_are_a_row_where_they_are_more_than_a_layer() -> None:
    def critic() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))

    model = nn.ModuleDict({"body": nn.Sequential(nn.Linear(3, 4), nn.Tanh()), "critic1": critic(), "critic2": critic()})

    def run() -> Tensor:
        seen = model["body"](torch.ones(2, 3))
        return torch.min(model["critic1"](seen), model["critic2"](seen)).sum()

    assert "critic1–2" in told(fold(models.graph_of(model, run)))


def test_a_model_s_own_residual_is_in_it_though_a_list_of_models_is_never_called() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.norm(self.inner(x).relu() + x)
            return found

    model = nn.ModuleList(Block() for _ in range(6))

    def run() -> Tensor:
        x = torch.ones(2, 4)
        for block in model:
            x = block(x)
        return x.sum()

    folded = fold(models.graph_of(model, run), Wishes(depth=1))
    assert "add" not in " ".join(folded.names).lower()
    assert [one.times for one in folded.folds.values() if one.kind == "blocks"] == [5]  # the first takes no gradient
