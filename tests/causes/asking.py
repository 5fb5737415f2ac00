"""Asking graphvis about a program."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.model import Diagnosis
from tests.causes.case import Build


def ask(step: Callable[[nn.Module], Tensor], build: Build, *, probe: bool = False, values: bool = False) -> Any:
    """The diagnosis of one recorded run from a fixed seed; the grad mode is put back."""
    torch.manual_seed(7)
    model = build()
    grad_mode = torch.is_grad_enabled()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with record(values=values) as trace:
                loss = step(model)
        return diagnose(loss, trace, parameters=model, probe=probe)
    finally:
        torch.set_grad_enabled(grad_mode)


def asked(step: Callable[[Tensor, Tensor], Tensor]) -> Diagnosis:
    """What is said of a loss in which `v` has its gradient and `w` has none, whether its value comes into it or not."""
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with record() as trace:
        loss = step(w, v)
    found = diagnose(loss, trace, {"w": w, "v": v})
    loss.backward()
    assert (w.grad is None, v.grad is None) == (True, False)
    return found


def said(found: Diagnosis) -> tuple[str, bool]:
    """The verdict on `w`, and whether it is certain."""
    return found.verdicts["w"].status, found.verdicts["w"].certain
