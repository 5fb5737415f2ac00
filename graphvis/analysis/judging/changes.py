"""What is otherwise when a backward comes round again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from graphvis.analysis.judging.holders import Holder, some
from graphvis.analysis.judging.ranks import may_learn
from graphvis.model.cut import Cut
from graphvis.model.diagnosis import Diagnosis
from graphvis.model.location import Location
from graphvis.model.run import Issue


class Change:
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
            and (finding.status == "cut" or (finding.status == "zero" and not may_learn(finding)))
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
            yield f"{some(names)}: a gradient at first, and none in the round after: {line}"
        warned = dict.fromkeys(issue.parameter for issue in warnings if issue.kind == "parameter" and not issue.says)
        names = [name for name in warned if name is not None and name in self.gained]
        if names:
            yield f"{some(names)}: no gradient at first, and one in the round after"

    def _cut(self, number: int) -> Cut:
        return self._after.cuts[number]


def _place(what: str, at: Location) -> str:
    return f"{what} at {at.short}"
