"""What is taken by columns where there is much of it equals what is taken one by one."""

import copy
import pickle
import warnings
from collections.abc import Callable

import pytest
import torch

from graphvis.live.unwatched import unwatched
from graphvis.live.walker import structure, walk
from graphvis.live.walker.naming import Names
from graphvis.live.walker.states import describe_all
from graphvis.live.walker.tensors import Storages, describe
from graphvis.model import Graph, TensorInfo
from tests.unit.live.test_walker_strange import STRANGE


def shared_leaves() -> torch.Tensor:
    """Wide nodes whose edges lead to leaves, to nothing, to one leaf twice, and to what was met before."""
    leaves = [torch.ones(1, requires_grad=True) for _ in range(40)]
    first = torch.cat([*leaves[:20], torch.ones(1), leaves[3]])
    second = torch.cat([*leaves[10:], leaves[0] * 2, torch.zeros(2)])
    return torch.cat([first, second, *(leaf * 1 for leaf in leaves)])


def views() -> torch.Tensor:
    """A row of functions, and below them a row of leaves, some of which come twice."""
    leaves = [torch.ones(1, requires_grad=True) for _ in range(30)]
    return torch.cat([leaf.view(1) for leaf in [*leaves, *leaves[::3]]])


def interrupted_row() -> torch.Tensor:
    """Leaves with functions among them."""
    leaves = [torch.ones(1, requires_grad=True) for _ in range(40)]
    return torch.cat([leaf if i % 7 else leaf.exp() for i, leaf in enumerate(leaves)])


def accumulated_twice() -> torch.Tensor:
    """A row of leaves of which one comes again by a second ``AccumulateGrad``, in a row further down."""
    leaves = [torch.ones(1, requires_grad=True) for _ in range(60)]
    first = torch.cat(leaves[:40])
    with torch.no_grad():
        leaves[7].data = leaves[7].data.double()  # another dtype: PyTorch drops the accumulator that it had
    return torch.cat([first.double(), leaves[7], *leaves[40:], *(leaf * 2 for leaf in leaves[:2])])


@pytest.mark.parametrize("build", [accumulated_twice, shared_leaves, views, interrupted_row])
def test_wide_nodes_and_rows_of_leaves(build: Callable[[], torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    output = build()
    by_columns = walk(output)
    monkeypatch.setattr(structure, "_MANY", 10**9)
    monkeypatch.setattr(structure.Structure, "_spread_leaves", _one_leaf)

    assert walk(output) == by_columns
    by_columns.check()


def _one_leaf(self: structure.Structure, i: int) -> int:
    """A row of one, taken as the loop takes it."""
    self.kinds.append("function")
    self.names.append("AccumulateGrad")
    self.sources.append(i)
    self.slots.append(0)
    self.targets.append(self.leaf(self.live[i].variable))
    self.output_nrs.append(0)
    return 1


def plain_tensors() -> list[torch.Tensor]:
    """Leaves of several kinds, with gradients and without, that share storages, and what was computed from them."""
    a, b = torch.ones(2, requires_grad=True), torch.nn.Parameter(torch.randn(3, 3))
    out = a.sigmoid()
    out.retain_grad()
    out.sum().backward()
    written = torch.zeros(4)
    written.add_(1)
    return [out, a, a.detach(), b, torch.ones(9), torch.tensor(2), written, written[1:], a.data, b * 2]


def everything() -> list[torch.Tensor]:
    """Plain ones and strange ones."""
    with torch.inference_mode():
        inference = torch.ones(2)
    return [*plain_tensors(), inference, *(make() for make in STRANGE.values()), *plain_tensors()]


MIXTURES: dict[str, Callable[[], list[torch.Tensor]]] = {
    "none": list,
    "plain": plain_tensors,
    "meta": lambda: [*plain_tensors(), STRANGE["meta"](), *plain_tensors()],
    "with a lazy bit": lambda: [*plain_tensors(), torch.ones(2, dtype=torch.cfloat).conj().imag, *plain_tensors()],
    "sparse": lambda: [*plain_tensors(), STRANGE["sparse"](), *plain_tensors()],
    "everything": everything,
}


@pytest.mark.parametrize("values", [True, False])
@pytest.mark.parametrize("make", MIXTURES.values(), ids=MIXTURES)
def test_states(make: Callable[[], list[torch.Tensor]], values: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of prototypes and of beta state
        tensors = make()
    names = Names({f"t{i}": tensor for i, tensor in enumerate([*tensors[::2], *tensors[::4]])}, None)
    nodes = range(0, 2 * len(tensors), 2)
    with unwatched():
        found = describe_all(nodes, tensors, names, Storages(), id, values)
        storages = Storages()
        one_by_one = {
            node: describe(tensor, names, storages.look(tensor)[0], id, values)
            for node, tensor in zip(nodes, tensors, strict=True)
        }

    assert len(found) == len(tensors)
    assert list(found) == list(nodes)
    assert dict(found) == one_by_one


def test_values_are_those_of_the_moment_of_the_walk() -> None:
    leaves = [torch.full((), float(i), requires_grad=True) for i in range(40)]
    graph = walk(torch.stack(leaves))
    with torch.no_grad():
        for leaf in leaves:
            leaf.zero_()
    leaves[0].requires_grad_(requires_grad=False)
    leaves.clear()

    values = [info.value for info in graph.tensors.values() if info.is_leaf]

    assert values == [f"{i}." for i in range(40)]
    assert all(info.requires_grad for info in graph.tensors.values())


def test_a_leaf_that_an_accumulator_met_twice_is_one_leaf() -> None:
    output = accumulated_twice()
    nodes = [function.variable for function, _ in output.grad_fn.next_functions if hasattr(function, "variable")]
    graph = walk(output)

    assert len({id(tensor) for tensor in nodes}) == 21
    assert graph.names.count("AccumulateGrad") == 61
    assert graph.kinds.count("leaf") == 60


def test_the_tensors_of_a_walk_are_data() -> None:
    graph = walk(shared_leaves())

    assert copy.deepcopy(graph) == pickle.loads(pickle.dumps(graph)) == Graph.from_json(graph.to_json()) == graph
    assert all(isinstance(info, TensorInfo) for info in graph.tensors.values())
    assert 0 in graph.tensors
    assert 1 not in graph.tensors
