"""graphvis draw: documents drawn again, without torch."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graphvis.model import Graph
from graphvis.model.elements import NodeKind
from tests.cli.conftest import GRAPHVIS, Result, lines_of

Call = Callable[..., Result]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with detach_zero in every text format."""
    folder = tmp_path_factory.mktemp("saved")
    subprocess.run([GRAPHVIS, "render", "detach_zero", "-f", "json,svg,dot,mmd,html", "-o", folder], check=True)
    return folder


@pytest.mark.parametrize("suffix", ["svg", "dot", "mmd", "html", "json"])
def test_same_bytes_as_when_it_was_rendered(call: Call, saved: Path, suffix: str) -> None:
    result = call("draw", saved / "detach_zero.json", "-o", f"again.{suffix}")
    assert result == Result(0, "", "")
    assert Path(f"again.{suffix}").read_bytes() == (saved / f"detach_zero.{suffix}").read_bytes()


@pytest.mark.parametrize("variant", ["narrow", "before", "after"])
def test_variants(call: Call, saved: Path, variant: str) -> None:
    result = call("draw", saved / "detach_zero.json", "--variant", variant)
    assert result.out == (saved / f"detach_zero.{variant}.svg").read_text()


def test_standard_input_and_output(saved: Path) -> None:
    with (saved / "detach_zero.json").open() as document:
        done = subprocess.run([GRAPHVIS, "draw", "-", "-f", "dot"], stdin=document, capture_output=True, check=True)
    assert done.stdout == (saved / "detach_zero.dot").read_bytes()


def test_works_where_torch_cannot_be_imported(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "graphvis", "draw", str(saved / "detach_zero.json")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == (saved / "detach_zero.svg").read_bytes()


def test_truncated_json(call: Call, saved: Path) -> None:
    text = (saved / "detach_zero.json").read_text()
    for length in (0, 1, len(text) // 2, len(text) - 3):
        Path("broken.json").write_text(text[:length])
        assert "broken.json" in lines_of(call("draw", "broken.json", "-o", "x.svg"))[0]
    assert not Path("x.svg").exists()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        '{"name": "package", "version": "1.0.0"}',
        '{"schema": "graphvis/graph/99"}',
        '{"schema": 7}',
        '{"schema": "graphvis/graph/1", "kinds": ["leaf"]}',
        '{"schema": "graphvis/graph/1", "kinds": ["leaf"], "names": ["a"], "roots": [5]}',
        '{"schema": "graphvis/graph/1", "kinds": "leaf"}',
        "[" * 100_000,
        '{"schema": "graphvis/graph/1", "x": ' + "[" * 100_000,
        "\ufeff{}",
        "\x00\x01\x02",
    ],
)
def test_foreign_json(call: Call, text: str) -> None:
    Path("foreign.json").write_text(text)
    assert "foreign.json" in lines_of(call("draw", "foreign.json"))[0]


def test_json_that_is_not_text(call: Call) -> None:
    Path("foreign.json").write_bytes(b'{"schema": "\xff\xfe"}')
    lines_of(call("draw", "foreign.json"))


@pytest.mark.parametrize("path", ["missing.json", ".", "missing/graph.json"])
def test_file_that_cannot_be_read(call: Call, path: str) -> None:
    assert "cannot read" in lines_of(call("draw", path))[0]


@pytest.mark.parametrize("output", ["picture", "picture.jpeg", "picture."])
def test_suffix_that_names_no_format(call: Call, saved: Path, output: str) -> None:
    assert "-f" in "".join(lines_of(call("draw", saved / "detach_zero.json", "-o", output)))


def test_folder_that_is_not_there(call: Call, saved: Path) -> None:
    assert "cannot write" in lines_of(call("draw", saved / "detach_zero.json", "-o", "no/where.svg"))[0]


def test_changed_document_draws_what_it_says(call: Call, saved: Path) -> None:
    """The picture comes from the document, not from the scenario of that name."""
    document = json.loads((saved / "detach_zero.json").read_text())
    document["title"] = "another finding"
    Path("changed.json").write_text(json.dumps(document))
    assert "another finding" in call("draw", "changed.json").out


def chain(length: int) -> Graph:
    """Functions in a row."""
    kind: NodeKind = "function"
    return Graph(
        kinds=(kind,) * length,
        names=("SinBackward0",) * length,
        sources=tuple(range(length - 1)),
        slots=(0,) * (length - 1),
        targets=tuple(range(1, length)),
        output_nrs=(0,) * (length - 1),
        roots=(0,),
    )


def test_what_no_browser_opens_well_is_refused_with_the_ways_out_and_drawn_when_folded(call: Call) -> None:
    Path("long.json").write_text(chain(50_000).to_json())
    result = call("draw", "long.json", "--no-fold", "-o", "long.svg")
    assert result.code == 2
    assert "50,000 boxes" in result.err
    assert all(way in result.err for way in ("--fold", "--focus", "-f json", "--no-limit"))
    assert not Path("long.svg").exists()
    assert call("draw", "long.json", "-o", "long.svg") == Result(0, "", "")
    assert Path("long.svg").read_text().count("data-node") <= 60


def test_a_layout_that_takes_long_says_so_on_a_terminal_and_ends_when_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "long.json").write_text(chain(30_000).to_json())
    process, terminal = pty.fork()
    if process == 0:  # the child, whose terminal it is
        os.chdir(tmp_path)
        os.execv(GRAPHVIS, ["graphvis", "draw", "long.json", "--no-fold", "--no-limit", "-o", "long.svg"])
    seen = b""
    with open(terminal, "rb", buffering=0) as screen:
        while b"laying out 30,000 boxes" not in seen and (chunk := screen.read(1 << 16)):
            seen += chunk
        os.kill(process, signal.SIGINT)
        with contextlib.suppress(OSError):  # how Linux says that a terminal is gone
            while screen.read(1 << 16):
                pass
    assert b"fewer" in seen
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    assert not (tmp_path / "long.svg").exists()
