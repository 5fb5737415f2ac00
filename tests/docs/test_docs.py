"""Every command and every snippet of the manual is run as it stands.

A fence may say more than its language: ``file=NAME`` writes the block to a file, ``exit=1`` is the code that a command
must end with, ``output`` is all that the command before printed, ``part`` a part of it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from graphvis.errors import FormatError
from graphvis.picture import raster
from graphvis.scenario import find_scenarios

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\S+) ?(.*)\n((?s:.*?))^```$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PROJECT = ("graphvis", "scenarios", "pyproject.toml", "README.md", "LICENSE", "Makefile", "constraints.txt")


class Block(NamedTuple):
    """A fenced block: its language, what else its fence says, and its text."""

    language: str
    words: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    return [Block(*match) for match in FENCE.findall(page.read_text())]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a reader has who has just cloned the project."""
    for name in PROJECT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


def environment_of(checkout: Path) -> dict[str, str]:
    """Commands run as they are written, with this environment's programs; pip and make are told to touch nothing.

    pip builds and installs the package, but into a folder and without its dependencies, which would need the network;
    make says what it would do, for its targets run these very tests.
    """
    pip = {"TARGET": str(checkout / "installed"), "UPGRADE": "1", "NO_DEPS": "1", "NO_INDEX": "1"}
    pip["NO_BUILD_ISOLATION"] = "0"  # pip reads the value of a negative option as that of the positive one
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {f"PIP_{name}": value for name, value in pip.items()} | {"PATH": path, "MAKEFLAGS": "n"}


def run(block: Block, checkout: Path) -> str:
    """Run a block and return what it printed."""
    if block.language == "sh":
        command: list[str | Path] = ["bash", "-euo", "pipefail", "-c", block.text]
    else:
        (checkout / "snippet.py").write_text(block.text)
        command = [sys.executable, "snippet.py"]
    done = subprocess.run(command, cwd=checkout, env=environment_of(checkout), capture_output=True, text=True)
    expected = int(block.words.removeprefix("exit=") or 0)
    assert done.returncode == expected, f"{block.text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def can_draw_png() -> bool:
    """Whether this machine has fonts: without them no renderer of SVG can write text."""
    try:
        raster.to_png('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    except FormatError:
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: Path, checkout: Path) -> None:
    if "png" in page.read_text() and not can_draw_png():
        pytest.skip(f"{page.name} NOT TESTED: it draws a PNG, and there are no fonts here")
    printed = ""
    for block in blocks_of(page):
        if block.words == "output":
            assert block.text.strip() == printed.strip()
        elif block.words == "part":
            assert block.text.strip() in printed
        elif block.words.startswith("file="):
            (checkout / block.words.removeprefix("file=")).write_text(block.text)
        elif block.language in ("sh", "python"):
            printed = run(block, checkout)
        else:
            raise AssertionError(f"{page.name} has a block that no test runs: ```{block.language} {block.words}")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_first_screen_has_the_snippet_of_its_picture() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "graphvis", "snippet", "detach_zero"], capture_output=True, text=True, check=True
    )
    assert done.stdout in (ROOT / "README.md").read_text().partition("```")[0]


def test_gallery_is_todays() -> None:
    from graphvis.cli import gallery

    text = (ROOT / "README.md").read_text()
    assert gallery.renewed(text, gallery.table(find_scenarios(), "out/"), ROOT / "README.md") == text
