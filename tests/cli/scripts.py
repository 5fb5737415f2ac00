"""Little training scripts for ``graphvis run``, and its document."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema

from tests.cli.conftest import Result

Call = Callable[..., Result]

HEAD = """\
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        h = self.encoder(x)
        return self.head(h)


x, y = torch.randn(8, 4), torch.randint(0, 2, (8,))
"""


def script(folder: Path, body: str, name: str = "train.py") -> Path:
    """A script of :data:`HEAD` and `body`."""
    path = folder / name
    path.write_text(HEAD + textwrap.dedent(body))
    return path


def line_of(path: Path, text: str) -> int:
    """The number of the line that holds `text`."""
    return next(i for i, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def document(result: Result) -> Any:
    """The JSON that a run printed, valid by the schema that the package publishes."""
    found = json.loads(result.out)
    schema = Path(__file__).parents[2] / "graphvis" / "schemas" / "run-1.json"
    jsonschema.validate(found, json.loads(schema.read_text()))
    return found


def problems(found: Any) -> dict[str, str]:
    """Problem parameters with their status."""
    return {issue["parameter"]: issue["status"] for issue in found["problems"] if issue["kind"] == "parameter"}


def warned(found: Any) -> dict[str, str]:
    """Parameters warned of, with what of."""
    return {
        issue["parameter"]: f"{issue['kind']} {issue['status']}" for issue in found["warnings"] if "parameter" in issue
    }
