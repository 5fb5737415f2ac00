"""The page of its own."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from graphvis.picture import html
from graphvis.picture.layout import lay_out
from graphvis.picture.measure import measure
from tests.unit.picture import scenes


class Reader(HTMLParser):
    """Collects tags, ids and what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            if key in ("src", "href", "srcset"):
                self.fetched.append(value or "")


@pytest.mark.parametrize("name", scenes.EVERY)
def test_a_page_needs_nothing_else_and_repeats_no_id(name: str) -> None:
    scene = scenes.EVERY[name]()
    reader = Reader()
    reader.feed(html.write(scene, lay_out(measure(scene))))
    assert not reader.fetched
    assert len(reader.ids) == len(set(reader.ids)) > 0
    assert "script" not in reader.tags
    assert reader.tags.count("svg") == (1 if name == "plain" else 2)


def test_a_page_follows_the_reader_s_scheme_or_the_one_that_was_asked_for() -> None:
    scene = scenes.row_four()
    placement = lay_out(measure(scene))
    assert "prefers-color-scheme" in html.write(scene, placement)
    dark = html.write(scene, placement, theme="dark")
    assert "prefers-color-scheme" not in dark
    assert re.search(r"body\{[^}]*#0d1117", dark)
