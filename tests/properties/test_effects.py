"""Random programs with writes that PyTorch does not count: a gradient is called wrong exactly where it is."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace

import torch
from hypothesis import assume, given, note
from hypothesis import strategies as st

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.properties import running
from tests.properties.drawing import chooser
from tests.properties.programs.generator import Choose, Truth, generate

WRITES = (
    "{name}.data.mul_(1.5)",
    "{name}.data.mul_(1.0)",
    "{name}.data[:1] = 0.25",
    "{name}.untyped_storage().fill_(0)",
    "{name}.data = ({name}.data * 0.5).to({name}.dtype)",
    "torch.empty(0, dtype={name}.dtype).set_({name}.detach()).add_(1)",
    "m.linear.weight.data.mul_(0.5)",
    "m.linear.weight.data = m.linear.weight.data * 2",
)
# NumPy's own writes are noticed only later: a recording of all values has what was there before.
ALL_WRITES = (*WRITES, "{name}.detach().numpy().__imul__(0.5)")
Gradients = dict[str, torch.Tensor | None]


@st.composite
def overwriting(draw: st.DrawFn, writes: tuple[str, ...]) -> Truth:
    """A random program with up to three of some writes."""
    return overwritten(chooser(draw), writes)


def overwritten(choose: Choose, writes: tuple[str, ...]) -> Truth:
    """The same, each write behind a line that makes the variable it writes to."""
    truth = generate(choose)
    lines = truth.source.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("def program"))
    for _ in range(1 + choose(3)):
        makers = [i for i in range(first, len(lines)) if re.match(r"    v\w* = ", lines[i])]
        maker = makers[choose(len(makers))]
        places = [i for i in range(maker + 1, len(lines)) if re.match(r"    \S", lines[i])]
        place = places[choose(len(places))]
        lines.insert(place, f"    {writes[choose(len(writes))].format(name=lines[maker].split()[0])}")
    return replace(truth, source="\n".join(lines) + "\n")


def gradients(program: Callable[[torch.nn.Module], torch.Tensor], apart: bool) -> Gradients:
    """PyTorch's own, with saved tensors that nobody can reach or as they are; what it refuses is passed over."""
    try:
        if apart:
            with torch.autograd.graph.saved_tensors_hooks(lambda kept: kept.detach().clone(), lambda kept: kept):
                model, loss = running.run(program)
        else:
            model, loss = running.run(program)
        found = running.gradients(model, loss)
    except Exception:
        assume(False)
        raise
    assume(isinstance(found, dict))
    assert isinstance(found, dict)
    return found


def same(one: Gradients, other: Gradients) -> bool:
    """Bit for bit, and what is not a number is equal to itself."""
    return all(
        (mine is None) == (theirs is None)
        and (mine is None or theirs is None or torch.equal(mine.nan_to_num(7.0), theirs.nan_to_num(7.0)))
        for mine, theirs in zip(one.values(), other.values(), strict=True)
    )


@given(overwriting(ALL_WRITES))
def test_certain_is_what_differs(truth: Truth) -> None:
    """Against a backward of the same program whose saved tensors were kept apart."""
    certain_is_what_differs(truth, values=True)


@given(overwriting(WRITES))
def test_certain_is_what_differs_by_any_recording(truth: Truth) -> None:
    """The same, where only what is at stake was kept."""
    certain_is_what_differs(truth, values=False)


def certain_is_what_differs(truth: Truth, values: bool) -> None:
    # A checkpoint's own hooks would stand before those that keep the tensors apart.
    assume("use_reentrant=False" not in truth.source)
    # A reentrant one saves no weight that it reads: it reads what is there when backward runs it again.
    assume("use_reentrant=True" not in truth.source or "m.linear.weight.data" not in truth.source)
    # What a sparse tensor held is not kept where it is given to another by .data: then it stays uncertain.
    assume("sparse" not in truth.source or ".data = (v" not in truth.source)
    note(truth.source)
    program, _ = running.load(truth)
    found, right = gradients(program, apart=False), gradients(program, apart=True)
    model = running.model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with record(values=values) as trace:
            loss = program(model)
    conflicts = diagnose(loss, trace, parameters=model, probe=True).conflicts
    assert any(conflict.certain for conflict in conflicts) == (not same(found, right))
    assert all(conflict.certain for conflict in conflicts)
    assert same(running.gradients(model, loss), found)  # type: ignore[arg-type]  # it did not raise before
