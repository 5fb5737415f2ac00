"""Walking live outputs into a Graph."""

import collections
import dataclasses
from typing import NamedTuple

import pytest
import torch
from torch.autograd.graph import get_gradient_edge

from graphvis.errors import WalkError
from graphvis.live.walker import Identity, walk, walk_with_tokens
from graphvis.model import Edge, Graph


def names_of(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes]


def test_numbers_follow_the_gradient_breadth_first() -> None:
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss = (a.sigmoid() * a).sum()

    graph = walk(loss, {"a": a})

    assert names_of(graph) == [
        "", "SumBackward0", "MulBackward0", "SigmoidBackward0", "AccumulateGrad", "a",
    ]  # fmt: skip
    assert [node.kind for node in graph.nodes] == ["tensor", "function", "function", "function", "function", "leaf"]
    assert graph.roots == (0,)
    assert graph.nodes[2].next == (Edge("gradient", 2, 3, 0, 0), Edge("gradient", 2, 4, 1, 0))
    assert graph.nodes[4].next == (Edge("gradient", 4, 5, 0, 0),)
    graph.check()
    assert Graph.from_json(graph.to_json()) == graph


def test_a_slot_that_holds_none_is_kept() -> None:
    a = torch.ones(2, requires_grad=True)

    graph = walk(a.detach() * a)

    assert [edge.target for edge in graph.find("MulBackward0").next] == [None, 2]


def test_several_outputs_of_one_function_keep_their_output_nr() -> None:
    first, second = torch.ones(4, requires_grad=True).split(2)

    graph = walk((second, first, second))

    assert graph.roots == (0, 1, 0)
    assert [graph.nodes[i].next[0].output_nr for i in (0, 1)] == [1, 0]


class Pair(NamedTuple):
    x: torch.Tensor
    y: object


@dataclasses.dataclass
class Output:
    loss: torch.Tensor
    hidden: tuple[torch.Tensor, ...]
    cache: object = None


def test_outputs_are_found_in_nestings() -> None:
    a = torch.ones(1, requires_grad=True)
    tensors = [a * i for i in range(7)]
    nested = {
        "pair": Pair(tensors[0], 3),
        "output": Output(tensors[1], (tensors[2],), cache=object()),
        "list": [collections.OrderedDict(k=tensors[3]), None, "text"],
        "edge": get_gradient_edge(tensors[4]),
    }
    nested["itself"] = nested

    graph = walk(nested)

    assert [graph.kinds[root] for root in graph.roots] == ["tensor"] * 4 + ["function"]
    assert len(set(graph.roots)) == 5


@pytest.mark.parametrize("outputs", [None, 3, "loss", [], {"a": [1, None]}, torch.nn.Linear(1, 1), Output])
def test_no_tensor_in_the_outputs_is_said(outputs: object) -> None:
    with pytest.raises(WalkError, match="no tensor to walk from") as caught:
        walk(outputs)
    assert "loss" in caught.value.fix


def test_a_leaf_as_output_is_its_own_root_and_gains_no_node() -> None:
    a = torch.ones(1, requires_grad=True)

    graph = walk((a, torch.ones(1), a * 2), {"a": a})

    assert [graph.kinds[i] for i in graph.roots] == ["leaf", "tensor", "tensor"]
    assert [node.name for node in graph.nodes if node.kind == "function"] == ["MulBackward0", "AccumulateGrad"]
    assert graph.find("AccumulateGrad").next[0].target == graph.roots[0]


def test_named_intermediates_are_nodes_beside_the_function_edges() -> None:
    a = torch.ones(3, requires_grad=True)
    h = a * 2
    loss = h.sum()
    elsewhere = a.exp()

    graph = walk(loss, {"a": a, "h": h, "elsewhere": elsewhere, "constant": torch.ones(1), "text": "not a tensor"})

    assert names_of(graph) == ["", "SumBackward0", "MulBackward0", "AccumulateGrad", "a", "h"]
    h_node = graph.find("h")
    assert (h_node.kind, [edge.target for edge in h_node.next]) == ("tensor", [2])
    assert [edge.target for edge in graph.nodes[1].next] == [2]
    assert h_node.index not in graph.reached


def test_also_walks_what_the_outputs_do_not_lead_to() -> None:
    a = torch.ones(3, requires_grad=True)
    out = a.sigmoid()
    c = out.detach()
    loss = c.sum()
    unused = torch.ones(1, requires_grad=True)

    graph = walk(loss, also={"a": a, "out": out, "c": c, "loss": loss, "unused": unused, "n": 3})

    assert names_of(graph) == ["loss", "a", "out", "c", "unused", "SigmoidBackward0", "AccumulateGrad"]
    assert [graph.find(name).kind for name in ("loss", "a", "out", "c", "unused")] == [
        "tensor", "leaf", "tensor", "tensor", "leaf",
    ]  # fmt: skip
    assert graph.roots == (0,)
    assert graph.reached == {0}
    assert graph.find("AccumulateGrad").next[0].target == graph.find("a").index


def test_a_tensor_of_two_names_has_an_alias() -> None:
    model = torch.nn.Linear(2, 1)
    model.tied = model.weight
    loss = model(torch.ones(1, 2)).sum()

    graph = walk(loss, {"w": model.weight}, module=model)

    info = graph.find("weight").tensor
    assert info is not None
    assert (info.name, info.aliases, info.is_parameter) == ("weight", ("tied", "w"), True)


def test_state_of_the_tensors() -> None:
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    out.retain_grad()
    out.backward(torch.ones(3))
    c = out.detach()
    c.add_(1)
    b = torch.ones(2, 0, dtype=torch.float64, requires_grad=True)

    graph = walk((out, c), {"a": a, "out": out, "c": c}, also={"b": b})

    info = {node.name: node.tensor for node in graph.nodes if node.tensor}
    assert info["a"].grad == "[0.1966, 0.1050, 0.0452]"
    assert info["out"].grad == "[1., 1., 1.]"
    assert (info["out"].grad_fn, info["out"].is_leaf, info["out"].requires_grad) == ("SigmoidBackward0", False, True)
    assert (info["c"].grad_fn, info["c"].is_leaf, info["c"].requires_grad) == (None, True, False)
    assert info["out"].version == info["c"].version == 1
    assert info["out"].storage == info["c"].storage != info["a"].storage
    assert (info["b"].shape, info["b"].dtype, info["b"].has_grad) == ((2, 0), "float64", False)
    assert {i.storage for i in info.values()} == {0, 1, 2}


def test_no_values_when_not_asked_for() -> None:
    a = torch.ones(2, requires_grad=True)
    a.sum().backward()

    info = walk(a, values=False).nodes[0].tensor

    assert info is not None
    assert (info.value, info.grad, info.has_grad) == (None, None, True)


def test_trace_numbers_are_the_recorders() -> None:
    a = torch.ones(2, requires_grad=True)

    graph = walk(a * 2, {"a": a}, number=lambda tensor: 7 if tensor is a else None)

    assert [info.trace_number for info in graph.tensors.values()] == [None, 7]


def test_tokens_match_two_moments_of_one_run() -> None:
    identity = Identity()
    x = torch.ones(3, requires_grad=True)
    m = x * 2
    y = m * 3
    before, old = walk_with_tokens(y, also={"x": x, "m": m}, identity=identity)
    m.detach_()
    z = m * 3
    after, new = walk_with_tokens((y, z), also={"x": x, "m": m}, identity=identity)

    assert len(set(old)) == len(old) == len(before.nodes)
    assert len(set(new)) == len(new) == len(after.nodes)
    matched = {before.names[old.index(token)]: after.names[i] for i, token in enumerate(new) if token in old}
    assert matched == {"": "", "MulBackward0": "MulBackward0", "AccumulateGrad": "AccumulateGrad", "x": "x", "m": "m"}
    assert len([token for token in new if token not in old]) == 1  # z: its product with a constant has no function
