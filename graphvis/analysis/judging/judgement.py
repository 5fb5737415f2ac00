"""Each parameter judged by all that was seen of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from graphvis.analysis.judging.changes import Change
from graphvis.analysis.judging.holders import Optimizers, without_steps
from graphvis.analysis.judging.ranks import best, may_learn, nearest
from graphvis.model.diagnosis import Diagnosis, Finding
from graphvis.model.location import Location
from graphvis.model.run import Issue


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome.

    Attributes:
        problems: as in :class:`~graphvis.model.run.Run`.
        warnings: the same.
        not_reached: the same.
        passed_over: the same.
        notes: of optimizers that did not step, and of what is otherwise in the round after, in sentences.
        unmatched: the patterns that fit no parameter.
    """

    problems: tuple[Issue, ...]
    warnings: tuple[Issue, ...]
    not_reached: tuple[str, ...]
    passed_over: tuple[str, ...]
    notes: tuple[str, ...]
    unmatched: tuple[str, ...]


def judge(
    diagnoses: Sequence[Diagnosis],
    optimizers: Optimizers,
    *,
    refused: Collection[int] = (),
    later: Mapping[int, Diagnosis] | None = None,
    only: Sequence[str] = (),
    ignore: Sequence[str] = (),
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> Judged:
    """Judge a parameter by its best verdict over all backwards of the step.

    Where none of them gives it a gradient, the backward to tell of is one that its own optimizer steps after: what a
    GAN's other loss does not reach is meant so.

    Args:
        diagnoses: one for each backward.
        optimizers: who holds what.
        refused: those of the diagnoses whose backward raised, for what it was to start from leads to no gradient.
        later: by the places of some of the diagnoses, what came of the same backward in the round after. A parameter
            that learns then is no problem, and one that does not is no problem either: models are warmed up, and
            losses taken in turn.
        only: patterns of names; where there are some, other parameters are passed over.
        ignore: patterns of names to pass over.
        aliases: other names by which a pattern may mean a parameter.
    """
    names = {finding.parameter: None for diagnosis in diagnoses for finding in diagnosis.findings}
    known = {name: (name, *(aliases or {}).get(name, ())) for name in names}
    passed_over = {name for name, all_ in known.items() if not _wanted(all_, only, ignore)}
    changes = [Change(diagnoses[where], after, optimizers.holders) for where, after in (later or {}).items()]
    judging = _Judging(diagnoses, optimizers, passed_over, {name for change in changes for name in change.gained})
    for where in sorted(refused):
        judging.explain(where)
    if not refused and not optimizers.rounds:
        judging.explain_failure()
    judging.judge_parameters()
    judging.judge_conflicts()
    return Judged(
        problems=tuple(judging.problems),
        warnings=tuple(judging.warnings),
        not_reached=tuple(judging.not_reached),
        passed_over=tuple(name for name in names if name in passed_over),
        notes=(
            *without_steps(optimizers, tuple(names)),
            *(note for change in changes for note in change.tell(passed_over, judging.warnings)),
        ),
        unmatched=tuple(
            pattern
            for pattern in (*only, *ignore)
            if not any(fnmatchcase(name, pattern) for all_ in known.values() for name in all_)
        ),
    )


class _Judging:
    """The judging of one run, finding by finding."""

    def __init__(
        self,
        diagnoses: Sequence[Diagnosis],
        optimizers: Optimizers,
        passed_over: Collection[str],
        learning_later: Collection[str],
    ) -> None:
        self.problems: list[Issue] = []
        self.warnings: list[Issue] = []
        self.not_reached: list[str] = []
        self._diagnoses, self._optimizers, self._passed_over = diagnoses, optimizers, passed_over
        self._held = frozenset[str]().union(*(holder.parameters for holder in optimizers.holders))
        self._due = {name for holder in optimizers.holders if holder.stepped for name in holder.parameters}
        self._starved = optimizers.starved()
        self._given = frozenset[str]().union(*(holder.given for holder in optimizers.holders))
        self._learning_later = learning_later
        self._told: set[tuple[str, int]] = set()

    def explain(self, where: int) -> None:
        """Tell why nothing leads from what a backward was to start from to any parameter, whatever others give."""
        meant = self._held | self._optimizers.asked if self._optimizers.holders else None
        explained = [
            finding
            for finding in nearest(self._diagnoses[where])
            if finding.parameter not in self._passed_over and (meant is None or finding.parameter in meant)
        ]
        self.problems += [_issue("parameter", finding, where) for finding in explained]
        names = {finding.parameter for finding in explained}
        self._told |= {(name, where) for name in names}
        for holder in self._optimizers.holders:
            if not names.isdisjoint(holder.parameters):  # it would have stepped next
                self._due |= holder.parameters

    def explain_failure(self) -> None:
        """Judge all that optimizers hold, where a script failed and no backward had given any of it a gradient."""
        held = (one for found in self._diagnoses for one in found.findings if one.parameter in self._held)
        if not any(map(may_learn, held)):
            self._due |= self._held

    def judge_parameters(self) -> None:
        """Tell of each parameter that no backward gives a gradient that it can use."""
        for name, (finding, where) in best(self._diagnoses, self._optimizers).items():
            if name in self._passed_over or (name, where) in self._told:
                continue
            if self._optimizers.holders and name not in self._held:
                if may_learn(finding) and name not in self._optimizers.asked:
                    at = self._diagnoses[where].backward
                    self.warnings.append(_issue("untaken", finding, where, "no optimizer takes the gradient", at))
            elif finding.status == "frozen":
                if self._optimizers.holders:
                    says = "frozen, and yet in an optimizer"
                    self.warnings.append(_issue("parameter", finding, where, says, finding.at))
            elif finding.status != "gradient" and name not in self._given:
                self._judge(name, finding, where)
            elif name in self._starved and name in self._due:
                at = self._diagnoses[where].backward
                says = "a gradient that is cleared before the optimizer steps"
                self.warnings.append(_issue("untaken", finding, where, says, at))

    def _judge(self, name: str, finding: Finding, where: int) -> None:
        issue = _issue("parameter", finding, where)
        if self._optimizers.holders and name not in self._due:
            # One optimizer alone: whatever backward ran is its own, though it takes its time, or was forgotten.
            if len(self._optimizers.holders) == 1 and self._optimizers.rounds:
                self.warnings.append(issue)
            else:
                self.not_reached.append(name)
        elif may_learn(finding) or (finding.status != "zero" and not finding.certain) or name in self._learning_later:
            # What may lie in a corner that was not seen, or comes a round later, is no reason to fail anyone's build.
            self.warnings.append(issue)
        elif finding.status in ("zero", "cut", "unused"):
            self.problems.append(issue)

    def judge_conflicts(self) -> None:
        """Tell of what was overwritten."""
        for where, diagnosis in enumerate(self._diagnoses):
            for number, conflict in enumerate(diagnosis.conflicts):
                issue = Issue(
                    kind="conflict", diagnosis=where, conflict=number, effect=conflict.effect, at=conflict.modified_at
                )
                certain = conflict.effect == "raises" or conflict.certain
                (self.problems if certain else self.warnings).append(issue)


def _issue(kind: str, finding: Finding, where: int, says: str = "", at: Location | None = None) -> Issue:
    values = {"kind": kind, "parameter": finding.parameter, "status": finding.status, "diagnosis": where, "says": says}
    return msgspec.structs.replace(msgspec.convert(values, Issue), at=at)


def _wanted(names: Collection[str], only: Sequence[str], ignore: Sequence[str]) -> bool:
    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(known, pattern) for known in names for pattern in patterns)

    return not matches(ignore) and (not only or matches(only))
