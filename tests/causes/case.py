"""What a test program is, and how the truth about it is measured without graphvis.

A program is a plain function ``step(model)`` that returns a loss. The lines that matter carry a
mark in a trailing comment (``# CUT``, ``# CUT INFERRED`` where the way back is inferred,
``# SAVED``, ``# WROTE``), from which the expected line numbers are read, so that editing a program
never makes its expectation stale.

The truth is PyTorch's own: whether ``.grad`` is None, zero or not after a real ``backward()``, and
whether the loss changes when a parameter's value does (then the value reaches the loss, gradient
or not).
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

Step = Callable[[nn.Module], Tensor]
Build = Callable[[], nn.Module]


class Weights(nn.Module):
    """Four square weights by name, float64 so that a small change of a value is seen in the loss."""

    w: Tensor
    v: Tensor
    u: Tensor

    def __init__(self, *names: str) -> None:
        super().__init__()
        for name in names:
            self.register_parameter(name, nn.Parameter(torch.randn(4, 4, dtype=torch.float64)))


def weights(*names: str) -> Build:
    """A builder of :class:`Weights`."""
    return lambda: Weights(*names)


@dataclass(frozen=True)
class Case:
    """A program with what is true of it.

    Attributes:
        step: runs the forward pass and returns the loss.
        build: makes the model whose parameters are judged.
        verdicts: the status of each parameter, by name; a pair of statuses where two are true.
        kinds: the kinds that its cuts may have; their lines are marked ``# CUT``.
        probe: whether the truth needs a backward (``zero``, Functions that return None).
        marks: line numbers by mark.
    """

    step: Step
    build: Build
    verdicts: Mapping[str, str]
    kinds: frozenset[str] = frozenset()
    probe: bool = False
    marks: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.step.__name__


def marks(function: Callable[..., object]) -> dict[str, frozenset[int]]:
    """The line numbers of the marks in `function`'s source."""
    lines, start = inspect.getsourcelines(inspect.unwrap(function))
    found: dict[str, set[int]] = {}
    for number, line in enumerate(lines, start):
        if mark := re.search(r"#\s*([A-Z][A-Z ]*[A-Z])\s*$", line):
            for word in mark[1].split():
                found.setdefault(word, set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def run(case: Case, change: Callable[[nn.Module], None] | None = None) -> tuple[nn.Module, Tensor]:
    """The model and the loss of one run from a fixed seed, after `change` to the fresh model."""
    torch.manual_seed(7)
    grad_mode = torch.is_grad_enabled()
    model = case.build()
    if change is not None:
        state = torch.get_rng_state()
        with torch.no_grad():
            change(model)
        torch.set_rng_state(state)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loss = case.step(model)
    finally:
        torch.set_grad_enabled(grad_mode)
    return model, loss


def measure(case: Case) -> dict[str, str]:
    """The status of each parameter as PyTorch has it."""
    model, loss = run(case)
    before = loss.detach().clone()
    model.zero_grad()
    if loss.requires_grad:
        loss.sum().backward()
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            found[name] = "gradient" if parameter.grad.to_dense().count_nonzero() else "zero"
        elif not parameter.requires_grad:
            found[name] = "frozen" if _reaches(case, name, before) else "unused"
        else:
            found[name] = "cut" if _reaches(case, name, before) else "unused"
    return found


def _reaches(case: Case, name: str, loss: Tensor) -> bool:
    """Whether the value of the parameter `name` reaches the loss: whether a change of it changes the loss."""
    for scale in (0.1, 1.0, -3.0, 10.0):

        def change(model: nn.Module, scale: float = scale) -> None:
            parameter = model.get_parameter(name)
            values = parameter._values() if parameter.is_sparse else parameter
            values.copy_(values * (1 + scale) + scale * torch.randn_like(values))

        _, changed = run(case, change)
        if not torch.equal(changed.detach(), loss):
            return True
    return False
