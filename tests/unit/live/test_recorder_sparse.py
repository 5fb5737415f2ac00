"""Where tensors lie that have no memory of their own, as a recording has it."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import graphvis

INDICES = torch.tensor([[0, 1, 2], [1, 2, 0]])
LAYOUTS = ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")


def made(layout: str) -> torch.Tensor:
    sizes = (1, 1) if layout in ("sparse_bsr", "sparse_bsc") else None
    return torch.rand(3, 3).to_sparse(layout=getattr(torch, layout), blocksize=sizes)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sparse_tensor_lies_in_the_memory_of_its_values(layout: str) -> None:
    with graphvis.record() as trace:
        s = made(layout)
        values = s._values() if layout == "sparse_coo" else s.values()
    whole, part = (trace.freeze().tensors[trace.number(one)] for one in (s, values))
    assert (whole.layout, whole.shape, whole.values) == (layout, (3, 3), tuple(values.shape))
    assert (whole.storage, whole.start, whole.stop) == (part.storage, part.start, part.stop)
    assert part.layout == "strided"
    assert trace.memory(s) == trace.memory(values)
    assert len(whole.indices) == (1 if layout == "sparse_coo" else 2)


def test_a_write_that_gives_it_other_values_gives_it_another_number_and_no_other_does() -> None:
    with graphvis.record() as trace:
        s = torch.sparse_coo_tensor(INDICES, torch.ones(3), (3, 3))
        first = trace.number(s)
        s.neg_()
        assert trace.number(s) == first
        s.mul_(2)
        second = trace.number(s)
    calls = trace.freeze().calls
    assert second != first
    assert [(call.function, call.inputs, call.outputs) for call in calls[-2:]] == [
        ("memory.exchange", (first,), (second,)),
        ("Tensor.mul_", (second,), (second,)),
    ]
    assert trace.freeze().tensors[second].former == first


@pytest.mark.parametrize("layout", LAYOUTS)
def test_looking_at_it_is_seen_by_no_mode_and_makes_no_node(layout: str) -> None:
    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **kwargs or {})

    def step() -> int:
        s = made(layout).requires_grad_()
        before = torch._C._autograd._get_sequence_nr()
        with Watching():
            s.detach()
        return torch._C._autograd._get_sequence_nr() - before

    seen: list[str] = []
    plain = step(), seen
    seen = []
    with graphvis.record():
        assert (step(), seen) == plain


def test_a_nested_tensor_covers_all_of_its_memory() -> None:
    with graphvis.record() as trace:
        n = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
        parts = n.unbind()
    whole, *each = (trace.freeze().tensors[trace.number(one)] for one in (n, *parts))
    assert (whole.shape, whole.start, whole.stop) == ((), 0, 20)
    assert [(part.storage, part.start, part.stop) for part in each] == [(whole.storage, 0, 8), (whole.storage, 8, 20)]


def test_within_a_transform_it_is_left_alone() -> None:
    def loss(values: torch.Tensor) -> torch.Tensor:
        return torch.sparse_coo_tensor(INDICES, values, (3, 3)).to_dense().square().sum()

    expected = torch.func.grad(loss)(torch.ones(3))
    with graphvis.record():
        found = torch.func.grad(loss)(torch.ones(3))
    assert torch.equal(found, expected)
