"""Random programs: every verdict is compared with what the generator knows and with a real backward()."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.properties import running
from tests.properties.programs.generator import Truth, generate


@st.composite
def programs(draw: st.DrawFn) -> Truth:
    """A random program with its truth."""
    return generate(lambda n: draw(st.integers(0, n - 1)) if n > 1 else 0, giving=True)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@given(programs())
def test_the_generator_tells_the_truth(truth: Truth) -> None:
    """Without graphvis: backward reaches exactly the parameters that the generator says, and a change of a parameter
    changes the loss exactly where its value is said to flow."""
    program, _ = running.load(truth)
    model, loss = _run(program)
    grads = running.gradients(model, loss)
    if isinstance(grads, str):
        assert truth.writes or ".detach_()" in truth.source, grads
    else:
        assert {name for name, grad in grads.items() if grad is not None} == truth.reached
    moved = {name for name, _ in model.named_parameters() if running.changes(program, name, loss)}
    assert moved <= truth.flows | truth.unfollowed
    if truth.exact:
        assert moved == truth.flows


def _run(program):
    try:
        return running.run(program)
    except RuntimeError:
        # PyTorch itself refuses the program (an in-place write that its rules for views forbid).
        assume(False)
        raise
