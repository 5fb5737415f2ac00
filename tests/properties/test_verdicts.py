"""Random programs: what graphvis says of each is what the generator knows and what backward() does."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import assume, given, note

from graphvis.live.diagnosis import diagnose
from tests.properties import running
from tests.properties.drawing import programs
from tests.properties.programs.generator import Truth


def diagnosed(program: Any, *, probe: bool = False) -> tuple[torch.nn.Module, torch.Tensor, Any]:
    """Model, loss and diagnosis of one recorded run."""
    with running.unless_refused():
        model, loss, trace = running.recorded(program)
    return model, loss, diagnose(loss, trace, parameters=model, probe=probe)


@given(programs(giving=True))
def test_every_verdict_and_every_cut(truth: Truth) -> None:
    """Statuses and the lines of the cuts, against the generator; `gradient` against a real backward()."""
    note(truth.source)
    program, file = running.load(truth)
    model, loss, diagnosis = diagnosed(program)
    statuses = {
        name: "gradient" if name in truth.reached else "cut" if name in truth.flows else "unused"
        for name, _ in model.named_parameters()
    }
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == statuses
    for name, lines in truth.lines.items():
        cuts = diagnosis.verdicts[name].cuts
        assert {cut.location.file for cut in cuts} == {file}
        # A way that is inferred, and may not exist, never hides one that is known.
        assert {cut.location.line for cut in cuts} == lines | truth.known.get(name, frozenset()), name
        for cut in cuts:
            assert cut.kind in truth.kinds[cut.location.line]
            assert name in cut.parameters
    known = frozenset().union(*truth.known.values())
    for cut in diagnosis.cuts:
        assert cut.certain == (cut.location.line in known), cut
    grads = running.gradients(model, loss)
    if isinstance(grads, dict):
        assert {name for name, grad in grads.items() if grad is not None} == truth.reached


@given(programs(giving=True))
def test_zero_and_nothing_else_is_told_by_a_probe(truth: Truth) -> None:
    """With a backward of its own: `gradient` and `zero` as the real gradients are."""
    note(truth.source)
    program, _ = running.load(truth)
    model, loss, diagnosis = diagnosed(program, probe=True)
    grads = running.gradients(model, loss)
    assume(isinstance(grads, dict))
    for name, grad in grads.items():
        status = diagnosis.verdicts[name].status
        assert (status in ("gradient", "zero")) == (grad is not None), name
        if grad is not None:
            assert status == ("gradient" if grad.count_nonzero() else "zero"), name


@given(programs(giving=True))
def test_a_conflict_is_told_exactly_where_backward_raises(truth: Truth) -> None:
    """`raises` before the fact, and the line that wrote is a line with a write; nothing where backward is sound."""
    note(truth.source)
    program, file = running.load(truth)
    model, loss, diagnosis = diagnosed(program)
    grads = running.gradients(model, loss)
    raising = [conflict for conflict in diagnosis.conflicts if conflict.effect == "raises"]
    assert bool(raising) == isinstance(grads, str), grads
    for conflict in raising:
        assert conflict.modified_at is not None
        assert conflict.modified_at.file == file
        assert conflict.modified_at.line in truth.writes or ".detach_()" in conflict.modified_at.text
        assert conflict.saved_at is not None
        if conflict.modified_at.function == conflict.saved_at.function:  # else it is the helper that steps
            assert conflict.saved_at.line < conflict.modified_at.line
    for conflict in diagnosis.conflicts:
        if conflict.effect == "wrong gradient":
            assert conflict.modified_at.line in truth.uncounted
            assert not conflict.certain


@given(programs(giving=True))
def test_recording_changes_nothing(truth: Truth) -> None:
    """Losses, gradients and the random numbers after are the same to the bit."""
    note(truth.source)
    program, _ = running.load(truth)
    with running.unless_refused():
        model, loss = running.run(program)
    grads, random = running.gradients(model, loss), torch.get_rng_state()
    watched, watched_loss, trace = running.recorded(program)
    diagnose(watched_loss, trace, parameters=watched)
    found = running.gradients(watched, watched_loss)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(watched_loss, loss)
    if isinstance(grads, str):
        assert found == grads
    else:
        assert isinstance(found, dict)
        for name, grad in grads.items():
            assert (grad is None) == (found[name] is None)
            assert grad is None or torch.equal(grad, found[name])
