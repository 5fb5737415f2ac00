"""Tensors that the constructors of old make of numbers: nobody is told of these calls, and the numbers are data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.Tensor([0.5, 1.0, 2.0]),
        lambda: torch.FloatTensor([0.5, 1.0, 2.0]),
        lambda: torch.DoubleTensor([0.5, 1.0, 2.0]),
        lambda: torch.LongTensor([1, 2, 3]),
        lambda: torch.Tensor(3).fill_(2),
    ],
)
def test_a_parameter_beside_them_is_unused(make: Callable[[], Tensor]) -> None:
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with record() as trace:
        loss = (make() * v).sum()
    found = diagnose(loss, trace, {"w": w, "v": v})
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("unused", True)
    assert not found.notes
