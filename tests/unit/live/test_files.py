"""What is loaded from a file comes from no parameter of the run, however the file is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
import transformers
from torch import Tensor, nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record


def saved_by_torch(path: Path, tensor: Tensor) -> Tensor:
    torch.save({"x": tensor, "y": tensor + 1}, path)
    found = torch.load(path, mmap=True)
    return found["x"] + found["y"]


def saved_by_safetensors(path: Path, tensor: Tensor) -> Tensor:
    safetensors.torch.save_file({"x": tensor, "y": tensor + 1}, path)
    found = safetensors.torch.load_file(path)
    return found["x"] + found["y"]


def part_by_part(path: Path, tensor: Tensor) -> Tensor:
    safetensors.torch.save_file({"x": tensor}, path)
    with safetensors.safe_open(path, "pt") as file:
        return file.get_tensor("x") + file.get_slice("x")[:]


@pytest.mark.parametrize("load", [saved_by_torch, saved_by_safetensors, part_by_part])
def test_a_parameter_beside_what_is_loaded_is_unused(tmp_path: Path, load: Callable[[Path, Tensor], Tensor]) -> None:
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with record() as trace:
        loss = (load(tmp_path / "x", torch.ones(3)) * v).sum()
    found = diagnose(loss, trace, {"w": w, "v": v})
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("unused", True)
    assert not found.notes


def test_the_bytes_of_a_parameter_that_lies_in_a_file_s_memory_are_its_own(tmp_path: Path) -> None:
    safetensors.torch.save_file({"w": torch.ones(3)}, tmp_path / "w")
    v = torch.ones(3, requires_grad=True)
    with record() as trace:
        w = nn.Parameter(safetensors.torch.load_file(tmp_path / "w")["w"])
        with torch.no_grad():
            w += 1
        loss = (v * w.untyped_storage().tolist()[3]).sum()
    found = diagnose(loss, trace, {"w": w, "v": v})
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("unreached", False)


def test_a_model_that_threads_of_a_library_load_is_no_secret(tmp_path: Path) -> None:
    sizes = transformers.BertConfig(
        hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=20
    )
    transformers.BertModel(sizes).save_pretrained(tmp_path)
    with record() as trace:
        model = transformers.BertModel.from_pretrained(tmp_path)
        loss = model(torch.tensor([[1, 2]])).last_hidden_state.sum()
    found = diagnose(loss, trace, model)
    others = {name: (one.status, one.certain) for name, one in found.verdicts.items() if one.status != "gradient"}
    assert others == dict.fromkeys(("pooler.dense.weight", "pooler.dense.bias"), ("unused", True))
    assert not found.notes
