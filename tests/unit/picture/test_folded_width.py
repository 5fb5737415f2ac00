"""A big graph is folded until its picture, laid out, is no wider than the eye takes in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from graphvis.analysis.folding import Wishes, fold, trace_fold
from graphvis.draw.drawing import Drawing
from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.live.walker import walk
from graphvis.model import Diagnosis, Drawable, Graph

PAGE = 1080
"""About a thousand: a few boxes more are worth some pixels."""


def fused() -> tuple[Tensor, nn.Module]:
    """Few nodes, and side by side: nine parameters of one function, which is cut off."""
    model = nn.ModuleDict({"embed": nn.Embedding(10, 8), "lstm": nn.LSTM(8, 8, 2), "out": nn.Linear(8, 10)})
    seen, _ = model["lstm"](model["embed"](torch.arange(6).view(6, 1)))
    return model["out"](seen.detach()).sum(), model


def residuals() -> tuple[Tensor, nn.Module]:
    """Layers with residuals, cut between two."""

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.near, self.norm = nn.Linear(4, 4), nn.Linear(4, 4), nn.LayerNorm(4)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.norm((self.own(x) + torch.ones(6, 6) @ self.near(x)).relu() + x)
            return found

    model = nn.ModuleList(Layer() for _ in range(5))
    x = torch.ones(6, 4)
    for place, layer in enumerate(model):
        x = layer(x).detach() if place == 2 else layer(x)
    return x.sum(), model


def twins() -> tuple[Tensor, nn.Module]:
    """Two networks side by side that somebody forgot under no_grad."""
    model = nn.ModuleDict(
        {name: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)) for name in ("one1", "one2", "two1", "two2")}
    )
    x = torch.ones(5, 6)
    with torch.no_grad():
        wanted = torch.min(model["one1"](x), model["one2"](x))
    return sum((model[name](x) - wanted).square().mean() for name in ("two1", "two2")), model


def heads() -> tuple[Tensor, nn.Module]:
    """A trunk and many heads."""
    names = ["depth", "normals", "edges", "segmentation", "keypoints", "boxes", "masks", "saliency"]
    model = nn.ModuleDict({name: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)) for name in names})
    trunk = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8))
    x = trunk(torch.ones(3, 4))
    return sum(model[name](x).square().mean() for name in names), nn.ModuleDict({"trunk": trunk, "heads": model})


def adapted() -> tuple[Tensor, nn.Module]:
    """A model adapted in three steps by gradients that are detached: each call of it lies in other places."""
    model = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(), nn.Linear(8, 1))
    fast, x, y = dict(model.named_parameters()), torch.ones(5, 3), torch.zeros(5, 1)
    for _ in range(3):
        loss = nn.functional.mse_loss(torch.func.functional_call(model, fast, (x,)), y)
        steps = torch.autograd.grad(loss, list(fast.values()), create_graph=True)
        fast = {name: old - 0.1 * step.detach() for (name, old), step in zip(fast.items(), steps, strict=True)}
    return nn.functional.mse_loss(torch.func.functional_call(model, fast, (x,)), y), model


def diagnosed(build: Callable[[], tuple[Tensor, nn.Module]]) -> Diagnosis:
    torch.manual_seed(0)
    with record() as trace:
        loss, model = build()
    return diagnose(loss, trace, model)


@pytest.mark.parametrize("build", [fused, residuals, twins, heads, adapted])
def test_a_diagnosis_is_no_wider_than_a_page(build: Callable[[], tuple[Tensor, nn.Module]]) -> None:
    drawing = Drawing(diagnosed(build))
    assert drawing._placement.width <= PAGE
    assert len(drawing._scene.boxes) >= 9


def test_what_is_drawn_is_what_was_measured_and_the_least_wide_or_within_a_page() -> None:
    loss, model = heads()
    graph = walk(loss, dict(model.named_parameters()))
    widths: dict[int, float] = {}
    seen: list[Drawable] = []

    def measure(shown: Drawable) -> float:
        seen.append(shown)
        widths[id(shown)] = Drawing(shown)._picture_of(shown).placement.width
        return widths[id(shown)]

    folded = fold(graph, measure=measure)
    assert any(folded is one for one in seen)
    assert widths[id(folded)] <= PAGE < max(widths.values())
    assert len(seen) <= 5
    folded.check()


def test_what_is_small_and_narrow_stays_whole_and_is_laid_out_once() -> None:
    x = torch.ones(3, requires_grad=True)
    graph = walk((x.sin() * 2).sum(), {"x": x})
    shown: list[Drawable] = []
    found = trace_fold(graph, Wishes(), lambda one: len(shown.append(one) or shown) * 100.0)  # type: ignore[func-returns-value]
    assert found.drawable is graph
    assert shown == [graph]
    drawing = Drawing(graph)
    assert isinstance(drawing.drawable, Graph)
    assert drawing._scene is drawing._whole
