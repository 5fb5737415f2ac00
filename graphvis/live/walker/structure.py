"""The nodes and edges of a walk, as growing columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, repeat, takewhile
from operator import attrgetter
from typing import Any

import torch

from graphvis.live.walker.numbering import Numbers
from graphvis.model.elements import NodeKind

_ACCUMULATE: type = vars(torch._C._functions)["AccumulateGrad"]  # which the stubs do not list
_VARIABLE = attrgetter("variable")
_MANY = 16  # from so many on, taking them by columns is the faster way
_MOST_AT_ONCE = 4096
_NAMELESS = "CppFunction"  # the class of all nodes that have none of their own in Python


def name_of(node: Any) -> str:
    """``SigmoidBackward0``: the name of an autograd node's class, or its own where it has no class in Python."""
    name = type(node).__name__
    return str(node.name()) if name == _NAMELESS else name


def _accumulates(node: Any) -> bool:
    return type(node) is _ACCUMULATE


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
        self._functions = Numbers({None: -1})
        self._leaves = Numbers()
        self._rows: dict[int, int] = {}  # of leaves that were met one after the other: the first, and how many
        self._tensor_numbers: list[int] = []  # of leaves and tensors
        self._tensors: dict[int, int] = {}
        self._class_names: dict[type, str] = {}

    def function(self, node: Any) -> int:
        """The number of an autograd node, a new one if it was not met yet; -1 for None."""
        number = self._functions.find(node)
        if number is None:
            number = self._functions[node] = self._add(node)
        return number

    def leaf(self, tensor: torch.Tensor) -> int:
        """The number of a tensor as a leaf."""
        number = self._leaves.find(id(tensor))
        if number is None:
            number = self._leaves[id(tensor)] = self._add(tensor)
        return number

    def tensor(self, tensor: torch.Tensor) -> int:
        """The number of a tensor that a program names or returns; a leaf if it is one that requires grad."""
        if self._leaves.find(id(tensor)) is not None or (tensor.requires_grad and tensor.grad_fn is None):
            return self.leaf(tensor)
        if id(tensor) not in self._tensors:
            self._tensors[id(tensor)] = self._add(tensor)
        return self._tensors[id(tensor)]

    @property
    def depth(self) -> int:
        """What no path is longer than: how many autograd nodes there are, of all that end one only one."""
        return self._functions.count - self.names.count("AccumulateGrad")

    def holds(self, node: Any) -> bool:
        """Whether the walk met this autograd node."""
        return self._functions.find(node) is not None

    def functions(self) -> Iterator[tuple[int, Any]]:
        """The autograd nodes with their numbers, ascending."""
        return ((i, self.live[i]) for i, kind in enumerate(self.kinds) if kind == "function")

    def tensors(self) -> tuple[list[int], list[torch.Tensor]]:
        """The numbers of the leaves and tensors, ascending, and themselves."""
        return self._tensor_numbers, list(map(self.live.__getitem__, self._tensor_numbers))

    def sequence_nrs(self) -> Iterator[int]:
        """For each node autograd's sequence number; -1 for leaves, tensors and ``AccumulateGrad``."""
        for kind, node in zip(self.kinds, self.live, strict=True):
            yield -1 if kind != "function" or type(node) is _ACCUMULATE else node._sequence_nr()

    def _add(self, item: Any) -> int:
        self.live.append(item)
        return len(self.live) - 1

    def spread(self) -> None:  # noqa: C901, PLR0915 - a loop over a million nodes stays in one piece
        """Follow ``next_functions`` from all that was met, until nothing new comes.

        The loop over a million nodes, and therefore in one piece; where many come at once, they are left
        to :meth:`_meet_all` and :meth:`_spread_leaves`, which take them by columns.
        """
        live, functions, leaves, class_names = self.live, self._functions, self._leaves, self._class_names
        kinds, names, sources, slots = self.kinds, self.names, self.sources, self.slots
        targets, output_nrs = self.targets, self.output_nrs
        leaf_rows, function_rows, rows, numbers = leaves.rows, functions.rows, self._rows, self._tensor_numbers
        ahead = enumerate(islice(live, len(kinds), None), len(kinds))  # live grows meanwhile
        for i, node in ahead:
            kind = type(node)
            if kind is _ACCUMULATE:
                if i + 1 < len(live) and type(live[i + 1]) is _ACCUMULATE:
                    row = self._spread_leaves(i)
                    next(islice(ahead, row - 1, row - 1), None)
                    continue
                if leaf_rows:
                    leaves.settle()
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
                if leaves.get(id(node)) == i and i not in rows:
                    kinds.append("leaf")
                    names.append("")
                    numbers.append(i)
                    continue
                if i in rows:
                    row = self._pass_leaves(i)
                    next(islice(ahead, row - 1, row - 1), None)  # the iterator moves on by so many
                    continue
                if isinstance(node, torch.Tensor):
                    self._spread_tensor(i, node)
                    continue
                name = self._name(node)
            kinds.append("function")
            names.append(name)
            below = node.next_functions
            if len(below) >= _MANY:
                self._meet_all(i, below)
                continue
            if function_rows:
                functions.settle()
            for slot, (function, output_nr) in enumerate(below):
                number = functions.get(function)
                if number is None:
                    number = functions[function] = len(live)
                    live.append(function)
                targets.append(number)
                sources.append(i)
                slots.append(slot)
                output_nrs.append(output_nr)

    def _meet_all(self, i: int, edges: tuple[tuple[Any, int], ...]) -> None:
        """What :meth:`spread` does for the edges of a node, where they are many."""
        below, output_nrs = zip(*edges, strict=True)
        self.targets.extend(self._number(below, below, self._functions))
        self.sources.extend(repeat(i, len(edges)))
        self.slots.extend(range(len(edges)))
        self.output_nrs.extend(output_nrs)

    def _number(self, keys: Sequence[Any], items: Sequence[Any], numbers: Numbers) -> Sequence[int]:
        """The number of each item, which `numbers` knows by its key; new ones are appended to what is live."""
        found, new = numbers.number_all(keys, len(self.live))
        self.live.extend(items if len(new) == len(items) else map(items.__getitem__, new))
        return found

    def _spread_leaves(self, i: int) -> int:
        """What :meth:`spread` does for an ``AccumulateGrad``, for all that stand in a row from `i`; how many."""
        row = self.live[i : i + _MOST_AT_ONCE]
        if set(map(type, row)) != {_ACCUMULATE}:
            row = list(takewhile(_accumulates, row))
        variables = list(map(_VARIABLE, row))
        first = len(self.live)
        self.targets.extend(self._number(list(map(id, variables)), variables, self._leaves))
        if len(self.live) > first:
            self._rows[first] = len(self.live) - first
        self.kinds.extend(repeat("function", len(row)))
        self.names.extend(repeat("AccumulateGrad", len(row)))
        self.sources.extend(range(i, i + len(row)))
        self.slots.extend(repeat(0, len(row)))
        self.output_nrs.extend(repeat(0, len(row)))
        return len(row)

    def _pass_leaves(self, i: int) -> int:
        """What :meth:`spread` does for a leaf, for all that stand in a row from `i`; how many."""
        row = self._rows[i]
        self.kinds.extend(repeat("leaf", row))
        self.names.extend(repeat("", row))
        self._tensor_numbers.extend(range(i, i + row))
        return row

    def _spread_tensor(self, i: int, tensor: torch.Tensor) -> None:
        self.kinds.append("tensor")
        self.names.append("")
        self._tensor_numbers.append(i)
        if tensor.grad_fn is not None:
            self.targets.append(self.function(tensor.grad_fn))
            self.sources.append(i)
            self.slots.append(0)
            self.output_nrs.append(tensor.output_nr)

    def _name(self, node: Any) -> str:
        """The name of an autograd node of a class that the loop does not know."""
        name = name_of(node)
        if type(node).__name__ != _NAMELESS:
            self._class_names[type(node)] = name
        return name
