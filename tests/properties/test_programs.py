"""Random programs: every verdict is compared with what the generator knows and with a real backward()."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given

from tests.properties import running
from tests.properties.drawing import programs
from tests.properties.programs.generator import Truth


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@given(programs(giving=True))
def test_the_generator_tells_the_truth(truth: Truth) -> None:
    """Without graphvis: backward reaches exactly the parameters that the generator says, and a change of a parameter
    changes the loss exactly where its value is said to flow."""
    program, _ = running.load(truth)
    with running.unless_refused():
        model, loss = running.run(program)
    grads = running.gradients(model, loss)
    if isinstance(grads, str):
        assert truth.writes or ".detach_()" in truth.source, grads
    else:
        assert {name for name, grad in grads.items() if grad is not None} == truth.reached
    moved = {name for name, _ in model.named_parameters() if running.changes(program, name, loss)}
    assert moved <= truth.flows | truth.unfollowed
    if truth.exact:
        assert moved == truth.flows
