"""Whole models of transformers, in scenario files of a user's own."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import graphvis
from tests.cli.conftest import Result

Call = Callable[..., Result]
MODELS = Path(__file__).parent / "models"


def parameters_without_gradient(path: Path) -> set[str]:
    """What PyTorch alone says: the parameters of the scenario's model that its own backward leaves without."""
    place: dict[str, Any] = {}
    source = path.read_text().replace("yield after(loss) if cut else before(loss)", "return model, loss")
    exec(compile(source, str(path), "exec"), place)
    model, loss = place["program"](True)
    loss.backward()
    return {f"model.{name}" for name, parameter in model.named_parameters() if parameter.grad is None}


def boxes_of(file: Path) -> set[str]:
    return {node for element in ET.parse(file).iter() if (node := element.get("data-node"))}


@pytest.mark.parametrize("name", ["gpt2", "resnet"])
def test_model_renders_whole_and_its_lost_parameters_are_those_of_pytorch(call: Call, name: str) -> None:
    path = MODELS / f"{name}.py"
    assert call("render", path, "-f", "svg,dot,json").code == 0
    folded = boxes_of(Path("out", f"{name}.svg"))
    assert 10 < len(folded) <= 60
    assert call("render", path, "-f", "svg", "--no-fold", "-o", "whole").code == 0
    assert len(boxes_of(Path("whole", f"{name}.svg"))) > 3 * len(folded)
    document = json.loads(Path("out", f"{name}.json").read_text())
    kept = document["after"]["outcome"]["grads"]
    lost = {leaf for leaf, grad in kept.items() if grad is None}
    assert lost == parameters_without_gradient(path)
    assert len(lost) > 5
    # DOT is for tools and holds all of it, folded or not.
    assert Path("out", f"{name}.dot").read_text().count("AddBackward0") > 3


def test_plain_script_walks_a_model_and_draws_all_of_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=12, n_head=2, n_embd=16, vocab_size=32, n_positions=8))
    tokens = torch.arange(8)[None]
    batch = {"input_ids": tokens, "labels": tokens}
    graph = graphvis.walk(model(**batch).loss)
    assert len(graph.nodes) > 800
    graph.save(tmp_path / "gpt2.svg", fold=False)
    root = ET.parse(tmp_path / "gpt2.svg").getroot()
    assert float(root.attrib["width"]) > 720  # natural size: at 720 px its text could not be read
