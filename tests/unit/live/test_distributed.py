"""Parameters in shards, tensors of several processes, and objects that go to others: here of one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import DTensor, Replicate, init_device_mesh

import graphvis

pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="PyTorch was built without gloo")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path) -> Iterator[None]:
    """A group of this process only."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


class Net(nn.Module):
    """An encoder behind a cut, a head, and a layer that nothing runs."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)
        self.rest = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> Any:
        return self.head(self.encoder(x).detach())


def _statuses(model: nn.Module, *, probe: bool = False) -> tuple[dict[str, str], torch.Tensor]:
    with graphvis.record() as trace:
        loss = model(torch.ones(3, 4)).sum()
    found = graphvis.diagnose(loss, trace, parameters=model, probe=probe)
    assert not found.conflicts
    return {name.removeprefix("_fsdp_wrapped_module."): one.status for name, one in found.verdicts.items()}, loss


def _got(model: nn.Module) -> dict[str, bool]:
    named = model.named_parameters()
    return {name.removeprefix("_fsdp_wrapped_module."): parameter.grad is not None for name, parameter in named}


def test_a_shard_is_told_by_what_is_computed_with_in_its_place() -> None:
    model = Net()
    for part in (model.encoder, model.head, model.rest, model):
        fully_shard(part)
    statuses, loss = _statuses(model)
    loss.backward()
    assert [name for name, status in statuses.items() if status == "gradient"] == ["head.weight", "head.bias"]
    assert [name for name, got in _got(model).items() if got] == ["head.weight", "head.bias"]
    assert statuses["encoder.weight"] == "cut"
    assert statuses["rest.weight"] == "unused"


def test_what_is_flattened_together_gets_its_gradient_together() -> None:
    model = FullyShardedDataParallel(Net(), use_orig_params=True, device_id=torch.device("cpu"))
    statuses, loss = _statuses(model)
    loss.backward()
    assert set(statuses.values()) == {"gradient"}
    assert all(_got(model).values())


def test_a_distributed_tensor_is_cut_where_it_is_detached() -> None:
    mesh = init_device_mesh("cpu", (1,))
    w, v, u = (torch.ones(2, 2, requires_grad=True) for _ in range(3))
    with graphvis.record() as trace:
        whole = DTensor.from_local(w * 2, mesh, [Replicate()])
        beside = DTensor.from_local(u * 2, mesh, [Replicate()])
        loss = (whole.detach().full_tensor() * v).sum() + 0 * beside.ndim
    found = graphvis.diagnose(loss, trace, parameters={"w": w, "v": v, "u": u})
    assert [one.status for one in found.verdicts.values()] == ["cut", "gradient", "unused"]
    assert [cut.kind for cut in found.cuts] == ["detach"]


def test_an_object_that_goes_to_other_processes_may_come_back() -> None:
    w, v = torch.ones(2, 2, requires_grad=True), torch.ones(2, 2, requires_grad=True)
    with graphvis.record() as trace:
        objects: list[Any] = [None]
        dist.all_gather_object(objects, {"w": w.detach()})
        loss = (objects[0]["w"] * v).sum()
    found = graphvis.diagnose(loss, trace, parameters={"w": w, "v": v})
    assert [one.status for one in found.verdicts.values()] == ["unreached", "gradient"]
    assert any("all_gather_object" in note for note in found.notes)


def test_a_tensor_whose_memory_was_given_back_is_described_without_its_value() -> None:
    w, v = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with graphvis.record() as trace:
        loss = (w + v).sum()
    w.untyped_storage().resize_(0)
    found = graphvis.diagnose(loss, trace, parameters={"w": w, "v": v})
    assert found.ok
