"""The table of all scenarios, and its place in a Markdown file."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from graphvis.cli.embedding import url_name
from graphvis.errors import DocumentError

if TYPE_CHECKING:
    from graphvis.scenario import Scenario

BEGIN = "<!-- graphvis gallery -->"
END = "<!-- end of graphvis gallery -->"


def table(scenarios: Iterable[Scenario], prefix: str) -> str:
    """A Markdown table: a picture and its sentence in each row, linked to the full picture.

    Args:
        scenarios: in the order of the rows.
        prefix: what stands before the file names.
    """
    rows = ["| picture | what it shows |", "| --- | --- |"]
    for scenario in scenarios:
        url = escape(f"{prefix}{url_name(scenario.name)}.svg")
        alt = escape(scenario.title).replace("|", "&#124;")
        picture = f'<a href="{url}"><img src="{url}" width="480" alt="{alt}"></a>'
        rows.append(f"| {picture} | **{_text(scenario.name)}**<br>{_text(scenario.title)} |")
    return "\n".join(rows)


def _text(text: str) -> str:
    """Text for a Markdown cell.

    What Markdown would read as its own becomes an entity: the underscore of ``detach_()`` must not open an emphasis.
    One between letters is left, for there it cannot.
    """
    between = {i for i in range(1, len(text) - 1) if text[i - 1].isalnum() and text[i + 1].isalnum()}
    return "".join(
        f"&#{ord(c)};" if c in "|*`[]\\~" or (c == "_" and i not in between) else escape(c, quote=False)
        for i, c in enumerate(text)
    )


def has_markers(text: str) -> bool:
    """Whether a file holds a gallery: both markers, each on a line of its own."""
    lines = [line.strip() for line in text.splitlines()]
    return BEGIN in lines and END in lines


def renewed(text: str, new: str, path: Path) -> str:
    """`text` with the table between the markers replaced by `new`.

    Args:
        text: the whole file.
        new: the table.
        path: the file's name, for the error.

    Raises:
        DocumentError: if the markers are not there, or in the wrong order.
    """
    lines = text.splitlines(keepends=True)
    bare = [line.strip() for line in lines]
    if not has_markers(text) or bare.index(END) < bare.index(BEGIN):
        raise DocumentError(
            f"{path} has no place for the gallery", f"Put the lines {BEGIN} and {END} where it belongs."
        )
    return "".join([*lines[: bare.index(BEGIN) + 1], f"\n{new}\n\n", *lines[bare.index(END) :]])


def read(path: Path) -> str:
    """The text of a Markdown file.

    Raises:
        DocumentError: if it cannot be read.
    """
    try:
        return path.read_bytes().decode()  # read_text would change the line ends
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror}", "Name a Markdown file that exists.") from None
    except UnicodeDecodeError:
        raise DocumentError(f"{path} is not UTF-8 text", "Name a Markdown file.") from None
