"""The real mermaid package reads what we write."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from graphvis.picture import mermaid
from tests.unit.picture import scenes

VERSION = "11.17.2"
CACHE = Path(__file__).parents[2] / ".cache" / f"mermaid-{VERSION}"


@functools.cache
def package() -> Path:
    """The browser build of mermaid, installed once."""
    script = CACHE / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("MERMAID NOT TESTED: npm is not installed")
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text('{"private": true}')
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"mermaid@{VERSION}"],
            cwd=CACHE, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return script


@pytest.fixture(scope="module")
def reader(browser: Browser) -> Iterator[Page]:
    """A page on which mermaid is loaded."""
    page = browser.new_page()
    page.add_script_tag(path=package())
    page.evaluate("mermaid.initialize({startOnLoad: false, securityLevel: 'strict'})")
    yield page
    page.close()


def texts(page: Page, source: str) -> list[str]:
    """The texts of the nodes as mermaid draws them."""
    found: list[str] = page.evaluate(
        """async source => {
            const drawn = (await mermaid.render('drawing', source)).svg
            const read = new DOMParser().parseFromString(drawn, 'text/html')
            return [...read.querySelectorAll('g.node')].map(node => node.textContent.trim())
        }""",
        source,
    )
    return found


@pytest.mark.parametrize("name", scenes.EVERY)
@pytest.mark.parametrize("half", [None, 0])
def test_mermaid_parses_every_scene(reader: Page, name: str, half: int | None) -> None:
    source = mermaid.write(scenes.EVERY[name](), half)
    assert reader.evaluate("async source => (await mermaid.parse(source)).diagramType", source) == "flowchart-v2"


def test_mermaid_draws_a_box_for_each_of_ours_with_its_words(reader: Page) -> None:
    drawn = texts(reader, mermaid.write(scenes.row_four(), 1))
    assert len(drawn) == len(scenes.row_four().boxes)
    assert any("SigmoidBackward0" in text and "saved version 0, out is at 1" in text for text in drawn)


def test_mermaid_shows_hostile_names_as_text_and_runs_nothing(reader: Page) -> None:
    fired: list[str] = []
    reader.on("dialog", lambda dialog: (fired.append(dialog.message), dialog.dismiss()))
    drawn = " ".join(texts(reader, mermaid.write(scenes.hostile(), 0)))
    assert not fired
    assert '"><script>alert(1)</script>' in drawn
    assert "{{a|b}} %% --> ;" in drawn
    assert "`code` #quot;" in drawn


def test_a_broken_source_is_refused_so_that_parsing_proves_something(reader: Page) -> None:
    source = mermaid.write(scenes.row_four()).replace('"]]', '"]', 1)
    refused = reader.evaluate("source => mermaid.parse(source).then(() => false, () => true)", source)
    assert refused is True
