"""What a run found, told to people."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from graphvis.cli import talk

if TYPE_CHECKING:
    from graphvis.model.location import Location
    from graphvis.model.run import Issue, Run


def tell(found: Run, words: Sequence[str], *, drawn: bool = False, color: bool = False, went_on: bool = False) -> str:
    """What was found, for people.

    Args:
        found: the run.
        words: how the script was named, and its arguments; a script that came by standard input has none that lead to
            it again.
        drawn: whether there is a picture beside it.
        color: whether the terminal shows colours.
        went_on: whether the script ran on after the recording had ended.
    """
    from graphvis.picture import report

    command = shlex.join(words)
    parts = []
    known = {diagnosis.backward for diagnosis in found.diagnoses if diagnosis.findings}
    for number, diagnosis in enumerate(found.diagnoses):
        if diagnosis.backward in known and not (diagnosis.findings or diagnosis.conflicts):
            continue  # no parameter was known yet: a later run of the line is told
        warned = {issue.parameter for issue in found.warnings if issue.diagnosis == number and not issue.says}
        parts.append(
            report.write(
                diagnosis,
                quiet=_quiet(found, number),
                warned={name for name in warned if name is not None},
                color=color,
                command="" if words[0] == "-" else command,
            )
        )
    if found.problems and not drawn:
        parts[-1] += f"    picture: graphvis run -o why.svg {talk.printable(command)}\n"
    parts += _worded(found.warnings)
    if found.not_reached:
        parts.append(f"note: {_some(found.not_reached)}: not reached, the optimizer has not stepped\n")
    return "\n".join([*parts, _last_line(found, went_on)])


def place(location: Location) -> str:
    """``file:line``, relative to the working directory where the file lies under it."""
    inside = os.path.relpath(location.file)
    return talk.printable(f"{location.file if inside.startswith('..') else inside}:{location.line}")


def _quiet(found: Run, number: int) -> dict[str, str]:
    """The parameters that are told in one line in a diagnosis, and why."""
    issues = [issue for issue in (*found.problems, *found.warnings) if not issue.says and issue.parameter is not None]
    here = {issue.parameter for issue in issues if issue.diagnosis == number}
    reasons = {
        **{str(issue.parameter): "here too" for issue in issues},
        **dict.fromkeys(found.not_reached, "not judged: the optimizer has not stepped"),
        **dict.fromkeys(found.passed_over, "not judged, as asked"),
    }
    names = [finding.parameter for finding in found.diagnoses[number].findings]
    return {name: reasons.get(name, "as intended") for name in names if name not in here}


def _worded(warnings: Iterable[Issue]) -> Iterator[str]:
    """The warnings that say themselves what is the matter, those of one line together."""
    by_word: dict[tuple[str, Location | None], list[str]] = {}
    for issue in warnings:
        if issue.says and issue.parameter is not None:
            by_word.setdefault((issue.says, issue.at), []).append(issue.parameter)
    for (says, at), names in by_word.items():
        where = "" if at is None else f" --> {place(at)}: {talk.printable(at.text)}\n"
        yield f"warning: {_some(names)}: {says}\n{where}"


def _some(names: Sequence[str]) -> str:
    """One name, or how many and the first of them."""
    if len(names) == 1:
        return talk.printable(names[0])
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return talk.printable(f"{talk.counted(len(names), 'parameter')} ({shown})")


def _last_line(found: Run, went_on: bool) -> str:
    text = "no backward ran that a parameter could get a gradient from: nothing was judged"
    if found.diagnoses:
        text = talk.counted(_count(found, found.problems), "problem")
        if found.warnings:
            text += f", {talk.counted(_count(found, found.warnings), 'warning')}"
        if found.rounds > 1 or found.stopped is not None:
            text += ", judged at the first run of each backward"
            if found.again:
                text += f" and at {talk.counted(found.again, 'later one')}"
    if found.stopped is not None:
        what, hint = ("recorded until", "") if went_on else ("stopped when", " (--continue runs on)")
        text += f"; {what} {place(found.stopped)} came round again{hint}"
    if found.failure is not None:
        text += f"; the script raised {found.failure.type}"
    rank = os.environ.get("RANK")  # as torchrun sets it: each process tells its own story
    return f"graphvis{'' if rank is None else f', rank {rank}'}: {text}\n"


def _count(found: Run, issues: Iterable[Issue]) -> int:
    """How many things there are to tell: what the same lines cut, or one line overwrote or froze, is one."""
    return len({_thing(found, issue) for issue in issues})


def _thing(found: Run, issue: Issue) -> tuple[object, ...]:
    if issue.says:
        return issue.says, issue.at
    if issue.parameter is None or issue.diagnosis is None:
        return issue.diagnosis, issue.effect, issue.at
    verdict = found.diagnoses[issue.diagnosis].verdicts[issue.parameter]
    lines = {(cut.kind, at.file, at.line) for cut in verdict.cuts for at in [cut.since or cut.location]}
    return issue.diagnosis, issue.status, frozenset(lines), verdict.at, verdict.node
