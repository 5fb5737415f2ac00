"""Which findings of a run are problems, which are warnings, and which are meant to be so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePath

import msgspec

from graphvis.model.cut import Cut
from graphvis.model.diagnosis import Diagnosis, Finding
from graphvis.model.location import Location
from graphvis.model.run import Issue

# Nodes whose derivative is zero everywhere: no input will ever get a gradient through them, whatever its value.
ZERO_EVERYWHERE = frozenset({
    "RoundBackward0", "RoundBackward1", "FloorBackward0", "CeilBackward0", "TruncBackward0", "SignBackward0",
    "SgnBackward0", "HeavisideBackward0", "FloorDivideBackward0", "FloorDivideBackward1",
    "NormalBackward1", "NormalBackward2", "NormalBackward3", "BernoulliBackward0", "PoissonBackward0",
})  # fmt: skip

_ORDER = {"gradient": 0, "zero": 1, "frozen": 3, "cut": 4, "unused": 5, "unreached": 6}
_USELESS = 2  # the first rank at which there is no gradient to learn from


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """An optimizer, as a run saw it.

    Attributes:
        kind: its class's name.
        parameters: what it holds, by name.
        stepped: whether it had stepped when the recording ended.
        backwards: the diagnoses of those backwards that ran between the step before, of whichever optimizer, and its
            own first step: it is they that it takes its gradients from.
        given: parameters that had a gradient at its first step, whatever the backwards that were diagnosed gave: each
            line that starts one is diagnosed once, and may start another for other parameters.
        without: parameters that had none at its first step: what ``autograd.grad`` gave for them went elsewhere.
    """

    kind: str
    parameters: frozenset[str]
    stepped: bool
    backwards: frozenset[int] = frozenset()
    given: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()


class Optimizers(msgspec.Struct, frozen=True, kw_only=True):
    """What a run saw of its optimizers.

    Attributes:
        holders: they, in the order in which they were built.
        asked: parameters whose gradients the script took in hand by ``autograd.grad``: it is its own optimizer there.
        by_hand: the diagnoses of ``autograd.grad``, which leaves no gradient with a parameter.
        rounds: how often the line that starts a backward most often did so; 0 where the script failed, which says
            nothing of what it would have done next.
    """

    holders: tuple[Holder, ...] = ()
    asked: frozenset[str] = frozenset()
    by_hand: frozenset[int] = frozenset()
    rounds: int = 0


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
    changes = [_Change(diagnoses[where], after, optimizers.holders) for where, after in (later or {}).items()]
    judging = _Judging(diagnoses, optimizers, passed_over, {name for change in changes for name in change.gained})
    for where in sorted(refused):
        judging.explain(where)
    judging.judge_parameters()
    judging.judge_conflicts()
    return Judged(
        problems=tuple(judging.problems),
        warnings=tuple(judging.warnings),
        not_reached=tuple(judging.not_reached),
        passed_over=tuple(name for name in names if name in passed_over),
        notes=(
            *_without_steps(optimizers, tuple(names)),
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
        self._given = frozenset[str]().union(*(holder.given for holder in optimizers.holders))
        self._learning_later = learning_later
        self._told: set[tuple[str, int]] = set()

    def explain(self, where: int) -> None:
        """Tell why nothing leads from what a backward was to start from to any parameter, whatever others give."""
        meant = self._held | self._optimizers.asked if self._optimizers.holders else None
        explained = [
            finding
            for finding in _nearest(self._diagnoses[where])
            if finding.parameter not in self._passed_over and (meant is None or finding.parameter in meant)
        ]
        self.problems += [_issue("parameter", finding, where) for finding in explained]
        names = {finding.parameter for finding in explained}
        self._told |= {(name, where) for name in names}
        for holder in self._optimizers.holders:
            if not names.isdisjoint(holder.parameters):  # it would have stepped next
                self._due |= holder.parameters

    def judge_parameters(self) -> None:
        """Tell of each parameter that no backward gives a gradient that it can use."""
        for name, (finding, where) in _best(self._diagnoses, self._optimizers).items():
            if name in self._passed_over or (name, where) in self._told:
                continue
            if self._optimizers.holders and name not in self._held:
                if _may_learn(finding) and name not in self._optimizers.asked:
                    at = self._diagnoses[where].backward
                    self.warnings.append(_issue("untaken", finding, where, "no optimizer takes the gradient", at))
            elif finding.status == "frozen":
                if self._optimizers.holders:
                    says = "frozen, and yet in an optimizer"
                    self.warnings.append(_issue("parameter", finding, where, says, finding.at))
            elif finding.status != "gradient" and name not in self._given:
                self._judge(name, finding, where)

    def _judge(self, name: str, finding: Finding, where: int) -> None:
        issue = _issue("parameter", finding, where)
        if self._optimizers.holders and name not in self._due:
            # One optimizer alone: whatever backward ran is its own, though it takes its time, or was forgotten.
            if len(self._optimizers.holders) == 1 and self._optimizers.rounds:
                self.warnings.append(issue)
            else:
                self.not_reached.append(name)
        elif _may_learn(finding) or (finding.status != "zero" and not finding.certain) or name in self._learning_later:
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


class _Change:
    """What is otherwise when the same backward comes round again.

    Attributes:
        gained: the parameters that have a gradient then, and had none.
        lost: the findings of those that had one, and are cut off then though the optimizer still learns from it.
    """

    def __init__(self, before: Diagnosis, after: Diagnosis, holders: Sequence[Holder]) -> None:
        self._after = after
        known = {finding.parameter: finding for finding in before.findings}
        learning = {name for name, finding in known.items() if finding.status == "gradient"}
        still = {finding.parameter for finding in after.findings if finding.status == "gradient"}
        self.gained = {name for name in still - learning if name in known}
        # An optimizer none of whose parameters learns from it has its turn at another time.
        groups = [holder.parameters for holder in holders] or [frozenset(known)]
        due = frozenset[str]().union(*(group for group in groups if group & learning & still))
        self.lost = [
            finding
            for finding in after.findings
            if finding.parameter in learning & due
            and (finding.status == "cut" or (finding.status == "zero" and not _may_learn(finding)))
        ]

    def tell(self, passed_over: Collection[str], warnings: Sequence[Issue]) -> Iterator[str]:
        """It in sentences."""
        by_line: dict[str, list[str]] = {}
        for finding in self.lost:
            if finding.parameter not in passed_over:
                lines = [_place(cut.kind, cut.since or cut.location) for cut in map(self._cut, finding.cuts)]
                lines += [_place(finding.node, finding.at)] if finding.at is not None else []
                by_line.setdefault(" and ".join(lines), []).append(finding.parameter)
        for line, names in by_line.items():
            yield f"{_some(names)}: a gradient at first, and none in the round after: {line}"
        warned = dict.fromkeys(issue.parameter for issue in warnings if issue.kind == "parameter" and not issue.says)
        names = [name for name in warned if name is not None and name in self.gained]
        if names:
            yield f"{_some(names)}: no gradient at first, and one in the round after"

    def _cut(self, number: int) -> Cut:
        return self._after.cuts[number]


def _place(what: str, at: Location) -> str:
    return f"{what} at {PurePath(at.file).name}:{at.line}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _may_learn(finding: Finding) -> bool:
    """Whether its backward gives it a gradient, were it for other values than these."""
    return _rank(finding) < _USELESS


def _nearest(diagnosis: Diagnosis) -> list[Finding]:
    """The parameters that were cut, and no further from the output than others; where none was, those without use.

    What is cut by the same lines as another parameter and by some more besides lies behind those: without the first,
    backward would run, and nobody knows whether it is meant to come so far.
    """
    cut = [finding for finding in diagnosis.findings if finding.status == "cut"]
    if not cut:
        return [finding for finding in diagnosis.findings if finding.status == "unused"]
    lines = [frozenset(_line(diagnosis, i) for i in finding.cuts) for finding in cut]
    sets = set(lines)
    return [finding for finding, mine in zip(cut, lines, strict=True) if not any(other < mine for other in sets)]


def _line(diagnosis: Diagnosis, number: int) -> tuple[str, str, int]:
    cut = diagnosis.cuts[number]
    at = cut.since or cut.location
    return cut.kind, at.file, at.line


def _best(diagnoses: Sequence[Diagnosis], optimizers: Optimizers) -> dict[str, tuple[Finding, int]]:
    """For each parameter its best finding and the diagnosis that has it.

    Of those without any use, its own optimizer's last; else of equals the first.
    """
    own: dict[str, frozenset[int]] = {}
    without: set[str] = set()
    for holder in optimizers.holders:
        without |= holder.without
        for name in holder.parameters:
            own[name] = own.get(name, frozenset()) | holder.backwards
    best: dict[str, tuple[Finding, int]] = {}
    keys: dict[str, tuple[int, bool, int, bool, int]] = {}
    for where, diagnosis in enumerate(diagnoses):
        for finding in diagnosis.findings:
            name, rank = finding.parameter, _rank(finding)
            its_own = where in own.get(name, ())
            if name in without and where in optimizers.by_hand:
                rank = len(_ORDER)  # it is no gradient to the optimizer
            key = min(rank, _USELESS), not its_own, rank, not finding.certain, -where if its_own else where
            if name not in keys or key < keys[name]:
                best[name], keys[name] = (finding, where), key
    return best


def _rank(finding: Finding) -> int:
    rank = _ORDER[finding.status]
    return _USELESS if finding.status == "zero" and finding.node in ZERO_EVERYWHERE else rank


def _without_steps(optimizers: Optimizers, order: Sequence[str]) -> Iterator[str]:
    """What is to be said of optimizers that nobody saw step; `order` is that of the parameters."""
    stepped = {name for holder in optimizers.holders if holder.stepped for name in holder.parameters}
    for holder in optimizers.holders if optimizers.rounds else ():
        names = [name for name in order if name in holder.parameters and name not in stepped]
        if names and not holder.stepped:
            rounds = f"{optimizers.rounds} rounds" if optimizers.rounds > 1 else "1 backward"
            yield f"{rounds} passed without a step of the {holder.kind} that holds {_some(names)}"


def _issue(kind: str, finding: Finding, where: int, says: str = "", at: Location | None = None) -> Issue:
    values = {"kind": kind, "parameter": finding.parameter, "status": finding.status, "diagnosis": where, "says": says}
    return msgspec.structs.replace(msgspec.convert(values, Issue), at=at)


def _wanted(names: Collection[str], only: Sequence[str], ignore: Sequence[str]) -> bool:
    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(known, pattern) for known in names for pattern in patterns)

    return not matches(ignore) and (not only or matches(only))
