"""Running the command line, in this process where that shows the same, in its own where it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from graphvis.cli import main

GRAPHVIS = Path(sys.executable).with_name("graphvis")
"""The program as pip installed it."""


class Result(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Result:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return Result(int(ended.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture
def own_main() -> Iterator[None]:
    """A script run in this process replaces what it must; the tests go on with what was there."""
    kept = sys.modules["__main__"], list(sys.path), list(sys.argv)
    with torch.enable_grad():  # some leave it off
        yield
    sys.modules["__main__"], sys.path[:], sys.argv[:] = kept


@pytest.fixture
def spawn(tmp_path: Path) -> Callable[..., Result]:
    """Run a command in a process of its own, in an empty folder."""

    def run(*arguments: str | Path, **environment: str) -> Result:
        done = subprocess.run(
            [GRAPHVIS, *arguments], cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


def lines_of(result: Result) -> list[str]:
    """What stood on stderr, after the promise for all bad input: exit code 2, five lines at most, no traceback."""
    lines = result.err.splitlines()
    assert result.code == 2, result
    assert 1 <= len(lines) <= 5, result.err
    assert "Traceback" not in result.err
    return lines
