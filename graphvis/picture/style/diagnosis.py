"""The scene of a diagnosis: the graph that is left, the ghost path to what was lost, and the findings beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import msgspec

from graphvis import version
from graphvis.analysis.comparing import single
from graphvis.errors import DocumentError
from graphvis.model import Conflict, Cut, Diagnosis, Graph, Location, Moment, ValueEdge
from graphvis.model import Finding as Told
from graphvis.picture.report import groups
from graphvis.picture.report.frames import source_around
from graphvis.picture.report.spans import span_of_call, span_of_cut
from graphvis.picture.report.ways_out import ways_out
from graphvis.picture.scene import Entry, Finding, Half, Scene
from graphvis.picture.style.drawing import picture_of
from graphvis.picture.style.side import Side
from graphvis.picture.style.words import cut_label, shape_words

_HEADINGS = {
    "unused": "Not used by this backward",
    "unreached": "Not reached",
    "zero": "A gradient of exactly zero",
}
_MOST_ITEMS = 12
"""Parameters that a finding lists by name; of more it lists modules."""


def scene_of_diagnosis(diagnosis: Diagnosis, graph: Graph | None = None) -> Scene:
    """What is shown of a diagnosis.

    Args:
        diagnosis: what was found.
        graph: the graph to draw, folded where it is big; by default the diagnosis's own.

    Raises:
        DocumentError: if the diagnosis was saved without its graph.
    """
    drawn = graph or diagnosis.graph
    if drawn is None:
        raise DocumentError("the diagnosis holds no graph to draw", "Diagnosis.to_json() saves it with its graph.")
    told = groups.severed(diagnosis)
    findings = [
        *(_conflict(conflict) for conflict in diagnosis.conflicts),
        *(finding for group in told for finding in _cut(diagnosis, group)),
        *_without_use(diagnosis),
        *_rest(diagnosis),
    ]
    moment = Moment(graph=_marked(drawn, diagnosis), start=_start(diagnosis))
    comparison = single(moment, name="diagnosis")
    boxes, links = picture_of(comparison, (Side(moment),), started=True)
    return Scene(
        name="diagnosis",
        title=title_of(diagnosis),
        description=" ".join([title_of(diagnosis) + ".", *(_said(finding) for finding in findings)]),
        halves=(Half(),),
        boxes=boxes,
        links=links,
        findings=tuple(findings),
        metadata=_metadata(diagnosis),
    )


def title_of(diagnosis: Diagnosis) -> str:
    """The finding in one line."""
    total = len(diagnosis.findings)
    raising = [conflict for conflict in diagnosis.conflicts if conflict.effect == "raises"]
    if raising:
        one = raising[0]
        where = f": {one.modified_at.short} overwrites what {one.node} saved" if one.modified_at else ""
        return f"backward() will raise{where}"
    if diagnosis.error:
        return "backward() will raise " + diagnosis.error.split("\n")[0]
    lost = [finding for finding in diagnosis.findings if finding.status in ("cut", "unused", "unreached")]
    if not lost:
        if diagnosis.conflicts:
            return "A saved tensor was overwritten, and backward() will not notice"
        return f"All {total} parameters get a gradient" if total else "No parameters to judge"
    whose = lost[0].parameter if len(lost) == 1 else f"{len(lost)} of {total} parameters"
    verb = "gets" if len(lost) == 1 else "get"
    cuts = [diagnosis.cuts[i] for finding in lost for i in finding.cuts]
    why = f": {cut_label(cuts[0], _called(cuts[0]))[0]} at {groups.line_of(cuts[0]).short}" if cuts else ""
    return f"{whose} {verb} no gradient{why}"


def _called(cut: Cut) -> str:
    first, last = span_of_cut(cut.location.text, cut.kind)
    shown = cut.location.text[first:last]
    return shown.split("(")[0].rsplit(".", 1)[-1] if "(" in shown else ""


def _marked(graph: Graph, diagnosis: Diagnosis) -> Graph:
    """The graph with only those cuts that cost something, where some do: beside these, others are no news."""
    costly = {_key(cut) for cut in diagnosis.cuts}
    if not costly:
        return graph

    def marked(edge: ValueEdge) -> ValueEdge:
        free = edge.cut is not None and _key(graph.cuts[edge.cut]) not in costly
        return msgspec.structs.replace(edge, cut=None) if free else edge

    return msgspec.structs.replace(graph, values=tuple(marked(edge) for edge in graph.values))


def _key(cut: Cut) -> tuple[str, str, int]:
    return cut.kind, cut.location.file, cut.location.line


def _start(diagnosis: Diagnosis) -> str:
    text = diagnosis.backward.text if diagnosis.backward else ""
    return text if text.endswith(".backward()") and " " not in text and len(text) <= 30 else ".backward()"


def _code(location: Location, span: tuple[int, int] | None) -> Iterator[Entry]:
    """The line with those above it, the marked part underlined."""
    lines = source_around(location, 2)
    indent = min((len(text) - len(text.lstrip()) for _, text in lines if text.strip()), default=0)
    for number, text in lines:
        last = number == location.line
        shift = len(text) - len(text.lstrip()) - indent
        marked = (span[0] + shift, span[1] + shift) if span and last else None
        yield Entry(text=text[indent:], kind="code", aside=str(number), span=marked)


def _where(location: Location) -> str:
    inside = f", in {location.function}" if location.function and location.function != "<module>" else ""
    return f"{location.short}{inside}"


def _cut(diagnosis: Diagnosis, group: groups.Severed) -> Iterator[Finding]:
    for cut in group.cuts:
        at = groups.line_of(cut)
        entries = [*_code(at, span_of_cut(at.text, cut.kind))]
        if at != cut.location:
            entries.append(Entry(text=f"the first that it cuts: {_where(cut.location)}", kind="note"))
        if cut.caller is not None:
            entries.append(Entry(text=f"called at {_where(cut.caller)}", kind="note"))
        if cut.module:
            entries.append(Entry(text=f"in module {cut.module}", kind="note"))
        if not cut.certain:
            entries.append(Entry(text="inferred: the value left PyTorch and came back", kind="note"))
        yield Finding(heading=f"The cut: {_where(at)}", bad=True, entries=tuple(entries))
    yield Finding(heading="What it cost", entries=tuple(_cost(diagnosis, group.findings)))
    way_out = ways_out(list(group.cuts), len(group.findings) > 1)
    yield Finding(heading="Way out", entries=(Entry(text=_sentence(way_out)),))


def _cost(diagnosis: Diagnosis, lost: tuple[Told, ...]) -> Iterator[Entry]:
    if len(lost) <= _MOST_ITEMS:
        head = _common([finding.parameter for finding in lost])
        if head:
            yield Entry(text=head, kind="group")
        for finding in lost:
            name = finding.parameter[len(head) + 1 :] if head else finding.parameter
            yield Entry(text=name, kind="item", aside=shape_words(finding.shape))
    else:
        for name, aside in groups.folded(lost):
            yield Entry(text=name, kind="item", aside=aside)
    numbers, whole = (sum(finding.numel for finding in some) for some in (lost, diagnosis.findings))
    if numbers:
        yield Entry(text=f"{numbers:,} of {whole:,} numbers", kind="note")


def _common(names: list[str]) -> str:
    """The dotted path that all names begin with; empty for a single name."""
    parts = [name.split(".")[:-1] for name in names]
    shared = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return ".".join(shared) if len(names) > 1 else ""


def _conflict(conflict: Conflict) -> Finding:
    entries: list[Entry] = []
    where = conflict.modified_at
    if where is not None:
        entries += _code(where, span_of_call(where.text, conflict.function))
    if conflict.saved_at is not None:
        entries.append(Entry(text=f"{conflict.node} saved it at {_where(conflict.saved_at)}", kind="note"))
    if conflict.expected_version is not None and conflict.version is not None:
        versions = f"saved at version {conflict.expected_version}, now at {conflict.version}"
        entries.append(Entry(text=versions, kind="note"))
    what = "makes backward raise" if conflict.effect == "raises" else "backward does not notice"
    at = f": {_where(where)}" if where else ""
    return Finding(heading=f"The write that {what}{at}", bad=True, entries=tuple(entries))


def _without_use(diagnosis: Diagnosis) -> Iterator[Finding]:
    for status, heading in _HEADINGS.items():
        found = [finding for finding in diagnosis.findings if finding.status == status]
        if found:
            yield Finding(heading=heading, entries=tuple(_cost(diagnosis, tuple(found))))


def _rest(diagnosis: Diagnosis) -> Iterator[Finding]:
    learning = sum(finding.status == "gradient" for finding in diagnosis.findings)
    frozen = sum(finding.status == "frozen" for finding in diagnosis.findings)
    if 0 < learning < len(diagnosis.findings):
        also = f" {frozen} are frozen." if frozen else ""
        told = f"The other {learning} parameters get a gradient.{also}"
        yield Finding(heading="What still learns", entries=(Entry(text=told),))
    if diagnosis.notes:
        yield Finding(heading="Notes", entries=tuple(Entry(text=note, kind="note") for note in diagnosis.notes))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _said(finding: Finding) -> str:
    told = [entry.text for entry in finding.entries if entry.kind in ("prose", "note")]
    return f"{finding.heading}. {' '.join(told)}".strip()


def _metadata(diagnosis: Diagnosis) -> str:
    counts: dict[str, int] = {}
    for finding in diagnosis.findings:
        counts[finding.status] = counts.get(finding.status, 0) + 1
    cuts = [[cut.kind, PurePath(cut.location.file).name, cut.location.line] for cut in diagnosis.cuts]
    document = {
        "schema": "graphvis/provenance/1",
        "graphvis": version.__version__,
        "torch": diagnosis.graph.torch if diagnosis.graph else "",
        "verdicts": counts,
        "cuts": cuts,
    }
    return msgspec.json.encode(document).decode()
