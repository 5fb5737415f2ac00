"""Memory that a graph keeps, held against what PyTorch says that it saves."""

from __future__ import annotations

import torch

import graphvis
from graphvis.analysis.keeping import kept_by_module


def saved_by_pytorch(build: object) -> dict[int, int]:
    """Bytes by storage of all that autograd packs while `build` runs."""
    found: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        build()  # type: ignore[operator]
    return found


def test_the_sum_is_what_autograd_saves_beside_the_leaves() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.LayerNorm(16), torch.nn.Linear(16, 4))
    x = torch.randn(5, 8)
    kept: list[torch.Tensor] = []
    packed = saved_by_pytorch(lambda: kept.append(net(x).square().mean()))
    own = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}
    expected = sum(nbytes for address, nbytes in packed.items() if address not in own)
    with graphvis.record() as trace:
        loss = net(x).square().mean()
    graph = graphvis.diagnose(loss, trace, parameters=net).graph
    assert graph is not None
    rows = kept_by_module(graph)
    assert sum(row.nbytes for row in rows) == expected
    assert {row.module for row in rows} == {"", "0", "1", "2", "3"}


def test_nothing_is_kept_after_backward() -> None:
    a = torch.randn(3, requires_grad=True)
    loss = a.exp().sum()
    assert sum(row.nbytes for row in kept_by_module(graphvis.walk(loss))) == 12
    loss.backward()
    assert kept_by_module(graphvis.walk(loss)) == ()
