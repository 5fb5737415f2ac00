"""What backward gives at a moment, asked of PyTorch itself without changing what comes after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.autograd.graph import Node

from graphvis.live.numbers import format_value
from graphvis.model import Outcome

_ACCUMULATE = "torch::autograd::AccumulateGrad"
_NOT_FOR_GRAD = "Checkpointing is not compatible with .grad()"


class Answer:
    """PyTorch's answer.

    Attributes:
        grads: the gradient of each leaf by name; None for one that gets none. Empty after an error.
        error: what backward raised; None where it succeeded.
        passed: (node, slot) pairs along which a gradient that is not None was handed on.
    """

    def __init__(self) -> None:
        self.grads: dict[str, torch.Tensor | None] = {}
        self.error: Exception | None = None
        self.passed: set[tuple[Node, int]] = set()

    def outcome(self, passed: tuple[int, ...]) -> Outcome:
        """The answer as data; `passed` as indices into a graph's columns."""
        if self.error is not None:
            name = type(self.error).__name__
            return Outcome(error=str(self.error), error_type=name, passed=passed)
        return Outcome(grads={name: _text(grad) for name, grad in self.grads.items()}, passed=passed)


def ask_backward(outputs: Sequence[torch.Tensor], leaves: Mapping[str, torch.Tensor]) -> Answer:
    """What backward from `outputs` gives each of `leaves`.

    ``torch.autograd.grad`` with ``retain_graph``, so that the program may go on and call backward itself;
    random numbers and grad mode are as before afterwards. A reentrant checkpoint refuses it: then a real
    ``backward()``, after which every ``.grad`` is put back.

    Args:
        outputs: where backward starts.
        leaves: leaves that require grad, by name.
    """
    answer = Answer()
    with torch.random.fork_rng(devices=()), _watching(outputs, answer.passed):
        try:
            answer.grads = _grad(outputs, leaves)
        except Exception as error:  # whatever backward raises is the answer
            if _NOT_FOR_GRAD not in str(error):
                answer.error = error
                return answer
            answer.passed.clear()
            try:
                answer.grads = _backward(outputs, leaves)
            except Exception as second:
                answer.error = second
    return answer


def _grad(outputs: Sequence[torch.Tensor], leaves: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor | None]:
    # Asked for some leaves only, PyTorch leaves out what leads to the others: ask for those without a name too.
    known = {id(leaf) for leaf in leaves.values()}
    unnamed = [leaf for leaf in _leaves(outputs) if id(leaf) not in known]
    # With nothing to differentiate by, it complains of that first; a leaf of our own lets it come to the outputs.
    wanted = [*leaves.values(), *unnamed] or [torch.zeros((), requires_grad=True)]
    found = torch.autograd.grad(list(outputs), wanted, retain_graph=True, allow_unused=True)
    return dict(zip(leaves, found, strict=False))


def _backward(outputs: Sequence[torch.Tensor], leaves: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor | None]:
    kept = {name: leaf.grad for name, leaf in leaves.items()}
    try:
        for leaf in leaves.values():
            leaf.grad = None
        torch.autograd.backward(list(outputs), retain_graph=True)
        return {name: leaf.grad for name, leaf in leaves.items()}
    finally:
        for name, leaf in leaves.items():
            leaf.grad = kept[name]


@contextmanager
def _watching(outputs: Sequence[torch.Tensor], passed: set[tuple[Node, int]]) -> Iterator[None]:
    """Note in `passed` which nodes hand on a gradient, and through which slot."""
    handles = []
    for node in _functions(outputs):

        def note(grad_inputs: tuple[Any, ...], grad_outputs: tuple[Any, ...], node: Node = node) -> None:
            passed.update((node, slot) for slot, grad in enumerate(grad_inputs) if grad is not None)

        handles.append(node.register_hook(note))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _leaves(outputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The leaves behind `outputs`, each once."""
    found: dict[int, torch.Tensor] = {
        id(below.variable): below.variable  # type: ignore[attr-defined]  # only AccumulateGrad has it
        for node in _functions(outputs)
        for below, _ in node.next_functions
        if below is not None and below.name() == _ACCUMULATE
    }
    return list(found.values())


def _functions(outputs: Sequence[torch.Tensor]) -> list[Node]:
    """All function nodes behind `outputs` but ``AccumulateGrad``, which hands nothing on."""
    stack = [output.grad_fn for output in outputs if output.grad_fn is not None]
    found = dict.fromkeys(stack)
    while stack:
        for node, _ in stack.pop().next_functions:
            if node is not None and node not in found and node.name() != _ACCUMULATE:
                found[node] = None
                stack.append(node)
    return list(found)


def _text(grad: torch.Tensor | None) -> str | None:
    if grad is None:
        return None
    return format_value(grad) or f"{str(grad.dtype).removeprefix('torch.')} {list(grad.shape)}"
