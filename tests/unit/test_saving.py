"""Big documents on their way to files and back: how much memory they take, and what a person is told meanwhile."""

import os
import pty
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from graphvis import draw
from graphvis.model import lines
from tests.unit.test_lines import graph_of


def test_neither_writing_nor_reading_holds_it_twice(tmp_path: Path) -> None:
    graph, path = graph_of(150_000), tmp_path / "graph.json"
    tracemalloc.start()
    try:
        graph.save(path)
        _, peak = tracemalloc.get_traced_memory()
        assert peak < path.stat().st_size / 4
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        again = draw.read(path)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 1.25 * (now - before)
    assert again == graph


PROGRAM = """
import sys
from graphvis import draw, progress
progress.PATIENCE = float(sys.argv[1])
draw.read(sys.argv[2]).save(sys.argv[2])
"""


def said(path: Path, patience: str) -> str:
    """What a terminal shows while a document is read and written."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-c", PROGRAM, patience, str(path)]
    done = subprocess.Popen(command, stderr=follower, env=os.environ | {"TERM": "xterm", "NO_COLOR": "1"})
    os.close(follower)
    shown = b""
    try:
        while part := os.read(leader, 4096):
            shown += part
    except OSError:  # how the end of a terminal is told
        pass
    os.close(leader)
    assert done.wait() == 0
    return shown.decode()


def test_a_bar_is_shown_on_a_terminal_where_it_takes_long(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    graph_of(30_000).save(path)
    assert said(path, "60") == ""
    shown = said(path, "0")
    assert "reading graph.json" in shown
    assert "writing JSON" in shown
    assert re.search(r"100%", shown)


def test_nothing_is_shown_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    graph_of(30_000).save(path)
    done = subprocess.run([sys.executable, "-c", PROGRAM, "0", path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "graph.json"
    path.write_text("old")

    def full(*_: object) -> object:
        yield b"{", 0
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lines, "write", full)
    with pytest.raises(OSError, match="No space left on device"):
        graph_of(9).save(path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["graph.json"]
