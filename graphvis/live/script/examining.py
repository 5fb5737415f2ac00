"""One backward of the script's own, looked at before it runs and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import torch

from graphvis.analysis import diagnosing
from graphvis.analysis.joining import join
from graphvis.live import walker
from graphvis.live.diagnosis import subjects_of
from graphvis.live.probe import Measured, Watch
from graphvis.live.recorder import Recording
from graphvis.model import Diagnosis, Location


class Examination:
    """What is known of a backward.

    Before it runs: verdicts and conflicts, from the walk and the recording. After: gradients that are exactly zero or
    None, as the script's own backward gave them.

    Args:
        recording: the recording that runs.
        event: the backward that is about to run.
        parameters: the parameters that are judged, by name.
        outputs: what it starts from, by the names of the script's variables.
        location: the line that starts it.
    """

    def __init__(
        self,
        recording: Recording,
        event: Any,
        parameters: Mapping[str, torch.Tensor],
        outputs: Mapping[str, torch.Tensor],
        location: Location,
    ) -> None:
        recording.name({**parameters, **outputs})
        self._parameters: dict[str, torch.Tensor] | None = dict(parameters)
        self._location = location
        self._graph = walker.walk(
            event.roots,
            {**outputs, **parameters},
            also=parameters,
            number=recording.number,
            memory=recording.memory,
            values=False,
        )
        self._trace = recording.freeze()
        self._joined = join(self._graph, self._trace)
        self.diagnosis: Diagnosis | None = self._judge({})
        self._watch: Watch | None = Watch(event.roots, list(parameters.values()))
        self._watch.__enter__()

    def finish(self, event: Any) -> None:
        """Take in what the backward gave; called once, when it has run."""
        if self._watch is None or self._parameters is None:
            return
        self._watch.__exit__()
        if event.error is None:
            asked, given = event.inputs, event.gradients
            by_id = {id(tensor): grad for tensor, grad in zip(asked, given, strict=False)} if asked and given else None
            judged = self._judge(self._watch.measure(list(self._parameters.values()), by_id))
            # It ran: what it needed was intact.
            conflicts = tuple(conflict for conflict in judged.conflicts if conflict.effect != "raises")
            self.diagnosis = msgspec.structs.replace(judged, conflicts=conflicts)
        self._watch = self._parameters = None

    def _judge(self, measured: Mapping[int, Measured]) -> Diagnosis:
        assert self._parameters is not None
        subjects = subjects_of(self._graph, self._trace, self._parameters, measured)
        judged = diagnosing.diagnose(self._graph, self._trace, subjects, backward=self._location)
        return msgspec.structs.replace(judged, graph=self._joined)
