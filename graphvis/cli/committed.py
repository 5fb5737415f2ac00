"""A committed file against what is drawn today, and the difference in words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphvis.cli import arguments
from graphvis.cli.render import file_name
from graphvis.errors import FormatError

if TYPE_CHECKING:
    from graphvis.model import Comparison

SCHEMA = "graphvis/provenance/1"
MOST_WORDS = 4
"""How many differences of one file are told."""

_METADATA = re.compile(r"<metadata>(.*?)</metadata>", re.DOTALL)
_VARIANT = re.compile(r"\.(narrow|before|after)$")
_VERSIONS = re.compile(r'"(torch|graphvis)":\s*"[^"]*"')


@dataclass(frozen=True)
class Finding:
    """What a check has to say of one file.

    Attributes:
        file: the file, absolute.
        text: what is the matter, in words.
        is_note: whether it is for information alone.
    """

    file: Path
    text: str
    is_note: bool = False


def compare_files(comparison: Comparison, name: str, folder: Path) -> Iterator[Finding]:
    """What differs between the files of one scenario in a folder and what is drawn today.

    All variants of the SVG must be there; of the other formats those that are there are compared.

    Args:
        comparison: what the scenario shows today.
        name: the scenario's name.
        folder: where the files are.
    """
    from graphvis import draw

    for suffix in arguments.FORMATS:
        for variant in draw.variants(comparison, suffix):
            file = folder / file_name(name, variant, suffix)
            try:
                committed = file.read_bytes()
            except FileNotFoundError:
                if suffix == "svg":
                    yield Finding(file, "is missing")
                continue
            except OSError as error:
                yield Finding(file, f"cannot be read: {error.strerror}")
                continue
            yield from _compare(comparison, file, variant, suffix, committed)


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


def _compare(comparison: Comparison, file: Path, variant: str, suffix: str, committed: bytes) -> Iterator[Finding]:
    from graphvis import draw

    then = provenance_in(committed.decode("utf-8", errors="replace")) if suffix == "svg" else {}
    try:
        today = draw.render(
            comparison,
            suffix,
            theme=then.get("theme", "auto"),
            engine=then.get("engine"),
            variant=variant,  # type: ignore[arg-type]  # one that draw itself gave
        )
    except FormatError as error:
        yield Finding(file, f"not checked: {error.what}", is_note=True)
        return
    if _without_versions(today) == _without_versions(committed):
        return
    if suffix != "svg":
        yield Finding(file, "is not what is drawn today")
        return
    if not then:
        yield Finding(file, "is not a picture that graphvis drew, or is not whole")
        return
    now = provenance_in(today.decode())
    words = list(differences(then, now))
    if words:
        yield Finding(file, _few(words))
    elif _minor(then) != _minor(now):
        text = f"drawn under PyTorch {_minor(then)}, this is {_minor(now)}: the graph is the same, the drawing differs"
        yield Finding(file, text, is_note=True)
    else:
        yield Finding(file, "the graph is the same, the drawing differs (words, states, layout or colours)")


def _without_versions(content: bytes) -> bytes:
    """The content without the versions in it: 2.13.0 and 2.13.1 draw the same."""
    try:
        return _VERSIONS.sub("", unescape(content.decode())).encode()
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
