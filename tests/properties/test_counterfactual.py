"""Random programs without their cuts: the same numbers, and only more gradients."""

from __future__ import annotations

import torch
from hypothesis import assume, given, note
from torch import Tensor, nn

from graphvis.live.counterfactual import without_cuts
from tests.properties import running
from tests.properties.drawing import programs
from tests.properties.programs.generator import Truth


@given(programs(giving=True))
def test_without_cuts_the_same_is_computed_and_no_gradient_is_lost(truth: Truth) -> None:
    note(truth.source)
    program, _ = running.load(truth)

    def uncut(made: nn.Module) -> Tensor:
        with without_cuts():
            return program(made)

    # PyTorch refuses some without their cuts only: a view of several, read where its base was stepped since.
    with running.unless_refused():
        model, loss = running.run(program)
        other, uncut_loss = running.run(uncut)

    assert torch.equal(loss.detach().nan_to_num(7.0), uncut_loss.detach().nan_to_num(7.0))
    grads, more = running.gradients(model, loss), running.gradients(other, uncut_loss)
    # A write through what was detached is a write to what is saved, once it is not.
    assume(isinstance(grads, dict) and isinstance(more, dict))
    assert isinstance(grads, dict)
    assert isinstance(more, dict)
    had, has = ({name for name, grad in found.items() if grad is not None} for found in (grads, more))
    assert had <= has
