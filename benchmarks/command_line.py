"""What the command line takes, beside what it must wait for."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

GRAPHVIS = str(Path(sys.executable).with_name("graphvis"))
ROUNDS = 7


def rows() -> Iterator[tuple[str, str, str]]:
    """Start-up beside click's own, and the gallery beside the imports that it cannot do without."""
    click = [sys.executable, "-c", "import click"]
    for command in ("--help", "list"):
        ours, theirs = alternately([GRAPHVIS, command], click, ROUNDS)
        yield f"`graphvis {command}`", f"{ours * 1000:.0f} ms", f"{ours / theirs:.1f} times `import click`"
    names = [line.split()[0] for line in printed(GRAPHVIS, "list").splitlines()][:25]
    with tempfile.TemporaryDirectory() as folder:
        render = [GRAPHVIS, "render", *names, "-o", folder]
        ours, theirs = alternately(render, [sys.executable, "-c", "import torch, torch._dynamo"], 3)
    beside = f"{ours - theirs:.2f} s more than `import torch, torch._dynamo`"
    yield f"`graphvis render` of {len(names)} scenarios, SVG and DOT", f"{ours:.2f} s", beside


def alternately(ours: list[str], theirs: list[str], rounds: int) -> tuple[float, float]:
    """Medians in seconds of two commands, run in turns so that a slow minute hits both."""
    runs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return median(one for one, _ in runs), median(other for _, other in runs)


def seconds(command: list[str]) -> float:
    """How long a command takes, from start to end."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def printed(*command: str) -> str:
    """What a command writes to stdout."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
