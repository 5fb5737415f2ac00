"""PyTorch's own samples of its operators and modules: what graphvis says of each is what backward does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("what", ["operators", "modules"])
def test_nothing_disagrees(what: str) -> None:
    """A third of the operators, with one sample each, and all of them with ten in a soak."""
    most = max(1, settings().max_examples // 1000)
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.properties.operators", what, str(most)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == {}
