"""The walk finds exactly the nodes and edges that torchviz finds."""

from typing import Any

import pytest
import torch
import transformers

from graphvis.live.moments.program import stops_of
from graphvis.live.walker import walk
from graphvis.scenario import Scenario, find_scenarios
from tests.torchviz_oracle import drawn, walked

pytestmark = pytest.mark.filterwarnings("ignore:distutils")


def gpt2() -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    config = transformers.GPT2Config(n_layer=3, n_embd=16, n_head=2, vocab_size=50, n_positions=16)
    tokens = torch.arange(8).reshape(1, 8)
    return transformers.GPT2LMHeadModel(config), {"input_ids": tokens, "labels": tokens}


def resnet() -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[2, 2], num_labels=2)
    return transformers.ResNetForImageClassification(config), {
        "pixel_values": torch.ones(2, 3, 32, 32), "labels": torch.tensor([0, 1]),
    }  # fmt: skip


@pytest.mark.parametrize("make", [gpt2, resnet])
def test_a_model(make: Any) -> None:
    model, batch = make()
    output = model(**batch)
    names = dict(model.named_parameters())

    assert walked(output.loss, names) == drawn(output.loss, names)

    graph = walk(output, module=model)
    assert graph.kinds.count("leaf") == len(names)
    assert {node.name for node in graph.nodes if node.kind == "leaf"} == names.keys()
    assert graph.roots[0] == 0
    assert graph.nodes[0].name == ""


@pytest.mark.parametrize("scenario", find_scenarios(), ids=lambda scenario: scenario.name)
def test_a_scenario(scenario: Scenario) -> None:
    for stop in stops_of(scenario):
        outputs = tuple(stop.outputs)
        names = {name: tensor for name, tensor in stop.tensors.items() if not tensor.is_inference()}
        assert walked(outputs, names) == drawn(outputs, names)


def test_many_slots_views_and_custom_functions() -> None:
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):  # type: ignore[no-untyped-def]
            ctx.save_for_backward(x)
            return x * 2, y * 2

        @staticmethod
        def backward(ctx, one, other):  # type: ignore[no-untyped-def]
            return one, other

    a, b = torch.ones(4, requires_grad=True), torch.ones(4, requires_grad=True)
    one, other = Twice.apply(a, b)
    base = one * other
    base[1:].mul_(2)
    parts = torch.cat([base, a.detach(), b, base.unbind()[1].reshape(1)]).split(3)
    loss = torch.stack([part.sum() * part.sum() for part in parts]).norm()
    names = {"a": a, "b": b}

    assert walked((loss, one), names) == drawn((loss, one), names)
