"""Models that people use, at full depth: what a person who knows them sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from graphvis.analysis.folding import fold
from graphvis.model import Graph
from tests.unit.analysis.folding_models import graph_of
from tests.unit.analysis.test_folding import boxes, drawn

transformers = pytest.importorskip("transformers")

SMALL = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}


def language(model: Any) -> Callable[[], Tensor]:
    tokens = torch.arange(12).view(2, 6)
    return lambda: model(input_ids=tokens, labels=tokens).loss


def vision(model: Any, size: int) -> Callable[[], Tensor]:
    image = torch.ones(2, 3, size, size)
    return lambda: functional.cross_entropy(model(image).logits, torch.tensor([0, 1]))


def built(name: str) -> tuple[Any, Callable[[], Tensor]]:
    t = transformers
    torch.manual_seed(0)
    if name == "gpt2":
        model = t.GPT2LMHeadModel(t.GPT2Config(n_embd=16, n_head=2, vocab_size=50, n_positions=8))
    elif name == "bert":
        model = t.BertForMaskedLM(t.BertConfig(vocab_size=50, **SMALL))
    elif name == "llama":
        model = t.LlamaForCausalLM(t.LlamaConfig(vocab_size=50, num_hidden_layers=16, **SMALL))
    elif name == "t5":
        config = t.T5Config(d_model=16, d_kv=8, num_heads=2, d_ff=24, vocab_size=50, num_layers=6)
        config.decoder_start_token_id = 0
        model = t.T5ForConditionalGeneration(config)
    elif name == "vit":
        model = t.ViTForImageClassification(t.ViTConfig(image_size=16, patch_size=8, **SMALL))
        return model, vision(model, 16)
    else:
        config = t.ResNetConfig(embedding_size=4, hidden_sizes=[4, 8, 8, 8], depths=[3, 8, 36, 3])
        model = t.ResNetForImageClassification(config)
        return model, vision(model, 32)
    return model, language(model)


SEEN = {
    "gpt2": {"|wte", "|wpe", "|ln_f", "|lm_head", "h.0–11|ln_1", "h.0–11|ln_2", "h.0–11|+"},
    "bert": {"embeddings|word_embeddings", "layer.0–11|intermediate"},
    "llama": {"|embed_tokens", "|norm", "|lm_head", "layers.0–15|input_layernorm"},
    "t5": {"encoder|block.0", "decoder.block.1–5|layer.1", "encoder|final_layer_norm", "|lm_head"},
    "vit": {"|classifier", "|layernorm", "layers.0–11|layernorm_before"},
    "resnet152": {"|stages.1", "|stages.3", "|classifier", "stages.2.layers.1–35|layer.0"},
}


@pytest.mark.parametrize("name", SEEN)
def test_a_model_is_a_picture_of_a_few_boxes(name: str) -> None:
    model, loss = built(name)
    graph = graph_of(model, loss)
    folded = fold(graph)
    folded.check()
    assert set(boxes(folded)) >= SEEN[name]
    assert 20 <= drawn(folded) <= 60
    assert parameters(folded) == parameters(graph)
    plain = fold(graph_of(model, loss, traced=False))
    assert 20 <= drawn(plain) <= 60


def parameters(graph: Graph) -> int:
    return graph.kinds.count("leaf") + sum(one.parameters for one in graph.folds.values())
