"""The nodes and edges of a walk, as growing columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch

from graphvis.model.graph import NodeKind

_ACCUMULATE: type = vars(torch._C._functions)["AccumulateGrad"]  # which the stubs do not list
_NAMELESS = "CppFunction"  # the class of all nodes that have none of their own in Python


def name_of(node: Any) -> str:
    """``SigmoidBackward0``: the name of an autograd node's class, or its own where it has no class in Python."""
    name = type(node).__name__
    return str(node.name()) if name == _NAMELESS else name


class Structure:
    """A breadth-first walk in columns: each node is numbered when it is first met.

    Begin with :meth:`function`, :meth:`tensor` or :meth:`leaf`, then :meth:`spread`; and again
    with others. Tensors are told apart by ``id``, which is safe because `live` holds them.

    Attributes:
        live: the autograd node or tensor behind each number.
        kinds, names: see :class:`~graphvis.model.graph.Graph`; a tensor's name is empty here.
        sources, slots, targets, output_nrs: the edges, as there.
    """

    def __init__(self) -> None:
        self.live: list[Any] = []
        self.kinds: list[NodeKind] = []
        self.names: list[str] = []
        self.sources: list[int] = []
        self.slots: list[int] = []
        self.targets: list[int] = []
        self.output_nrs: list[int] = []
        self._functions: dict[Any, int] = {}
        self._leaves: dict[int, int] = {}
        self._tensors: dict[int, int] = {}
        self._class_names: dict[type, str] = {}

    def function(self, node: Any) -> int:
        """The number of an autograd node, a new one if it was not met yet."""
        if node not in self._functions:
            self._functions[node] = self._add(node)
        return self._functions[node]

    def leaf(self, tensor: torch.Tensor) -> int:
        """The number of a tensor as a leaf."""
        if id(tensor) not in self._leaves:
            self._leaves[id(tensor)] = self._add(tensor)
        return self._leaves[id(tensor)]

    def tensor(self, tensor: torch.Tensor) -> int:
        """The number of a tensor that a program names or returns; a leaf if it is one that requires grad."""
        if id(tensor) in self._leaves or (tensor.requires_grad and tensor.grad_fn is None):
            return self.leaf(tensor)
        if id(tensor) not in self._tensors:
            self._tensors[id(tensor)] = self._add(tensor)
        return self._tensors[id(tensor)]

    @property
    def size(self) -> int:
        """How many autograd nodes were met."""
        return len(self._functions)

    def holds(self, node: Any) -> bool:
        """Whether the walk met this autograd node."""
        return node in self._functions

    def functions(self) -> Iterator[tuple[int, Any]]:
        """The autograd nodes with their numbers, ascending."""
        return ((i, self.live[i]) for i, kind in enumerate(self.kinds) if kind == "function")

    def tensors(self) -> Iterator[tuple[int, torch.Tensor]]:
        """The leaves and tensors with their numbers, ascending."""
        return ((i, self.live[i]) for i, kind in enumerate(self.kinds) if kind != "function")

    def sequence_nrs(self) -> Iterator[int]:
        """For each node autograd's sequence number; -1 for leaves, tensors and ``AccumulateGrad``."""
        for kind, node in zip(self.kinds, self.live, strict=True):
            yield -1 if kind != "function" or type(node) is _ACCUMULATE else node._sequence_nr()

    def _add(self, item: Any) -> int:
        self.live.append(item)
        return len(self.live) - 1

    def spread(self) -> None:
        """Follow ``next_functions`` from all that was met, until nothing new comes.

        The loop over a million nodes, and therefore in one piece: what is rare is left to :meth:`_spread_other`.
        """
        live, functions, leaves, class_names = self.live, self._functions, self._leaves, self._class_names
        kinds, names, sources, slots = self.kinds, self.names, self.sources, self.slots
        targets, output_nrs = self.targets, self.output_nrs
        start = len(kinds)
        for i, node in enumerate(islice(live, start, None), start):  # live grows meanwhile
            kind = type(node)
            if kind is _ACCUMULATE:
                variable = node.variable
                number = leaves.get(id(variable))
                if number is None:
                    number = leaves[id(variable)] = len(live)
                    live.append(variable)
                kinds.append("function")
                names.append("AccumulateGrad")
                sources.append(i)
                slots.append(0)
                targets.append(number)
                output_nrs.append(0)
                continue
            name = class_names.get(kind)
            if name is None:
                if leaves.get(id(node)) == i:
                    kinds.append("leaf")
                    names.append("")
                else:
                    self._spread_other(i, node)
                continue
            kinds.append("function")
            names.append(name)
            for slot, (function, output_nr) in enumerate(node.next_functions):
                if function is None:
                    targets.append(-1)
                else:
                    number = functions.get(function)
                    if number is None:
                        number = functions[function] = len(live)
                        live.append(function)
                    targets.append(number)
                sources.append(i)
                slots.append(slot)
                output_nrs.append(output_nr)

    def _spread_other(self, i: int, node: Any) -> None:
        """What the loop does not know: tensors, and classes of nodes that it meets for the first time."""
        if isinstance(node, torch.Tensor):
            grad_fn = node.grad_fn
            self._note(i, "tensor", "", [] if grad_fn is None else [(self.function(grad_fn), node.output_nr)])
            return
        name = name_of(node)
        if type(node).__name__ != _NAMELESS:
            self._class_names[type(node)] = name
        edges = [(-1 if f is None else self.function(f), output_nr) for f, output_nr in node.next_functions]
        self._note(i, "function", name, edges)

    def _note(self, i: int, kind: NodeKind, name: str, edges: list[tuple[int, int]]) -> None:
        self.kinds.append(kind)
        self.names.append(name)
        for slot, (target, output_nr) in enumerate(edges):
            self.sources.append(i)
            self.slots.append(slot)
            self.targets.append(target)
            self.output_nrs.append(output_nr)
