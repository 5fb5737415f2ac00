"""A committed file against what is drawn today, and the difference in words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import unescape
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphvis.cli import arguments
from graphvis.cli.render import file_name
from graphvis.errors import FormatError

if TYPE_CHECKING:
    from graphvis.draw import Variant
    from graphvis.model import Comparison
    from graphvis.model.drawable import Theme
    from graphvis.model.view import View

SCHEMA = "graphvis/provenance/1"
MISSING = "missing"
DIFFERS = "not what is drawn today"
MOST_WORDS = 4
"""How many differences of one file are told."""

_METADATA = re.compile(r"<metadata>(.*?)</metadata>", re.DOTALL)
_TEXT = re.compile(r"<text[^>]*>(.*?)</text>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_VARIANT = re.compile(r"\.(narrow|before|after)$")
_ELSEWHERE = re.compile(r""""(torch|graphvis)":\s*"[^"]*"|(?<="file": ")[^"]*/""")


@dataclass(frozen=True)
class Finding:
    """What a check has to say of some files.

    Attributes:
        text: what is the matter with all of them, in words.
        files: the files, absolute; of one scenario.
        is_note: whether it is for information alone.
    """

    text: str
    files: tuple[Path, ...]
    is_note: bool = False


def compare_files(comparison: Comparison, name: str, folder: Path) -> Iterator[Finding]:
    """What differs between the files of one scenario in a folder and what is drawn today.

    All variants of the SVG must be there; of the other formats those that are there are compared. Files with the same
    to say of are one finding.

    Args:
        comparison: what the scenario shows today.
        name: the scenario's name.
        folder: where the files are.
    """
    from graphvis import draw

    found: dict[tuple[str, bool], list[Path]] = {}
    for suffix in arguments.FORMATS:
        for variant in draw.variants(comparison, suffix):
            file = folder / file_name(name, variant, suffix)
            for text, is_note in _of_file(comparison, file, variant, suffix):
                found.setdefault((text, is_note), []).append(file)
    # What the SVG's own record says in words is also why the other formats differ.
    known = next((key for key in found if not key[1] and key[0] not in (MISSING, DIFFERS)), None)
    if known and (DIFFERS, False) in found:
        found[known] += found.pop((DIFFERS, False))
    for (text, is_note), files in found.items():
        yield Finding(text, tuple(files), is_note)


def name_of(file: Path) -> str:
    """The scenario's name in the name of a picture of it."""
    return _VARIANT.sub("", file.stem)


def provenance_in(svg: str) -> dict[str, Any]:
    """What an SVG of graphvis keeps of its making; empty for one of somebody else's."""
    found = _METADATA.search(svg)
    try:
        kept = json.loads(unescape(found[1])) if found else {}
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) and kept.get("schema") == SCHEMA else {}


def _of_file(comparison: Comparison, file: Path, variant: Variant, suffix: str) -> Iterator[tuple[str, bool]]:
    """What is to say of one file, and whether it is only a note."""
    from graphvis import draw

    try:
        committed = file.read_bytes()
    except FileNotFoundError:
        if suffix == "svg":
            yield MISSING, False
        return
    except OSError as error:
        yield f"cannot be read: {error.strerror}", False
        return
    then = provenance_in(committed.decode("utf-8", errors="replace")) if suffix == "svg" else {}
    theme: Theme = then.get("theme", "auto")
    try:
        view = _view(then)
        today = draw.render(comparison, suffix, theme=theme, engine=then.get("engine"), variant=variant, view=view)
    except FormatError as error:
        yield f"not checked: {error.what}", True
        return
    if _comparable(today) == _comparable(committed):
        return
    if suffix != "svg":
        yield DIFFERS, False
    elif not then:
        yield "not a picture that graphvis drew, or not whole", False
    else:
        yield _told(committed.decode("utf-8", errors="replace"), today.decode())


def _view(then: dict[str, Any]) -> View:
    """How much was shown when the picture was drawn; what somebody else wrote there counts for nothing."""
    import msgspec

    from graphvis.model.view import View

    try:
        return msgspec.convert(then.get("view", {}), View)
    except msgspec.ValidationError:
        return View()


def _told(committed: str, today: str) -> tuple[str, bool]:
    then, now = provenance_in(committed), provenance_in(today)
    words = list(differences(then, now))
    if words:
        return _few(words), False
    if _minor(then) != _minor(now):
        text = f"drawn under PyTorch {_minor(then)}, this is {_minor(now)}: the graph is the same, the drawing differs"
        return text, True
    written = list(dict.fromkeys(_rewritten(committed, today)))
    if written:
        return f"the graph is the same; {_few(written)}", False
    return "the graph is the same, the drawing differs (layout or colours)", False


def _rewritten(committed: str, today: str) -> Iterator[str]:
    """The lines of text that differ between two pictures of one graph."""
    then, now = _lines_in(committed), _lines_in(today)
    for what, start, stop, begin, end in SequenceMatcher(None, then, now, autojunk=False).get_opcodes():
        if what != "equal":
            for gone, new in zip_longest(then[start:stop], now[begin:end]):
                if new is None:
                    yield f"'{gone}' is gone"
                else:
                    yield f"'{new}' is new" if gone is None else f"'{gone}' is '{new}' now"


def _lines_in(svg: str) -> list[str]:
    return [" ".join(unescape(_TAG.sub("", text)).split()) for text in _TEXT.findall(svg)]


def _comparable(content: bytes) -> bytes:
    """The content without what may differ from one machine to another: patch versions, and where the checkout is."""
    try:
        return _ELSEWHERE.sub("", unescape(content.decode())).encode()
    except UnicodeDecodeError:
        return content


def _minor(kept: dict[str, Any]) -> str:
    return ".".join(str(kept.get("torch", "?")).split(".")[:2])


def differences(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What differs between the graphs of two pictures, in words.

    Args:
        then: what the committed picture keeps.
        now: what today's keeps.
    """
    yield from _changes(_nodes(then), _nodes(now), "")
    yield from _changes(_edges(then), _edges(now), "the edge ")


def _changes(then: Counter[tuple[str, str]], now: Counter[tuple[str, str]], noun: str) -> Iterator[str]:
    gone, new = then - now, now - then
    for thing, state in sorted(gone):
        other = next((s for t, s in sorted(new) if t == thing), None)
        if other is None:
            yield f"{noun}{thing} is gone"
        else:
            yield f"{noun}{thing} was {state} and is {other}"
            new[thing, other] -= 1
            new += Counter()
    for thing, _ in sorted(new):
        yield f"{noun}{thing} is new"


def _nodes(kept: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter((f"{kind} {name}".strip(), state) for kind, name, state in kept["nodes"])


def _edges(kept: dict[str, Any]) -> Counter[tuple[str, str]]:
    names = [name or kind for kind, name, _ in kept["nodes"]]
    found: Counter[tuple[str, str]] = Counter()
    for lane, source, slot, target, state in kept["edges"]:
        slots = "" if slot is None else f" (slot {slot})"
        end = "None" if target is None else names[target]
        found[f"{names[source]}{slots} to {end}, {lane} lane", state] += 1
    return found


def _few(words: list[str]) -> str:
    more = len(words) - MOST_WORDS
    return "; ".join(words[:MOST_WORDS]) + (f"; and {more} more" if more > 0 else "")
