"""Operators that are called by their own name, and what PyTorch's own samples of all operators brought to light."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.model import Trace

ATEN = torch.ops.aten


@pytest.fixture(scope="module")
def library() -> Iterator[None]:
    with torch.library._scoped_library("graphvis_tests", "FRAGMENT") as made:
        made.define("count(Tensor x, Tensor(a!) seen, Tensor(b!)[] more) -> Tensor")

        def count(x: Tensor, seen: Tensor, more: list[Tensor]) -> Tensor:
            for one in (seen, *more):
                one.add_(x.sum())
            return x * 2

        made.impl("count", count, "CompositeImplicitAutograd")
        yield


def writes(trace: Trace) -> list[tuple[str, str | None, bool]]:
    return [
        (call.function, trace.tensors[write.tensor].name, write.counted)
        for call in trace.calls
        for write in call.writes
    ]


def test_operators_write_to_what_their_schemas_mark(library: None) -> None:
    a, b, c = torch.ones(3), torch.ones(3), torch.ones(3)
    with record() as recording:
        ATEN.mul_.Tensor(a, 3)
        ATEN.mul_(b, 3)
        ATEN._foreach_add_([a, b], 1)
        ATEN.exp.out(a, out=c)
        torch.ops.graphvis_tests.count(a, b, more=[c])
        torch.ops.graphvis_tests.count.default(a, seen=b, more=[])
        ATEN.sort(a)
    assert writes(recording.freeze()) == [
        ("torch.ops.aten.mul_", "a", True),
        ("torch.ops.aten.mul_", "b", True),
        ("torch.ops.aten._foreach_add_", "a", True),
        ("torch.ops.aten._foreach_add_", "b", True),
        ("torch.ops.aten.exp", "c", True),
        ("torch.ops.graphvis_tests.count", "b", True),
        ("torch.ops.graphvis_tests.count", "c", True),
        ("torch.ops.graphvis_tests.count", "b", True),
    ]


def test_functions_write_to_what_their_schemas_mark() -> None:
    mean, variance = torch.zeros(3), torch.ones(3)
    with record() as recording:
        torch._native_batch_norm_legit(torch.randn(4, 3), None, None, mean, variance, True, 0.1, 1e-5)
    assert writes(recording.freeze()) == [
        ("torch._native_batch_norm_legit", "mean", False),
        ("torch._native_batch_norm_legit", "variance", False),
    ]


def test_an_operator_that_cuts_is_told_by_its_name() -> None:
    w = torch.randn(3, requires_grad=True)
    with record() as recording:
        loss = (ATEN.detach.default(w * 2.0) * torch.ones(3, requires_grad=True)).sum()
    assert [cut.kind for cut in diagnose(loss, recording, {"w": w}).verdicts["w"].cuts] == ["detach"]


def test_an_operator_that_overwrites_what_was_saved_is_the_line_that_wrote() -> None:
    w = torch.randn(3, requires_grad=True)
    with record() as recording:
        h = w.exp()
        ATEN.mul_.Tensor(h, 3)
        loss = h.sum()
    (conflict,) = diagnose(loss, recording).conflicts
    assert (conflict.effect, conflict.function) == ("raises", "torch.ops.aten.mul_")
    assert conflict.modified_at is not None
    assert "ATEN.mul_" in conflict.modified_at.text
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_saved_chunk_whose_base_was_written_to_raises() -> None:
    w, x = torch.randn(6, 2, requires_grad=True), torch.randn(3, 2, requires_grad=True)
    with record() as recording:
        both = w * 1.0
        first, _ = both.chunk(2)
        loss = (first * x).sum()
        with torch.no_grad():
            both.mul_(2)
    (conflict,) = diagnose(loss, recording).conflicts
    assert (conflict.effect, conflict.node, conflict.function) == ("raises", "MulBackward0", "Tensor.mul_")
    with pytest.raises(RuntimeError, match="its base or another view of its base has been modified inplace"):
        loss.backward()


@pytest.mark.parametrize("values", [False, True])
def test_lazy_modules_run_though_something_is_at_stake(values: bool) -> None:
    w = torch.randn(5, requires_grad=True)
    with record(values=values) as recording:
        at_stake = w.exp()
        at_stake.data.mul_(1.0)
        model = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d(), nn.LazyLinear(2))
        loss = model(at_stake.expand(4, 5)).square().sum()
    assert {verdict.status for verdict in diagnose(loss, recording, model).verdicts.values()} == {"gradient"}


def test_a_probe_counts_gradients_of_any_layout() -> None:
    w = torch.randn(3, 3).to_sparse_csr().requires_grad_()
    v = torch.randn(3, 3, requires_grad=True)
    n = torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(1, 3)], requires_grad=True)
    with record() as recording:
        loss = torch.sparse.sampled_addmm(w, v, v).values().sum() + sum(part.sum() for part in n.unbind())
    found = diagnose(loss, recording, {"w": w, "v": v, "n": n}, probe=True).verdicts
    assert {name: verdict.status for name, verdict in found.items()} == dict.fromkeys("wvn", "gradient")
    loss.backward()
    assert w.grad is not None
    assert w.grad.layout is torch.sparse_csr


def test_a_gradient_without_numbers_is_one() -> None:
    a, tau, other = (torch.ones(shape, requires_grad=True) for shape in ((0, 5), (0,), (0, 5)))
    with record() as recording:
        loss = torch.ormqr(a * 1.0, tau * 1.0, other * 1.0).sum()
    diagnosis = diagnose(loss, recording, {"a": a, "tau": tau, "other": other}, probe=True)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == {
        "a": "cut",
        "tau": "cut",
        "other": "gradient",
    }
    assert [(cut.kind, cut.parameters) for cut in diagnosis.cuts] == [("non_differentiable", ("a", "tau"))]
    str(diagnosis)
    loss.backward()
    assert [leaf.grad is None for leaf in (a, tau, other)] == [True, True, False]


def test_what_is_only_compared_within_a_function_is_cut_there() -> None:
    w, target = torch.randn(4, requires_grad=True), torch.randn(4, requires_grad=True)
    with record() as recording:
        each = nn.functional.hinge_embedding_loss(w * 2.0, (target * 2.0).sign() * 1.0, reduction="none")
        loss = each.sum()
        direct = nn.functional.hinge_embedding_loss(w, target)
    for output in (loss, direct):
        verdicts = diagnose(output, recording, {"w": w, "target": target}).verdicts
        assert {name: verdict.status for name, verdict in verdicts.items()} == {"w": "gradient", "target": "cut"}
        (cut,) = verdicts["target"].cuts
        assert (cut.kind, cut.certain) == ("non_differentiable", True)
        assert "hinge_embedding_loss" in cut.location.text
        output.backward()
        assert target.grad is None


@pytest.mark.parametrize("inside", [True, False])
def test_a_function_without_a_derivative_is_a_cut(inside: bool) -> None:
    w, v = torch.randn(4, requires_grad=True), torch.randn(4, requires_grad=True)
    with record() as recording:
        halves = torch.floor_divide(w * 3.0, 2.0)
        loss = (halves.reshape(2, 2).sum() + v.sum()) if inside else halves
    verdicts = diagnose(loss, recording, {"w": w, "v": v}).verdicts
    assert [verdicts[name].status for name in "wv"] == ["cut", "gradient" if inside else "unused"]
    assert [(cut.kind, cut.location.text) for cut in verdicts["w"].cuts] == [
        ("non_differentiable", "halves = torch.floor_divide(w * 3.0, 2.0)")
    ]
    with pytest.raises(RuntimeError, match="derivative for aten::floor_divide is not implemented"):
        loss.sum().backward()


def test_what_is_read_place_by_place() -> None:
    a, b, row, most = torch.rand(4, 4), torch.rand(4, 4), torch.rand(4), torch.rand(()) > 2
    with record() as recording:
        a + row
        torch.add(input=a, other=b)
        torch.addmm(input=a, mat2=b, mat1=b)
        1 - a
        a //= b
        nn.functional.relu(a, inplace=True)
        nn.functional.dropout(a)
        torch._foreach_mul_([a, b], row[0])
        a.to(torch.float64)
        ATEN.mul.Tensor(a, b)
        torch.where(a > b, a, b)
        torch.where(most)
        a.cumsum(0)
        a.softmax(0)
        a.max(0)
        a.t_()
        a @ b
    told = [(call.function.rpartition(".")[2], call.aligned) for call in recording.freeze().calls]
    assert told == [
        ("add", 2), ("add", 2), ("addmm", 1), ("__rsub__", 1), ("floor_divide_", 1), ("relu", 1), ("dropout", 1),
        ("__getitem__", 0), ("_foreach_mul_", 3), ("to", 1), ("mul", 2), ("gt", 2), ("where", 3), ("where", 0),
        ("cumsum", 0), ("softmax", 0), ("max", 1), ("t_", 0), ("matmul", 0),
    ]  # fmt: skip
