"""torchviz's own picture of a graph as an oracle: the nodes and edges that it finds, by the ids of live objects."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import torch
from torchviz import make_dot

from graphvis.live.walker import Identity, walk_with_tokens

_NODE = re.compile(r'^\t(\d+) \[label="(?P<label>(?:[^"\\]|\\.)*)"(?P<rest>.*)\]$')
_NODE_UNQUOTED = re.compile(r"^\t(\d+) \[label=(?P<label>\w+)(?P<rest>.*)\]$")
_EDGE = re.compile(r"^\t(\d+) -> (\d+)(?P<rest>.*)$")

Nodes = dict[int, str]
Edges = Counter[tuple[int, int]]


class _Ids(Identity):
    """Tokens that are the objects' ids, as torchviz names its nodes."""

    def of_function(self, node: Any) -> int:
        return id(node)

    def of_tensor(self, tensor: torch.Tensor) -> int:
        return id(tensor)


def drawn(outputs: torch.Tensor | tuple[torch.Tensor, ...], names: dict[str, torch.Tensor]) -> tuple[Nodes, Edges]:
    """What torchviz draws: its labels by id, and how often it draws each edge.

    Left out is what only torchviz shows as nodes: the tensors that custom Functions saved, and the
    bases of outputs that are views.
    """
    nodes: Nodes = {}
    edges: Edges = Counter()
    for line in make_dot(outputs, params=names).body:
        if edge := _EDGE.match(line.rstrip("\n")):
            if "dir=none" not in edge["rest"] and "dotted" not in edge["rest"]:
                edges[int(edge[1]), int(edge[2])] += 1
        elif node := _NODE.match(line.rstrip("\n")) or _NODE_UNQUOTED.match(line.rstrip("\n")):
            if "orange" not in node["rest"] and "darkolivegreen3" not in node["rest"]:
                nodes[int(node[1])] = node["label"]
        else:
            raise AssertionError(f"a line that is neither node nor edge: {line!r}")
    return nodes, edges


def walked(outputs: torch.Tensor | tuple[torch.Tensor, ...], names: dict[str, torch.Tensor]) -> tuple[Nodes, Edges]:
    """The same of our own walk, in torchviz's labels."""
    graph, ids = walk_with_tokens(outputs, {}, module=None, identity=_Ids())
    named = {id(tensor): name for name, tensor in names.items()}
    nodes: Nodes = {}
    for node, live in zip(graph.nodes, ids, strict=True):
        if node.tensor is None:
            nodes[live] = node.name
        else:
            sizes = ", ".join(str(size) for size in node.tensor.shape)
            nodes[live] = f"{named.get(live, '')}\n ({sizes})"
    edges: Edges = Counter((ids[edge.target], ids[edge.source]) for edge in graph.edges if edge.target is not None)
    return nodes, edges
