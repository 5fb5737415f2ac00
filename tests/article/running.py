"""Scenarios run by PyTorch alone: no recorder, no walker, no picture stands between the program and its figures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from graphvis.scenario import Scenario, find, load, plain_source


class State(NamedTuple):
    is_leaf: bool
    grad_fn: str | None
    requires_grad: bool


CUT = State(is_leaf=True, grad_fn=None, requires_grad=False)


@dataclass(frozen=True)
class Told:
    """What PyTorch says at a moment, copied there: what follows may write to the same tensors.

    Attributes:
        grads: of each leaf that requires grad, by name, to 4 digits; None where backward gives none.
        error: the message with which backward raises; None where it succeeds.
        values: the numbers in each tensor, to 4 digits.
        versions: ``_version`` of each tensor; None where it has none.
        states: of each tensor.
        storages: where each tensor's memory begins.
        printed: each tensor as PyTorch prints it.
    """

    grads: dict[str, Any]
    error: str | None
    values: dict[str, Any]
    versions: dict[str, int | None]
    states: dict[str, State]
    storages: dict[str, int]
    printed: dict[str, str]


def to_4_digits(tensor: torch.Tensor | None) -> Any:
    if tensor is None:
        return None
    numbers = tensor.detach()
    return [round(number, 4) for number in numbers.tolist()] if numbers.ndim else round(numbers.item(), 4)


def moments_of(name: str) -> dict[str, Told]:
    """What PyTorch says at each moment of a built-in scenario, by side; the program runs as it stands."""
    scenario = find(name)
    program = load(scenario)
    told = {}
    with _as_in_a_script():
        for arguments in ((False,), (True,)) if scenario.takes_cut else ((),):
            running = program(*arguments)
            for moment in running:
                told[moment.side] = _ask(moment.outputs, running.gi_frame.f_locals)
    return told


def run_plain(scenario: Scenario, side: Any) -> Told:
    """What one half's plain source leaves behind, by the very ``.backward()`` that it ends with."""
    variables: dict[str, Any] = {"__name__": "pasted"}
    error = None
    with _as_in_a_script():
        try:
            exec(compile(plain_source(scenario, side), f"<{scenario.name}, {side}>", "exec"), variables)
        except RuntimeError as raised:
            error = str(raised)
    return _told({name: leaf.grad for name, leaf in _leaves(variables).items()}, error, variables)


def _ask(outputs: Any, variables: dict[str, Any]) -> Told:
    leaves = _leaves(variables)
    try:
        grads = torch.autograd.grad(outputs, list(leaves.values()), retain_graph=True, allow_unused=True)
    except RuntimeError as error:
        return _told({}, str(error), variables)
    return _told(dict(zip(leaves, grads, strict=True)), None, variables)


def _told(grads: dict[str, torch.Tensor | None], error: str | None, variables: dict[str, Any]) -> Told:
    tensors = {name: value for name, value in variables.items() if isinstance(value, torch.Tensor)}
    return Told(
        grads={} if error else {name: to_4_digits(grad) for name, grad in grads.items()},
        error=error,
        values={name: to_4_digits(tensor) for name, tensor in tensors.items()},
        versions={name: None if tensor.is_inference() else tensor._version for name, tensor in tensors.items()},
        states={
            name: State(tensor.is_leaf, tensor.grad_fn and tensor.grad_fn.name(), tensor.requires_grad)
            for name, tensor in tensors.items()
        },
        storages={name: tensor.untyped_storage().data_ptr() for name, tensor in tensors.items()},
        printed={name: str(tensor) for name, tensor in tensors.items()},
    )


def _leaves(variables: dict[str, Any]) -> dict[str, torch.Tensor]:
    tensors = {name: value for name, value in variables.items() if isinstance(value, torch.Tensor)}
    return {name: tensor for name, tensor in tensors.items() if tensor.is_leaf and tensor.requires_grad}


@contextmanager
def _as_in_a_script() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch warns of two of the cuts, which is what they are about
        yield
