"""What ``graphvis run`` found in a script."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from graphvis.model.diagnosis import Diagnosis, Effect, Status
from graphvis.model.document import Document
from graphvis.model.location import Location

IssueKind = Literal["parameter", "conflict", "untaken"]


class Issue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem or a warning.

    Attributes:
        kind: ``parameter``: one that is meant to learn and gets no gradient, or a useless one; ``conflict``: a saved
            tensor that was overwritten; ``untaken``: a parameter whose gradient no optimizer takes.
        parameter: its name; None for a conflict.
        status: its best verdict over the step, or that of the backward that raised; None for a conflict.
        diagnosis: index of the diagnosis that tells of it.
        conflict: index into that diagnosis's conflicts; None for a parameter.
        effect: of a conflict, as in :class:`~graphvis.model.diagnosis.Conflict`.
        at: the line that wrote, for a conflict; where `says` says more, that froze the parameter, or starts the
            backward that gives the gradient; None where it was not seen.
        says: for people, where kind and status do not say it.
    """

    kind: IssueKind
    parameter: str | None = None
    status: Status | None = None
    diagnosis: int | None = None
    conflict: int | None = None
    effect: Effect | None = None
    at: Location | None = None
    says: str = ""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The exception that ended the script.

    Attributes:
        type: name of its class.
        message: what it says.
        traceback: as the script alone would have printed it.
    """

    type: str
    message: str
    traceback: str = ""


class Run(Document, frozen=True, kw_only=True, tag="graphvis/run/1"):
    """One run of a script.

    Attributes:
        ok: whether there is no problem and the script did not fail.
        diagnoses: one for each line that starts a backward, at its first execution; others follow where it trains
            another optimizer's parameters later, or where a later round breaks it.
        problems: what keeps the script from training as meant.
        warnings: what may be meant.
        not_reached: parameters of optimizers that had not stepped when the recording ended, and that got no gradient.
        passed_over: parameters that were not judged, as was asked.
        notes: what could not be seen, was run otherwise, or did not happen, in sentences.
        stopped: the line at which the script was stopped; None where it ran to its end.
        rounds: how often the line that starts a backward most often did so while the run was recorded.
        again: how many of the diagnoses are of later executions of lines that are diagnosed at their first too.
        failure: the exception that ended the script; None where none did.
        exit_code: the status with which the script alone would have ended.
    """

    ok: bool
    diagnoses: tuple[Diagnosis, ...]
    problems: tuple[Issue, ...]
    warnings: tuple[Issue, ...]
    not_reached: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    stopped: Location | None = None
    rounds: int = 0
    again: int = 0
    failure: Failure | None = None
    exit_code: int = 0

    def to_json(self) -> str:
        """One JSON document; the diagnoses without their graphs, which are saved by a Diagnosis of its own."""
        without = tuple(msgspec.structs.replace(diagnosis, graph=None) for diagnosis in self.diagnoses)
        document: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(self, diagnoses=without))
        for diagnosis in document["diagnoses"]:
            diagnosis.pop("graph", None)
        return msgspec.json.encode(document).decode()

    def check(self) -> None:
        """Raise DocumentError where a diagnosis contradicts itself."""
        for diagnosis in self.diagnoses:
            diagnosis.check()
