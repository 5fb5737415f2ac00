"""What was computed before the recording began: nobody knows what it was made of, and it is never surely unused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.model import Diagnosis

Before = Callable[[Tensor], Tensor]


def told(before: Before, step: Callable[[Tensor, Tensor, Tensor], Tensor]) -> tuple[Diagnosis, bool]:
    """What is said of `w`, of which something was made before, and whether a change of it changes the loss."""
    w, v = (nn.Parameter(torch.tensor([1.0, 2.0, 3.0])) for _ in range(2))
    made = before(w)
    with record() as trace:
        loss = step(made, v, w)
    found = diagnose(loss, trace, {"w": w, "v": v})
    loss.backward(retain_graph=True)
    assert (w.grad is None, v.grad is None) == (True, False)
    with torch.no_grad():
        w += 1
        changed = step(before(w), v, w)
    return found, not torch.equal(changed, loss)


@pytest.mark.parametrize("before", [lambda w: w.view(3), lambda w: w.view_as(w)[:2], lambda w: w.expand(2, 3)])
def test_a_view_that_was_made_before_is_the_parameters_memory(before: Before) -> None:
    found, flows = told(before, lambda made, v, w: made.detach().sum() * v.sum())
    assert flows
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("cut", True)
    assert [cut.kind for cut in found.cuts] == ["detach"]


@pytest.mark.parametrize("before", [lambda w: w.detach(), lambda w: w.data, lambda w: nn.Parameter(w.detach())])
def test_what_was_cut_off_before_is_not_known(before: Before) -> None:
    found, flows = told(before, lambda made, v, w: made.sum() * v.sum())
    assert flows
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("unreached", False)
    assert any("computed before the recording" in note for note in found.notes)


def test_what_was_computed_before_is_not_known() -> None:
    found, flows = told(lambda w: w * 2, lambda made, v, w: made.detach().sum() * v.sum())
    assert flows
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("unreached", False)
    assert any("made.detach().sum()" in note for note in found.notes)


def test_a_parameter_is_unused_where_what_was_made_before_does_not_reach_the_loss() -> None:
    found, flows = told(lambda w: w * 2, lambda made, v, w: (made.detach().sum(), v.sum() * 2)[1])
    assert not flows
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("unused", True)
    assert not found.notes


def test_data_from_before_tells_nothing_of_parameters() -> None:
    data = torch.ones(3)
    found, flows = told(lambda w: data, lambda made, v, w: (made * v).sum())
    assert not flows
    assert (found.verdicts["w"].status, found.verdicts["w"].certain) == ("unused", True)
