"""What a graph keeps in memory until backward has run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from graphvis.model import Graph


class Kept(msgspec.Struct, frozen=True):
    """What the nodes of one module keep.

    Attributes:
        module: dotted path of the module in whose forward the nodes were made; empty outside of modules, or where no
            recording tells.
        nbytes: bytes of the storages that only these nodes keep, each counted once. What a leaf holds anyway (a
            parameter, an input that requires grad) is not counted.
        tensors: how many saved tensors that are.
        functions: how many nodes keep something.
    """

    module: str
    nbytes: int
    tensors: int
    functions: int


def kept_by_module(graph: Graph) -> tuple[Kept, ...]:
    """The memory that saved tensors keep alive, by module, in forward order.

    A storage that several nodes save counts for the one that came first in forward order; freed and unknown ones do
    not count.
    """
    found = _kept(graph, lambda node: graph.modules.get(node, ""))
    return tuple(Kept(module, *row) for module, row in found.items())


def kept_by_node(graph: Graph, nodes: Sequence[int]) -> dict[int, tuple[int, int]]:
    """The bytes, and the number of saved tensors, that each node of a folded graph stands for, where it keeps some.

    Args:
        graph: the whole graph.
        nodes: for each of its nodes the one that it went into.
    """
    return {node: (row[0], row[1]) for node, row in _kept(graph, nodes.__getitem__).items()}


_Key = TypeVar("_Key")


def _kept(graph: Graph, key: Callable[[int], _Key]) -> dict[_Key, list[int]]:
    """Bytes, saved tensors and functions, by what `key` says of a node."""
    counted = {info.storage for i, info in graph.tensors.items() if graph.kinds[i] == "leaf"}
    found: dict[_Key, list[int]] = {}
    for node in sorted(graph.saved, reverse=True):  # a walk meets the last call first
        saved = [one for one in graph.saved[node] if one.nbytes and one.state not in ("freed", "unknown")]
        fresh = {one.storage: one.nbytes for one in saved if one.storage is not None and one.storage not in counted}
        counted.update(fresh)
        if fresh:
            row = found.setdefault(key(node), [0, 0, 0])
            row[0] += sum(fresh.values())
            row[1] += len(fresh)
            row[2] += 1
    return found
