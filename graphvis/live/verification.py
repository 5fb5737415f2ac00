"""Running the program again to know what each cut costs, and whether a gradient is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import torch

from graphvis.analysis.diagnosing.withdrawn import CHECKPOINT
from graphvis.live import walker
from graphvis.live.counterfactual import NEUTRALISED, without_cuts
from graphvis.live.evidence import Evidence
from graphvis.live.probe import learning
from graphvis.live.recorder import Recording
from graphvis.live.walker.outputs import find_outputs
from graphvis.model import Conflict, Diagnosis
from graphvis.model.diagnosis import Advice

_MOST_RUNS = 16  # of the program, for advice


def verify(diagnosis: Diagnosis, run: Callable[[], Any], parameters: Mapping[str, torch.Tensor]) -> Diagnosis:
    """Measure what each cut costs, and whether what was overwritten makes a gradient wrong.

    Args:
        diagnosis: what is to be verified.
        run: runs the forward pass again on the same parameters and returns its loss. It is called once for each cut
            (16 at most), from the same random numbers, and up to three times where something was overwritten.
        parameters: the parameters by name.

    Returns:
        The diagnosis with :attr:`Diagnosis.advice`, and a note of each cut without which PyTorch refuses the program;
        a wrong gradient is certain where a gradient differs from what it would be without the write, and no conflict
        where none does.
    """
    devices = sorted({leaf.device.index for leaf in parameters.values() if leaf.device.type == "cuda"})
    had = {finding.parameter for finding in diagnosis.findings if finding.status in ("gradient", "zero")}
    advice, notes = [], [*diagnosis.notes]
    for place, cut in list(enumerate(diagnosis.cuts))[:_MOST_RUNS]:
        if cut.kind not in NEUTRALISED:
            advice.append(Advice(cut=place, neutralised=False))
            continue
        try:
            with torch.random.fork_rng(devices=devices), without_cuts(cut) as mode:
                loss = run()
        except Exception as error:  # autograd forbids some writes to what has a history now
            notes.append(f"Without the cut at {cut.location.short} the program raises: {error}")
            continue
        if not mode.met:  # it stands where none is taken out, as a write into a tensor does
            advice.append(Advice(cut=place, neutralised=False))
            continue
        graph = walker.walk(loss, parameters, also=parameters, states=False, saved=False)
        names = {graph.names[node] for node in graph.reached if graph.kinds[node] != "function"}
        reached_ids = {id(parameters[name]) for name in names & parameters.keys()}
        reached = {name for name, parameter in parameters.items() if id(parameter) in reached_ids}  # tied ones too
        gained = tuple(name for name in parameters if name in reached and name not in had)
        if gained or CHECKPOINT not in graph.names:  # what a reentrant checkpoint reads is not seen before its backward
            advice.append(Advice(cut=place, gained=gained))
    conflicts = diagnosis.conflicts
    if any(conflict.effect != "raises" and not conflict.certain for conflict in conflicts):
        conflicts = _judged(conflicts, run, parameters, devices)
    return msgspec.structs.replace(diagnosis, advice=tuple(advice), conflicts=conflicts, notes=tuple(notes))


def _judged(
    conflicts: Sequence[Conflict], run: Callable[[], Any], parameters: Mapping[str, torch.Tensor], devices: list[int]
) -> tuple[Conflict, ...]:
    """The conflicts as another run tells them, in which what is overwritten is kept.

    What that leaves open is judged together, by a run whose saved tensors nobody can reach. A conflict that the other
    run does not have stays as uncertain as it was.
    """
    before, after = _told_again(run, parameters, devices)
    found: list[Conflict] = []
    left: list[Conflict] = []
    for conflict in conflicts:
        key = _key(conflict)
        if conflict.certain or after.get(key):
            found.append(msgspec.structs.replace(conflict, certain=True))
        elif key in after:
            left.append(conflict)
        elif key not in before:
            found.append(conflict)
    if left and _gradients_differ(run, list(parameters.values()), devices):
        explained = any(conflict.effect != "raises" and conflict.certain for conflict in found)
        found += [msgspec.structs.replace(conflict, certain=not explained) for conflict in left]
    order = {_key(conflict): place for place, conflict in enumerate(conflicts)}
    return tuple(sorted(found, key=lambda conflict: order[_key(conflict)]))


def _told_again(
    run: Callable[[], Any], parameters: Mapping[str, torch.Tensor], devices: list[int]
) -> tuple[set[object], dict[object, bool]]:
    """The conflicts of another run: all, and those that a comparison leaves, with whether it made them certain."""
    recording = Recording(values=True)
    with torch.random.fork_rng(devices=devices), recording:
        loss = run()
    evidence = Evidence(loss, recording, parameters, parameters)
    judged = evidence.judge({})
    evidence.compare(loss, recording)
    compared = evidence.judge({})
    told: dict[object, bool] = {}
    for conflict in compared.conflicts:
        told[_key(conflict)] = conflict.certain or told.get(_key(conflict), False)
    return {_key(conflict) for conflict in judged.conflicts}, told


def _key(conflict: Conflict) -> object:
    """What makes a conflict of one run that of another."""
    return conflict.effect, conflict.node, conflict.saved, conflict.saved_at, conflict.modified_at


def _gradients_differ(run: Callable[[], Any], leaves: list[torch.Tensor], devices: list[int]) -> bool:
    """Whether a backward gives other gradients when nobody can overwrite what was saved for it."""

    def gradients(apart: bool) -> list[torch.Tensor | None]:
        with torch.random.fork_rng(devices=devices):
            if apart:
                with torch.autograd.graph.saved_tensors_hooks(lambda kept: kept.detach().clone(), lambda kept: kept):
                    loss = run()
            else:
                loss = run()
            roots = [root for root in find_outputs(loss) if isinstance(root, torch.Tensor) and root.requires_grad]
            wanted = learning(leaves)
            return list(torch.autograd.grad(roots, wanted, [torch.ones_like(r) for r in roots], allow_unused=True))

    right, found = gradients(True), gradients(False)
    return any(
        (one is None) != (other is None) or (one is not None and other is not None and not torch.equal(one, other))
        for one, other in zip(right, found, strict=True)
    )
