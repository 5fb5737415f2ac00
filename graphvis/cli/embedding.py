"""What embeds a scenario's picture in each markup."""

from __future__ import annotations

import os
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from graphvis.scenario import Scenario


def _picture(scenario: Scenario, prefix: str) -> str:
    stem = escape(f"{prefix}{url_name(scenario.name)}")
    return (
        "<picture>\n"
        f'  <source media="(max-width: 480px)" srcset="{stem}.narrow.svg">\n'
        f'  <img src="{stem}.svg" width="720" alt="{escape(alt_text(scenario))}">\n'
        "</picture>\n"
    )


def _rst(scenario: Scenario, prefix: str) -> str:
    alt = alt_text(scenario).replace("\\", "\\\\")
    return f".. image:: {prefix}{url_name(scenario.name)}.svg\n   :width: 720px\n   :alt: {alt}\n"


SNIPPETS = {"markdown": _picture, "html": _picture, "rst": _rst}
"""For each markup the function that writes one scenario. Markdown takes HTML as it is."""


def alt_text(scenario: Scenario) -> str:
    """The finding for those who cannot see the picture: the title and the first paragraph, in one line."""
    first = " ".join(scenario.description.split("\n\n")[0].split()).replace("`", "")
    title = scenario.title if scenario.title.endswith((".", "!", "?")) else f"{scenario.title}."
    return f"{title} {first}".strip()


def url_name(name: str) -> str:
    """A file's name as it stands in a URL."""
    return quote(os.fsencode(name))
