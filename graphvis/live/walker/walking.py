"""From live outputs to a frozen graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from graphvis.live.unwatched import uncollected, unwatched
from graphvis.live.walker.freeing import guard
from graphvis.live.walker.identity import Identity
from graphvis.live.walker.naming import Names
from graphvis.live.walker.outputs import Output, find_outputs
from graphvis.live.walker.saved import Memory, SavedReader
from graphvis.live.walker.states import describe_all
from graphvis.live.walker.structure import Structure
from graphvis.live.walker.tensors import Storages
from graphvis.model.graph import Graph

_ATTEMPTS = 10
Module = torch.nn.Module | Iterable[torch.nn.Module]


def walk(
    outputs: Any,
    names: Mapping[str, object] | None = None,
    *,
    module: Module | None = None,
    also: Mapping[str, object] | None = None,
    number: Callable[[torch.Tensor], int | None] | None = None,
    states: bool = True,
    saved: bool = True,
    values: bool = True,
    memory: Memory | None = None,
) -> Graph:
    """Walk ``grad_fn`` and ``next_functions`` from `outputs` and note what is met.

    The walk is breadth-first: the roots get the first numbers, in the order of `outputs`, then
    what they lead to, slot by slot; then `also` and what only these lead to; then the named
    intermediates. It changes nothing in the program: nothing is computed, no node is made, no hook
    and no mode is called, no device is waited for.

    Args:
        outputs: a tensor, a ``GradientEdge``, or a tuple, list, dict or dataclass of them.
        names: names for leaves and for tensors that autograd nodes in the walk made; these become
            nodes. Values that are not tensors are passed over, so ``locals()`` will do.
        module: names leaves by ``named_parameters``; these names come before those in `names`.
        also: tensors that get a node whether the outputs lead to them or not; their graphs are
            walked too, but they are no roots.
        number: a tensor's number in the running record; fills :attr:`TensorInfo.trace_number`, and with it the
            sequence numbers, which tell the calls that made the nodes.
        states: whether to read the states of tensors; without them :attr:`Graph.tensors` is empty, and the names of
            leaves and tensors are in :attr:`Graph.names` alone.
        saved: whether to read what nodes keep for backward.
        values: whether to read values and gradients of small tensors on the CPU.
        memory: where a tensor lies in the running record; fills :attr:`Saved.memory`.

    Returns:
        The graph, which holds no live object.

    Raises:
        WalkError: if there is no tensor in `outputs`.
    """
    with uncollected(), unwatched():
        return _Walk(outputs, names, module, also, values).graph(number, saved, memory, states)


def walk_with_tokens(
    outputs: Any,
    names: Mapping[str, object] | None = None,
    *,
    identity: Identity,
    module: Module | None = None,
    also: Mapping[str, object] | None = None,
    number: Callable[[torch.Tensor], int | None] | None = None,
    saved: bool = True,
    values: bool = True,
    most: int | None = None,
) -> tuple[Graph, tuple[int, ...]]:
    """Like :func:`walk`, with a token for each node; none where there are more nodes than `most`.

    A node of this walk and one of another walk with the same `identity` are the same live object
    if and only if their tokens are equal, within the limits that :class:`Identity` states.
    """
    with uncollected(), unwatched():
        walked = _Walk(outputs, names, module, also, values)
        graph = walked.graph(number, saved)
        return graph, () if most is not None and len(graph.kinds) > most else walked.tokens(identity)


class _Walk:
    """A finished walk that still holds the live nodes; to be made and used unwatched."""

    def __init__(
        self,
        outputs: Any,
        names: Mapping[str, object] | None,
        module: Module | None,
        also: Mapping[str, object] | None,
        values: bool,
    ) -> None:
        self._values = values
        found = find_outputs(outputs)
        self._names = Names(names, module)
        others = [value for value in (also or {}).values() if isinstance(value, torch.Tensor)]
        for name, value in (also or {}).items():
            self._names.add(name, value)
        self._structure = Structure()
        self._roots: list[int] = []
        tops: list[Any] = []
        interruption: BaseException | None = None
        try:
            tops = self._follow(found, others)
        except BaseException as error:
            interruption = error
        # Ctrl-C, or a timer's handler, may break off this too, and a graph that is guarded by half is a crash to come.
        for _ in range(_ATTEMPTS):
            try:
                guard(self._structure, tops)
                break
            except BaseException as error:
                interruption = error
        try:
            if interruption is not None:
                raise interruption
        finally:
            del interruption  # else it and this frame hold each other, and the graph

    def _follow(self, outputs: list[Output], others: list[torch.Tensor]) -> list[Any]:
        """Walk it all; the autograd nodes that the walk began from."""
        structure = self._structure
        for output in outputs:
            self._roots.append(
                structure.tensor(output) if isinstance(output, torch.Tensor) else structure.function(output.node)
            )
        structure.spread()
        for tensor in others:
            structure.tensor(tensor)
        structure.spread()
        for tensor in self._names.tensors.values():
            if tensor.grad_fn is not None and structure.holds(tensor.grad_fn):
                structure.tensor(tensor)
        structure.spread()
        tops = [output.grad_fn if isinstance(output, torch.Tensor) else output.node for output in [*outputs, *others]]
        return [top for top in tops if top is not None]

    def graph(
        self,
        number: Callable[[torch.Tensor], int | None] | None,
        saved: bool,
        memory: Memory | None = None,
        states: bool = True,
    ) -> Graph:
        """What was walked, frozen."""
        structure, storages = self._structure, Storages()
        nodes, tensors = structure.tensors()
        infos = describe_all(nodes, tensors, self._names, storages, number, self._values) if states else {}
        reader = SavedReader(storages, memory)
        kept = {i: found for i, node in structure.functions() if (found := reader.read(node))} if saved else {}
        names = structure.names
        if self._names.tensors:
            for node, tensor in zip(nodes, tensors, strict=True):
                names[node] = next(iter(self._names.of(tensor)), "")
        return Graph(
            torch=str(torch.__version__),
            kinds=tuple(structure.kinds),
            names=tuple(names),
            sources=tuple(structure.sources),
            slots=tuple(structure.slots),
            targets=tuple(structure.targets),
            output_nrs=tuple(structure.output_nrs),
            roots=tuple(self._roots),
            tensors=infos,
            saved=kept,
            sequence_nrs=() if number is None else tuple(structure.sequence_nrs()),
        )

    def tokens(self, identity: Identity) -> tuple[int, ...]:
        """The token of each node."""
        return tuple(
            identity.of_function(live) if kind == "function" else identity.of_tensor(live)
            for kind, live in zip(self._structure.kinds, self._structure.live, strict=True)
        )
