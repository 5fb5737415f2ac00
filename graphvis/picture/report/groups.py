"""The findings of a diagnosis in the order in which a person wants them: by cut, not by parameter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from graphvis.model import Cut, Location
from graphvis.model.diagnosis import Diagnosis, Finding


@dataclass(frozen=True)
class Severed:
    """Parameters that the same lines cut.

    Attributes:
        cuts: one cut for each line, in order.
        findings: the parameters.
        warned: whether they are told as a warning.
        meant: why they are told in one line; empty for those that are told in full.
    """

    cuts: tuple[Cut, ...]
    findings: tuple[Finding, ...]
    warned: bool = False
    meant: str = ""


def line_of(cut: Cut) -> Location:
    """The line to blame: where grad mode was turned off, for all that was computed under it; else the cut's own."""
    return cut.since or cut.location


def severed(
    diagnosis: Diagnosis, quiet: Mapping[str, str] | None = None, warned: Collection[str] = ()
) -> list[Severed]:
    """The cut parameters by the lines that cut them.

    Args:
        diagnosis: what to tell.
        quiet: parameters that are told in one line, and why.
        warned: parameters that are told as a warning.
    """
    groups: dict[tuple[object, ...], tuple[dict[object, Cut], list[Finding], bool, str]] = {}
    for finding in diagnosis.findings:
        if finding.status != "cut":
            continue
        # A loop cuts many times at one line: that is one thing to tell.
        by_line: dict[object, Cut] = {}
        for i in finding.cuts:
            cut = diagnosis.cuts[i]
            at = line_of(cut)
            by_line.setdefault((cut.kind, at.file, at.line), cut)
        mild, meant = finding.parameter in warned, (quiet or {}).get(finding.parameter, "")
        key = (mild, meant, *sorted(by_line, key=repr))
        groups.setdefault(key, (by_line, [], mild, meant))[1].append(finding)
    return [
        Severed(tuple(cuts.values()), tuple(members), mild, meant) for cuts, members, mild, meant in groups.values()
    ]


def with_status(
    diagnosis: Diagnosis, status: str, quiet: Collection[str], warned: Collection[str]
) -> list[tuple[list[Finding], bool]]:
    """The parameters of a status that are not quiet: those told as they are, and those told as a warning."""
    found = [finding for finding in diagnosis.findings if finding.status == status and finding.parameter not in quiet]
    parted = [([finding for finding in found if (finding.parameter in warned) == mild], mild) for mild in (False, True)]
    return [(members, mild) for members, mild in parted if members]


def folded(findings: tuple[Finding, ...] | list[Finding], most: int = 8) -> list[tuple[str, str]]:
    """Names and shapes, as (name, shape) rows; of a long list the modules with their counts."""
    if len(findings) <= most:
        return [(finding.parameter, str(list(finding.shape))) for finding in findings]
    depth = max(name.count(".") for name in (finding.parameter for finding in findings))
    while depth > 0:
        counts: dict[str, int] = {}
        for finding in findings:
            parts = finding.parameter.split(".")
            head = ".".join(parts[:depth]) if len(parts) > depth else finding.parameter
            counts[head] = counts.get(head, 0) + 1
        if len(counts) <= most:
            return [
                (f"{head}.*" if count > 1 else head, f"{count} parameters" if count > 1 else "")
                for head, count in counts.items()
            ]
        depth -= 1
    shown = [(finding.parameter, str(list(finding.shape))) for finding in findings[: most - 1]]
    return [*shown, (f"and {len(findings) - most + 1} more", "")]
