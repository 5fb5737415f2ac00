"""graphvis snippet, and the gallery of a Markdown file."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from graphvis.cli import gallery
from graphvis.cli.embedding import alt_text
from graphvis.scenario import find, find_scenarios
from tests.cli.conftest import Result, lines_of

Call = Callable[..., Result]


class Elements(HTMLParser):
    """Collects the elements of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("markup", ["markdown", "html"])
def test_picture_element_with_narrow_source_and_alt_text(call: Call, markup: str) -> None:
    result = call("snippet", "detach_zero", "--markup", markup, "--prefix", "../out/")
    assert [tag for tag, _ in Elements(result.out).found] == ["picture", "source", "img"]
    _, (_, source), (_, image) = Elements(result.out).found
    assert source["srcset"] == "../out/detach_zero.narrow.svg"
    assert image["src"] == "../out/detach_zero.svg"
    assert image["alt"] == alt_text(find("detach_zero"))
    assert "\n\n" not in result.out  # a blank line would end the HTML block of Markdown


def test_rst_is_an_image_with_alt_text(call: Call) -> None:
    lines = call("snippet", "detach_zero", "--markup", "rst").out.splitlines()
    assert lines[0] == ".. image:: out/detach_zero.svg"
    assert f"   :alt: {alt_text(find('detach_zero'))}" in lines


def test_alt_text_says_the_finding_in_one_line() -> None:
    for scenario in find_scenarios():
        text = alt_text(scenario)
        assert text.startswith(scenario.title)
        assert "\n" not in text
        assert "`" not in text


def test_name_that_html_would_read_is_escaped(call: Call, tmp_path: Path) -> None:
    path = tmp_path / 'a "b" <i>&.py'
    path.write_text('"""A <b>title</b> & "quotes"."""\ndef program():\n    yield\n')
    (_, source), (_, image) = Elements(call("snippet", path).out).found[1:]
    assert source["srcset"] == "out/a%20%22b%22%20%3Ci%3E%26.narrow.svg"
    assert image["alt"] == 'A <b>title</b> & "quotes".'


def test_gallery_has_a_row_for_each_scenario(call: Call) -> None:
    rows = call("snippet", "--all").out.splitlines()
    assert len(rows) == 2 + len(find_scenarios())
    for row, scenario in zip(rows[2:], find_scenarios(), strict=True):
        assert row.count("|") == 3
        image = next(attributes for tag, attributes in Elements(row).found if tag == "img")
        assert image["src"] == f"out/{scenario.name}.svg"
        assert image["alt"] == scenario.title


def test_gallery_goes_between_the_markers_and_nothing_else_changes(call: Call) -> None:
    file = Path("README.md")
    file.write_text(f"# top\r\n\n{gallery.BEGIN}\nold\n{gallery.END}\nbelow\n", newline="")
    assert call("snippet", "--all", "--into", file).code == 0
    text = file.read_bytes().decode()
    assert text.startswith(f"# top\r\n\n{gallery.BEGIN}\n")
    assert text.endswith(f"{gallery.END}\nbelow\n")
    assert gallery.table(find_scenarios(), "out/") in text
    assert "\nold\n" not in text
    call("snippet", "--all", "--into", file)
    assert file.read_bytes().decode() == text


def test_file_without_markers_says_which_are_missing(call: Call) -> None:
    Path("README.md").write_text("# top\n")
    assert gallery.BEGIN in lines_of(call("snippet", "--all", "--into", "README.md"))[-1]


@pytest.mark.parametrize("arguments", [[], ["detach_zero", "--all"], ["detach_zero", "--into", "README.md"]])
def test_wrong_usage(call: Call, arguments: list[str]) -> None:
    lines_of(call("snippet", *arguments))
