"""From a diagnosis to text."""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Collection, Mapping

from graphvis.analysis.judging import ZERO_EVERYWHERE
from graphvis.model import Cut
from graphvis.model.diagnosis import Diagnosis, Finding
from graphvis.picture.report import conflicts, groups, routes, spans
from graphvis.picture.report.frames import Mark, Page, clean, field, head, lines, prose
from graphvis.picture.report.groups import Severed
from graphvis.picture.report.ways_out import NEUTRALISABLE, SAYS, ways_out

_USE = (
    "nothing that this backward starts from was computed with them: use them in the loss, leave them out of the model, "
    "or set requires_grad_(False) on them"
)
_UNSEEN = (
    "whether what this backward starts from was computed with them is not known: the notes say what was not seen. If "
    "it was, then by a way that no gradient comes back"
)
_RECORD = (
    "to learn which line cut them, record the forward pass: `with graphvis.record() as trace: loss = ...`, then "
    "graphvis.diagnose(loss, trace, parameters=model); or run the script with `graphvis run`"
)


def write(
    diagnosis: Diagnosis,
    *,
    color: bool = False,
    width: int | None = None,
    cwd: str | None = None,
    quiet: Mapping[str, str] | None = None,
    warned: Collection[str] = (),
    command: str = "",
) -> str:
    """A diagnosis as a compiler tells an error: source line, caret, cause, cost, ways out.

    Args:
        diagnosis: what to tell.
        color: whether to use ANSI colours.
        width: columns at which prose is wrapped; 88 where it is None. Source lines are never broken.
        cwd: what paths are told relative to; the process's working directory where it is None.
        quiet: parameters that are no news here, by name: told in one line, with what is said of them (``as intended``).
        warned: names of parameters whose finding is a warning, whatever it were by itself.
        command: script and arguments, e.g. ``train.py``, with which a cut can be tried without.

    Returns:
        Text that ends in a line break.
    """
    page = Page(color, max(width or 88, 40), cwd or os.getcwd())
    severed = groups.severed(diagnosis, quiet, warned)
    parts = conflicts.tell(page, diagnosis.conflicts, command)
    if diagnosis.error:
        said = clean(diagnosis.error.split("\n")[0])
        parts.append([head(page, "error", "backward", f"{_backward(diagnosis)} raises"), *prose(page, "says", said)])
    parts += [_cut(page, diagnosis, group, command) for group in severed if not group.meant]
    for status, tell in (("unused", _unused), ("unreached", _unreached), ("zero", _zero)):
        for found, mild in groups.with_status(diagnosis, status, quiet or (), warned):
            parts.append(tell(page, diagnosis, found, mild))
    meant = [_meant(page, group) for group in severed if group.meant]
    if quieter := [*meant, *_frozen(page, diagnosis), *_notes(page, diagnosis)]:
        parts.append(quieter)
    parts.append(_summary(page, diagnosis))
    parts = _without_repeats(page, parts)
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _without_repeats(page: Page, parts: list[list[str]]) -> list[list[str]]:
    """The findings, each way out in full where it is told first."""
    told: set[tuple[str, ...]] = set()
    (begins,) = field(page, "help", [""])
    found: list[list[str]] = []
    for part in parts:
        start = next((i for i, line in enumerate(part) if line.startswith(begins)), len(part))
        stop = start + 1
        while stop < len(part) and part[stop].startswith(" " * 13):
            stop += 1
        block = tuple(part[start:stop])
        repeated = len(block) > 1 and block in told
        told.add(block)
        found.append([*part[:start], *prose(page, "help", "as above"), *part[stop:]] if repeated else part)
    return found


def _backward(diagnosis: Diagnosis) -> str:
    where = diagnosis.backward
    return (clean(spans.backward_in(where.text)) if where is not None else "") or "this backward"


def _whose(findings: tuple[Finding, ...] | list[Finding], diagnosis: Diagnosis) -> str:
    if len(findings) == 1:
        return clean(findings[0].parameter)
    return f"{len(findings)} of {len(diagnosis.findings)} parameters"


def _gets(findings: tuple[Finding, ...] | list[Finding]) -> str:
    return "gets" if len(findings) == 1 else "get"


def _names(page: Page, findings: tuple[Finding, ...] | list[Finding], diagnosis: Diagnosis) -> list[str]:
    rows = groups.folded(findings)
    longest = max(spans.display_width(clean(name)) for name, _ in rows)
    told = [
        f"{clean(name)}{' ' * (longest - spans.display_width(clean(name)) + 4)}{shape}".rstrip() for name, shape in rows
    ]
    numbers, whole = sum(finding.numel for finding in findings), sum(finding.numel for finding in diagnosis.findings)
    if len(findings) > 1 and numbers:
        told.append(f"{numbers:,} of {whole:,} numbers")
    return told


def _cut(page: Page, diagnosis: Diagnosis, group: Severed, command: str) -> list[str]:
    findings, cuts = group.findings, group.cuts
    what = f"{_whose(findings, diagnosis)} {_gets(findings)} no gradient from {_backward(diagnosis)}"
    level = "warning" if group.warned else "error"
    told = [head(page, level, "cut", what)]
    marks = []
    for cut in cuts:
        says = SAYS[cut.kind]
        if cut.since is not None and cut.since != cut.location:
            marks.append(_turned_off(cut))
            marks.append(_computed_under(cut))
            continue
        if not cut.certain:
            says += " (inferred: the value left PyTorch and came back)"
        marks.append(
            Mark(
                cut.location,
                spans.span_of_cut(cut.location.text, cut.kind),
                says,
                where=_where(cut.location.function, cut.module),
            )
        )
        if cut.caller is not None and cut.caller != cut.location:
            marks.append(Mark(cut.caller, spans.span_of_value(cut.caller.text), "called from here", main=False))
    taken = routes.consumer(diagnosis.graph, cuts[0])
    if diagnosis.graph is not None and taken is not None and taken[0] in diagnosis.graph.locations:
        node, slot = taken
        where = diagnosis.graph.locations[node]
        name = clean(diagnosis.graph.names[node])
        says = f"this {name} takes the value" if slot is None else f"slot {slot} of this {name} is None"
        if where not in (cuts[0].location, cuts[0].caller):
            module = diagnosis.graph.modules.get(node, "")
            marks.append(
                Mark(where, spans.span_of_operand(where.text, name, slot), says, False, _where(where.function, module))
            )
    told += lines(page, marks, level)
    if what := _tensor(cuts[0]):
        told += field(page, "tensor", [what])
    if steps := routes.route(diagnosis.graph, cuts[0], findings[0].parameter):
        told += prose(page, "path", " -> ".join(clean(step) for step in steps))
    told += field(page, "lost", _names(page, findings, diagnosis))
    told += prose(page, "help", ways_out(list(cuts), len(findings) > 1))
    return told + _tried(page, diagnosis, group, command)


def _turned_off(cut: Cut) -> Mark:
    assert cut.since is not None, "the caller knows"
    text = cut.since.text
    if any(word in text for word in ("no_grad", "set_grad_enabled", "inference_mode")):
        mode = "inference mode" if cut.kind == "inference_mode" else "grad mode off"
        return Mark(cut.since, spans.span_of_value(text), f"{mode} from here on: results have no history")
    # A decorator, or a library: the line only calls what turns it off.
    mode = "in inference mode" if cut.kind == "inference_mode" else "with grad mode off"
    return Mark(cut.since, spans.span_of_call(text, cut.location.function), f"runs {mode}: results have no history")


def _computed_under(cut: Cut) -> Mark:
    where = _where(cut.location.function, cut.module)
    return Mark(cut.location, spans.span_of_value(cut.location.text), "the first that it cuts", main=False, where=where)


def _tensor(cut: Cut) -> str:
    """What was cut: its name in the source, and what is known of it; nothing where all of a block is."""
    if cut.since is not None:
        return ""
    written = spans.subject_of_cut(cut.location.text, cut.kind)
    return clean(", ".join(part for part in dict.fromkeys((written, cut.tensor)) if part))


def _where(function: str, module: str) -> str:
    return f"{function} ({module})" if module and function else function or module


def _shown(text: str, span: tuple[int, int]) -> str:
    return clean(text[span[0] : span[1]])


def _tried(page: Page, diagnosis: Diagnosis, group: Severed, command: str) -> list[str]:
    """What was measured without the cut, or how to measure it."""
    told: list[str] = []
    untried: list[str] = []
    for cut in group.cuts:
        place = page.place(groups.line_of(cut))
        measured = [advice for advice in diagnosis.advice if diagnosis.cuts[advice.cut] == cut]
        if measured and measured[0].neutralised:
            gained = len(measured[0].gained)
            told += prose(page, "tried", f"without it, at {place}, {gained} more parameters get a gradient")
        elif measured and cut.kind in NEUTRALISABLE:
            says = (
                f"the {cut.kind} at {place} cannot be taken out alone: writes and what steps parameters are left alone"
            )
            told += prose(page, "tried", says)
        elif measured:
            told += prose(page, "tried", f"{cut.kind} cannot be taken out: the value leaves PyTorch")
        elif cut.kind in NEUTRALISABLE and cut.certain:  # what left PyTorch has no graph with or without it
            untried.append(f"--without {shlex.quote(place)}")
    if command and untried and not told:
        told += field(page, "check", [f"graphvis run {' '.join(dict.fromkeys(untried))} {clean(command)}"])
    return told


def _unused(page: Page, diagnosis: Diagnosis, found: list[Finding], mild: bool) -> list[str]:
    verb = "is" if len(found) == 1 else "are"
    says = f"{_whose(found, diagnosis)} {verb} not used by {_backward(diagnosis)}"
    told = [head(page, "warning" if mild else "error", "unused", says)]
    told += field(page, "names", _names(page, found, diagnosis))
    return told + prose(page, "help", _USE)


def _unreached(page: Page, diagnosis: Diagnosis, found: list[Finding], mild: bool) -> list[str]:
    sure = all(finding.certain for finding in found)
    says = f"{_whose(found, diagnosis)} {_gets(found)} no gradient from {_backward(diagnosis)}"
    told = [head(page, "error" if sure and not mild else "warning", "unreached", says)]
    told += field(page, "names", _names(page, found, diagnosis))
    return told + prose(page, "help", _RECORD if not diagnosis.traced else _UNSEEN)


def _zero(page: Page, diagnosis: Diagnosis, found: list[Finding], mild: bool) -> list[str]:
    by_place: dict[object, list[Finding]] = {}
    for finding in found:
        by_place.setdefault((finding.at, finding.node), []).append(finding)
    told: list[str] = []
    for findings in by_place.values():
        at, node = findings[0].at, findings[0].node
        always = node in ZERO_EVERYWHERE
        level = "error" if always and not mild else "warning"
        if told:
            told.append("")
        told.append(
            head(page, level, "zero", f"{_whose(findings, diagnosis)} {_gets(findings)} a gradient of exactly zero")
        )
        if at is not None:
            says = f"{node or 'this'} passes on zero" + (
                ": its derivative is zero everywhere" if always else " for these values"
            )
            told += lines(page, [Mark(at, spans.span_of_value(at.text), says)], level)
        told += field(page, "names", _names(page, findings, diagnosis))
        if always:
            told += prose(page, "help", "use a straight-through estimator, x + (q - x).detach(), or a smooth stand-in")
    return told


def _meant(page: Page, group: Severed) -> str:
    where = " and ".join(f"{cut.kind} at {page.place(groups.line_of(cut))}" for cut in group.cuts)
    keep, count = "keeps" if len(group.cuts) == 1 else "keep", len(group.findings)
    whose = f"{count} parameter{'s' * (count > 1)}"
    return f"{page.ink('note', 'note')}: {where} {keep} the gradient from {whose}, {group.meant}"


def _frozen(page: Page, diagnosis: Diagnosis) -> list[str]:
    by_line: dict[str, int] = {}
    for finding in diagnosis.findings:
        if finding.status == "frozen" and finding.at is not None:
            place = page.place(finding.at)
            by_line[place] = by_line.get(place, 0) + 1
    return [
        f"{page.ink('note', 'note')}: {count} parameter{'s' * (count > 1)} frozen at {place}"
        for place, count in by_line.items()
    ]


def _notes(page: Page, diagnosis: Diagnosis) -> list[str]:
    if not diagnosis.traced:
        return []  # that there is no trace is said where it matters
    told: list[str] = []
    for note in diagnosis.notes:
        first, *rest = textwrap.wrap(f"note: {clean(note)}", page.width, subsequent_indent="      ")
        told += [first.replace("note", page.ink("note", "note"), 1), *rest]
    return told


def _summary(page: Page, diagnosis: Diagnosis) -> list[str]:
    where = diagnosis.backward
    head = "diagnosis" if where is None else f"backward at {page.place(where)}: {_backward(diagnosis)}"
    order = ("gradient", "cut", "zero", "unused", "frozen") if diagnosis.traced else ("gradient", "frozen", "unreached")
    counts = {status: sum(finding.status == status for finding in diagnosis.findings) for status in order}
    if diagnosis.traced and (unseen := sum(finding.status == "unreached" for finding in diagnosis.findings)):
        counts["unreached"] = unseen
    told = "   ".join(f"{count} {status}" for status, count in counts.items())
    cuts, writes = len(diagnosis.cuts), len(diagnosis.conflicts)
    if diagnosis.traced:
        told += f"     {cuts} cut{'s' * (cuts != 1)}, {writes} conflict{'s' * (writes != 1)}"
    caller = diagnosis.caller
    called = [] if caller is None else [f"    called from {page.place(caller)}: {clean(caller.text)}"]
    return [page.ink(head, "bold"), *called, f"    {told}"]
