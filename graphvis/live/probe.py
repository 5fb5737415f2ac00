"""Watching gradients on their way: where one becomes exactly zero, or None.

A :class:`Watch` hangs a hook on every node behind some outputs and takes it off again. Whether it is
the program's own backward that passes or one of ours, what it says is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch.nn.parameter import is_lazy

from graphvis.analysis.diagnosing import Zeroing
from graphvis.live.unchanged import undisturbed
from graphvis.live.walker.outputs import find_outputs

_CUSTOM = torch._C._FunctionBase
_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc, torch.jagged)
_ACCUMULATE: Any = vars(torch._C._functions)["AccumulateGrad"]  # which the stubs do not list


class Measured(NamedTuple):
    """What was measured of one parameter.

    Attributes:
        zero: where its gradient became exactly zero; None where it is not.
        missing: where its gradient became None although an edge leads to it; None where it did not.
        arrived: of one to which no edge leads, whether it was given a gradient by a backward that a Function's backward
            ran, as that of a reversible layer does; None where nobody looked.
    """

    zero: Zeroing | None = None
    missing: Zeroing | None = None
    arrived: bool | None = None


class Probed(NamedTuple):
    """What a backward of our own gave.

    Attributes:
        measured: by ``id`` of the parameter; only what is not plainly a gradient.
        error: what was raised, with the words; None where nothing was.
    """

    measured: dict[int, Measured]
    error: Exception | None = None


class Watch:
    """Hooks on every node behind some outputs, for one backward.

    Use it as a context manager around the backward, then ask :meth:`measure`. Nothing waits for a
    device until then.
    """

    def __init__(self, outputs: Any, leaves: Sequence[torch.Tensor] = ()) -> None:
        """Walk the nodes.

        Args:
            outputs: what the backward starts from.
            leaves: parameters that a reentrant checkpoint may hide from the walk: backward builds a graph of its own
                for them.
        """
        self._nodes: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._passed: dict[int, tuple[tuple[Any, ...], tuple[Any, ...]]] = {}
        self._hidden: dict[int, int] = {}
        self._handles: list[Any] = []
        for node in nodes_behind(find_outputs(outputs)):
            self._numbers[node] = len(self._nodes)
            self._nodes.append(node)
        with torch._C.DisableTorchFunction():
            for leaf in leaves:
                if leaf.is_leaf and leaf.requires_grad:
                    try:
                        node = torch.autograd.graph.get_gradient_edge(leaf).node
                    except RuntimeError:  # nested without a ragged size: PyTorch asks it for the sizes that it has not
                        continue
                    if node not in self._numbers:
                        self._hidden[id(leaf)] = self._numbers[node] = len(self._nodes)
                        self._nodes.append(node)

    @property
    def meets_checkpoint(self) -> bool:
        """Whether one of the nodes is a reentrant checkpoint, which runs a backward of its own."""
        return any(_name_of(node) == "CheckpointFunctionBackward" for node in self._nodes)

    def __enter__(self) -> Watch:
        try:
            for number, node in enumerate(self._nodes):
                self._handles.append(node.register_hook(self._hook(number)))
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _remove(self) -> None:
        while self._handles:
            self._handles.pop().remove()

    def _hook(self, number: int) -> Any:
        def look(handed_on: tuple[Any, ...], came: tuple[Any, ...]) -> None:
            with torch.no_grad(), torch._C.DisableTorchFunction():
                counts = tuple(map(count, came))
                if number in self._passed:  # a second backward inside this one comes by the same leaf
                    counts = tuple(map(_more, self._passed[number][0], counts))
                self._passed[number] = (counts, tuple(map(count, handed_on)))

        return look

    def measure(
        self, parameters: Sequence[torch.Tensor], gradients: Mapping[int, torch.Tensor | None] | None = None
    ) -> dict[int, Measured]:
        """What became of the gradients of some leaves.

        Args:
            parameters: the leaves.
            gradients: what ``autograd.grad`` gave for them, by ``id``; None after a backward().

        Returns:
            What was measured, by ``id``; only what is not plainly a gradient.
        """
        leaves = {id(node.variable): number for number, node in enumerate(self._nodes) if _is_leaf(node)}
        users: list[list[tuple[int, int]]] = [[] for _ in self._nodes]
        for number, node in enumerate(self._nodes):
            for slot, (following, _) in enumerate(node.next_functions):
                if following is not None:
                    users[self._numbers[following]].append((number, slot))
        found = {}
        for parameter in parameters:
            leaf, hidden = leaves.get(id(parameter)), id(parameter) in self._hidden
            if leaf is None or (hidden and leaf not in self._passed):
                if hidden:
                    found[id(parameter)] = Measured(arrived=False)
                continue
            if (
                gradients is not None
                and id(parameter) in gradients
                and not (hidden and gradients[id(parameter)] is None)
            ):
                numbers = count(gradients[id(parameter)])
            else:
                came = self._passed.get(leaf, ((None,), ()))[0]
                numbers = came[0] if came else None
            if numbers is None:
                found[id(parameter)] = Measured(missing=self._where(leaf, users, missing=True))
            elif parameter.numel() and not int(numbers):
                zero, none = (self._where(leaf, users, missing=missing) for missing in (False, True))
                # What a Function gave as None, another one nearer to the leaf fills with zeros.
                gave_none = none.custom and none == zero
                found[id(parameter)] = Measured(missing=none) if gave_none else Measured(zero=zero)
            elif hidden:
                found[id(parameter)] = Measured(arrived=True)
        return found

    def _where(self, leaf: int, users: list[list[tuple[int, int]]], missing: bool) -> Zeroing:
        """The node nearest to the outputs that took in a gradient and handed none on towards the leaf."""
        toward: dict[int, list[int]] = {leaf: []}
        stack = [leaf]
        while stack:
            for user, slot in users[stack.pop()]:
                if user not in toward:
                    toward[user] = []
                    stack.append(user)
                toward[user].append(slot)
        best: Zeroing | None = None
        for number, slots in toward.items():
            came, handed_on = self._passed.get(number, ((), ()))
            # None comes of any gradient, of one without numbers too; zero only of one that was not.
            if not slots or not any(count is not None and (missing or int(count)) for count in came):
                continue
            gone = [handed_on[slot] if slot < len(handed_on) else None for slot in slots]
            if all(count is None for count in gone) if missing else not any(c is not None and int(c) for c in gone):
                node = self._nodes[number]
                custom = isinstance(node, _CUSTOM)
                partly = custom and None in came
                here = Zeroing(_name_of(node), node._sequence_nr(), custom, partly)
                if best is None or here.sequence > best.sequence:
                    best = here
        return best or Zeroing("", -1, False)


def probe(outputs: Any, parameters: Sequence[torch.Tensor]) -> Probed:
    """Run a backward of our own from `outputs` and measure the gradients of `parameters`.

    It runs tensor hooks. ``.grad``, the graph and the random numbers stay as they are. A backward that
    raises measures nothing.
    """
    roots = [root for root in find_outputs(outputs) if isinstance(root, torch.Tensor) and root.requires_grad]
    wanted = learning(parameters)
    if not roots or not wanted:
        return Probed({})
    watch = Watch(roots, wanted)
    seeds = [torch.ones_like(root) for root in roots]
    given = None
    with undisturbed((*wanted, *leaves_of(roots))), watch:
        try:
            # A reentrant checkpoint allows only a whole backward, and so do those of other libraries.
            if not watch.meets_checkpoint:
                with suppress(RuntimeError):
                    given = torch.autograd.grad(roots, wanted, seeds, retain_graph=True, allow_unused=True)
            if given is None:
                torch.autograd.backward(roots, seeds, retain_graph=True)
        except Exception as error:  # a Function's backward may raise anything
            return Probed({}, error)
    if given is None:
        return Probed(watch.measure(wanted))
    return Probed(watch.measure(wanted, {id(leaf): gradient for leaf, gradient in zip(wanted, given, strict=True)}))


def learning(parameters: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """Those that autograd may be asked for the gradients of: not those of a lazy module that have no shape yet."""
    return [parameter for parameter in parameters if parameter.requires_grad and not is_lazy(parameter)]


def nodes_behind(outputs: Sequence[Any]) -> list[Any]:
    """The live nodes that some outputs lead to, each once."""
    with torch._C.DisableTorchFunction():
        tops = [output.grad_fn if isinstance(output, torch.Tensor) else output.node for output in outputs]
    seen: dict[Any, None] = {}
    stack = [top for top in tops if top is not None]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen[node] = None
            stack.extend(following for following, _ in node.next_functions if following is not None)
    return list(seen)


def _is_leaf(node: Any) -> bool:
    return type(node) is _ACCUMULATE


def leaves_of(outputs: Sequence[Any]) -> list[torch.Tensor]:
    """The leaves that some outputs lead to."""
    return [node.variable for node in nodes_behind(outputs) if _is_leaf(node)]


def count(gradient: Any) -> Any:
    """How many numbers of a gradient are not zero, still on its device; None for no gradient.

    One that cannot be asked, as a class of the program's own may not know how to, is taken for one that is not zero.
    """
    if gradient is None:
        return None
    try:
        with torch._C.DisableTorchFunction():
            if gradient.layout is torch.sparse_coo:
                gradient = gradient._values()
            elif gradient.is_nested:
                gradient = gradient.values()
            elif gradient.layout is not torch.strided:  # compressed, or of a library's own
                gradient = gradient.values() if gradient.layout in _COMPRESSED else gradient.to_dense()
            found = gradient.detach().count_nonzero()
            return found if type(found) is torch.Tensor else int(found)
    except Exception:  # what it raises is the class's affair
        return 1


def _more(one: Any, other: Any) -> Any:
    return one if other is None else other if one is None else one + other


def _name_of(node: Any) -> str:
    name = type(node).__name__
    return str(node.name()) if name == "CppFunction" else name
