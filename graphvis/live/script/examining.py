"""One backward of the script's own, looked at before it runs and after."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import torch

from graphvis.live.evidence import Evidence
from graphvis.live.probe import Measured, Watch
from graphvis.live.recorder import Recording
from graphvis.live.unchanged import unmoved
from graphvis.model import Diagnosis, Location


class Examination:
    """What is known of a backward.

    Before it runs: verdicts and conflicts, from the walk and the recording. After: gradients that are exactly zero or
    None, as the script's own backward gave them.

    Attributes:
        diagnosis: all of it.
        refused: whether it raised because what it was to start from, or was asked for, has no gradient.
        late: whether it is the first of its line that knows of some parameter of an optimizer's.
        by_hand: whether it is an ``autograd.grad``, which leaves no gradient with a parameter.

    Args:
        recording: the recording that runs; if it keeps all that is overwritten, backwards of ours are compared first.
        event: the backward that is about to run.
        parameters: the parameters that are judged, by name.
        outputs: what it starts from, by the names of the script's variables.
        location: the line that starts it.
        caller: the user's own line, where that lies in a library.
        says: what tells this backward from others that the line starts; empty for its first.
    """

    def __init__(
        self,
        recording: Recording,
        event: Any,
        parameters: Mapping[str, torch.Tensor],
        outputs: Mapping[str, torch.Tensor],
        location: Location,
        caller: Location | None = None,
        says: str = "",
    ) -> None:
        recording.name({**parameters, **outputs})
        self._leaves: list[torch.Tensor] = list(parameters.values())
        self._location, self._caller, self._notes = location, caller, (says,) if says else ()
        self._evidence: Evidence | None = Evidence(
            event.roots, recording, {**outputs, **parameters}, parameters, shown=False
        )
        if recording.tape.keeping.everything:
            with unmoved(self._evidence.buffers(recording)):
                self._evidence.compare(event.roots, recording)
        self.diagnosis: Diagnosis = self._judge(self._evidence, {})
        self.refused = self.late = False
        self.by_hand = event.function == "torch.autograd.grad"
        with torch._C.DisableTorchFunction():
            self._unfit = any(isinstance(root, torch.Tensor) and not root.requires_grad for root in event.roots)
        self._watch = Watch(event.roots, self._leaves)
        self._watch.__enter__()

    def finish(self, event: Any) -> None:
        """Take in what the backward gave; called once, when it has run."""
        evidence, self._evidence = self._evidence, None
        if evidence is None:
            return
        self._watch.__exit__()
        if event.error is None:
            asked, given = event.inputs, event.gradients
            by_id = {id(tensor): grad for tensor, grad in zip(asked, given, strict=False)} if asked and given else None
            judged = self._judge(evidence, self._watch.measure(self._leaves, by_id))
            # It ran: what it needed was intact.
            conflicts = tuple(conflict for conflict in judged.conflicts if conflict.effect != "raises")
            self.diagnosis = msgspec.structs.replace(judged, conflicts=conflicts)
        else:
            lost = any(finding.status in ("cut", "unused", "unreached") for finding in self.diagnosis.findings)
            self.refused = self._unfit or (event.function == "torch.autograd.grad" and lost)
        del self._watch, self._leaves

    def names(self) -> set[str]:
        """The parameters that are judged."""
        return {finding.parameter for finding in self.diagnosis.findings}

    def learning(self) -> set[str]:
        """The parameters that get a gradient."""
        return {finding.parameter for finding in self.diagnosis.findings if finding.status == "gradient"}

    def losing(self) -> set[str]:
        """Those that are meant to get one, and get none."""
        statuses = ("gradient", "frozen")
        return {finding.parameter for finding in self.diagnosis.findings if finding.status not in statuses}

    def reasons(self, names: Collection[str]) -> set[tuple[object, ...]]:
        """Why those of some parameters get no gradient that do not: each with what is to blame."""
        cuts = [(cut.kind, cut.location) for cut in self.diagnosis.cuts]
        return {
            (one.parameter, one.status, one.at, one.node, *(cuts[i] for i in one.cuts))
            for one in self.diagnosis.findings
            if one.parameter in names and one.status not in ("gradient", "frozen")
        }

    def leave_out(self, told: set[tuple[object, ...]]) -> bool:
        """Forget the conflicts that were told at another execution of the line, and add the others to those.

        Returns:
            Whether there are others.
        """
        keys = {
            conflict: (conflict.effect, conflict.node, conflict.saved, conflict.saved_at, conflict.modified_at)
            for conflict in self.diagnosis.conflicts
        }
        conflicts = tuple(conflict for conflict, key in keys.items() if key not in told)
        told.update(keys.values())
        self.diagnosis = msgspec.structs.replace(self.diagnosis, conflicts=conflicts)
        return bool(conflicts)

    def _judge(self, evidence: Evidence, measured: Mapping[int, Measured]) -> Diagnosis:
        judged = evidence.judge(measured, self._location)
        return msgspec.structs.replace(judged, notes=(*self._notes, *judged.notes), caller=self._caller)
