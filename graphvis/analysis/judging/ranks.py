"""Which of several findings about one parameter counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphvis.analysis.judging.holders import Holder, Optimizers
from graphvis.model.diagnosis import Diagnosis, Finding

# Nodes whose derivative is zero everywhere: no input will ever get a gradient through them, whatever its value.
ZERO_EVERYWHERE = frozenset({
    "RoundBackward0", "RoundBackward1", "FloorBackward0", "CeilBackward0", "TruncBackward0", "SignBackward0",
    "SgnBackward0", "HeavisideBackward0", "FloorDivideBackward0", "FloorDivideBackward1",
    "NormalBackward1", "NormalBackward2", "NormalBackward3", "BernoulliBackward0", "PoissonBackward0",
})  # fmt: skip

_ORDER = {"gradient": 0, "zero": 1, "frozen": 3, "cut": 4, "unused": 5, "unreached": 6}
_USELESS = 2  # the first rank at which there is no gradient to learn from


def best(diagnoses: Sequence[Diagnosis], optimizers: Optimizers) -> dict[str, tuple[Finding, int]]:
    """For each parameter its best finding and the diagnosis that has it.

    Of those without any use, the last that its own optimizer takes gradients from; else of equals the first.
    """
    own: dict[str, frozenset[int]] = {}
    starved = optimizers.starved()
    without: set[str] = set()
    for holder in optimizers.holders:
        without |= holder.without
        backwards = _serving(diagnoses, holder, optimizers.by_hand)
        for name in holder.parameters:
            own[name] = own.get(name, frozenset()) | backwards
    chosen: dict[str, tuple[Finding, int]] = {}
    keys: dict[str, tuple[int, bool, int, bool, int]] = {}
    for where, diagnosis in enumerate(diagnoses):
        for finding in diagnosis.findings:
            name, rank = finding.parameter, _rank(finding)
            its_own = where in own.get(name, ())
            if name in without and where in optimizers.by_hand:
                rank = len(_ORDER)  # it is no gradient to the optimizer
            elif name in starved and not its_own:
                rank = max(rank, _USELESS)  # it was cleared before the optimizer's own turn
            key = min(rank, _USELESS), not its_own, rank, not finding.certain, -where if its_own else where
            if name not in keys or key < keys[name]:
                chosen[name], keys[name] = (finding, where), key
    return chosen


def _serving(diagnoses: Sequence[Diagnosis], holder: Holder, by_hand: Collection[int]) -> frozenset[int]:
    """The backwards that an optimizer takes its gradients from: where some give it any, those alone."""

    def gives(where: int, finding: Finding) -> bool:
        held = finding.parameter in holder.parameters
        return held and may_learn(finding) and not (where in by_hand and finding.parameter in holder.without)

    giving = (where for where in holder.backwards if any(gives(where, one) for one in diagnoses[where].findings))
    return frozenset(giving) or holder.backwards


def nearest(diagnosis: Diagnosis) -> list[Finding]:
    """The parameters that were cut, and no further from the output than others; where none was, those without use.

    What is cut by the same lines as another parameter and by some more besides lies behind those: without the first,
    backward would run, and nobody knows whether it is meant to come so far.
    """
    cut = [finding for finding in diagnosis.findings if finding.status == "cut"]
    if not cut:
        return [
            finding
            for finding in diagnosis.findings
            if finding.status == "unused" or (finding.status == "unreached" and not finding.certain)
        ]
    lines = [frozenset(_line(diagnosis, i) for i in finding.cuts) for finding in cut]
    sets = set(lines)
    return [finding for finding, mine in zip(cut, lines, strict=True) if not any(other < mine for other in sets)]


def _line(diagnosis: Diagnosis, number: int) -> tuple[str, str, int]:
    cut = diagnosis.cuts[number]
    at = cut.since or cut.location
    return cut.kind, at.file, at.line


def may_learn(finding: Finding) -> bool:
    """Whether its backward gives it a gradient, were it for other values than these."""
    return _rank(finding) < _USELESS


def _rank(finding: Finding) -> int:
    rank = _ORDER[finding.status]
    return _USELESS if finding.status == "zero" and finding.node in ZERO_EVERYWHERE else rank
