"""Which findings of a run are problems, which are warnings, and which are meant to be so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from graphvis.model.diagnosis import Diagnosis, Finding
from graphvis.model.run import Issue

# Nodes whose derivative is zero everywhere: no input will ever get a gradient through them, whatever its value.
ZERO_EVERYWHERE = frozenset({
    "RoundBackward0", "RoundBackward1", "FloorBackward0", "CeilBackward0", "TruncBackward0", "SignBackward0",
    "SgnBackward0", "HeavisideBackward0", "FloorDivideBackward0", "FloorDivideBackward1",
})  # fmt: skip

_ORDER = {"gradient": 0, "zero": 1, "frozen": 3, "cut": 4, "unused": 5, "unreached": 6}


class Optimizers(msgspec.Struct, frozen=True, kw_only=True):
    """What a run saw of its optimizers.

    Attributes:
        held: the parameters that some optimizer holds, by name.
        waiting: those among them whose optimizers had not stepped when the recording ended.
        any: whether the script built an optimizer at all.
        asked: parameters whose gradients the script took in hand by ``autograd.grad``: it is its own optimizer there.
    """

    held: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    any: bool = False
    asked: frozenset[str] = frozenset()


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome.

    Attributes:
        problems: as in :class:`~graphvis.model.run.Run`.
        warnings: the same.
        not_reached: the same.
    """

    problems: tuple[Issue, ...]
    warnings: tuple[Issue, ...]
    not_reached: tuple[str, ...]


def judge(
    diagnoses: Sequence[Diagnosis],
    optimizers: Optimizers,
    *,
    only: Sequence[str] = (),
    ignore: Sequence[str] = (),
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> Judged:
    """Judge a parameter by its best verdict over all backwards of the step.

    Args:
        diagnoses: one for each backward.
        optimizers: who holds what.
        only: patterns of names; where there are some, other parameters are passed over.
        ignore: patterns of names to pass over.
        aliases: other names by which a pattern may mean a parameter.
    """
    problems: list[Issue] = []
    warnings: list[Issue] = []
    not_reached: list[str] = []
    for name, (finding, where) in _best(diagnoses).items():
        if not _wanted(name, (aliases or {}).get(name, ()), only, ignore):
            continue
        if optimizers.any and name not in optimizers.held:
            if finding.status == "gradient" and name not in optimizers.asked:
                warnings.append(_issue("untaken", finding, where, "no optimizer takes the gradient"))
            continue
        if name in optimizers.waiting and finding.status not in ("gradient", "frozen"):
            not_reached.append(name)
            continue
        if finding.status == "frozen" and optimizers.any:
            warnings.append(_issue("parameter", finding, where, "frozen, and yet in an optimizer"))
        elif finding.status == "zero":
            always = finding.node in ZERO_EVERYWHERE
            (problems if always else warnings).append(_issue("parameter", finding, where))
        elif finding.status in ("cut", "unused"):
            # What may lie in a corner that was not seen is no reason to fail anyone's build.
            (problems if finding.certain else warnings).append(_issue("parameter", finding, where))
    for where, diagnosis in enumerate(diagnoses):
        for number, conflict in enumerate(diagnosis.conflicts):
            issue = Issue(
                kind="conflict", diagnosis=where, conflict=number, effect=conflict.effect, at=conflict.modified_at
            )
            (problems if conflict.effect == "raises" or conflict.certain else warnings).append(issue)
    return Judged(problems=tuple(problems), warnings=tuple(warnings), not_reached=tuple(not_reached))


def _best(diagnoses: Sequence[Diagnosis]) -> dict[str, tuple[Finding, int]]:
    """For each parameter its best finding and the diagnosis that has it; of equals the first."""
    best: dict[str, tuple[Finding, int]] = {}
    for where, diagnosis in enumerate(diagnoses):
        for finding in diagnosis.findings:
            known = best.get(finding.parameter)
            if known is None or _rank(finding) < _rank(known[0]):
                best[finding.parameter] = (finding, where)
    return best


def _rank(finding: Finding) -> tuple[int, bool]:
    rank = _ORDER[finding.status]
    if finding.status == "zero" and finding.node in ZERO_EVERYWHERE:
        rank += 1
    return rank, not finding.certain


def _issue(kind: str, finding: Finding, where: int, says: str = "") -> Issue:
    return msgspec.convert(
        {"kind": kind, "parameter": finding.parameter, "status": finding.status, "diagnosis": where, "says": says},
        Issue,
    )


def _wanted(name: str, others: Sequence[str], only: Sequence[str], ignore: Sequence[str]) -> bool:
    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(known, pattern) for known in (name, *others) for pattern in patterns)

    return not matches(ignore) and (not only or matches(only))
