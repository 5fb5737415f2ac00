"""The direction of imports, and that no module shadows a public name."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

import graphvis
from graphvis.model import Comparison, Graph

ROOT = Path(__file__).parents[2]
WITH_TORCH = ("graphvis.live", "graphvis.api", "graphvis.testing", "graphvis.ext", "graphvis.__main__")


def module_names() -> list[str]:
    found = pkgutil.walk_packages(graphvis.__path__, "graphvis.")
    # The scenarios are programs that a scenario run loads, not modules of the house.
    return sorted(module.name for module in found if not module.name.startswith("graphvis.scenarios"))


def test_contract_is_kept() -> None:
    checker = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([checker, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_public_names_work_twice_after_every_module_was_imported() -> None:
    """A module named like a function would shadow it after its first import."""
    for name in module_names():
        if name != "graphvis.__main__":
            importlib.import_module(name)
    for name in graphvis.__all__:
        assert not isinstance(getattr(graphvis, name), ModuleType), name
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(2):
        with graphvis.record() as trace:
            y = (x * 2).sum()
        graph = graphvis.walk(y)
        assert isinstance(graph, Graph)
        assert isinstance(graphvis.compare(graph, graph), Comparison)
        assert graphvis.diagnose(y, trace, parameters={"x": x}).ok
        with graphvis.without_cuts():
            assert graphvis.walk((x * 2).detach().sum()).names


@pytest.mark.parametrize("name", [n for n in module_names() if not n.startswith(WITH_TORCH)])
def test_module_imports_without_torch(name: str) -> None:
    program = (
        "import sys, importlib\n"
        f"importlib.import_module({name!r})\n"
        "heavy = {'torch', 'torchviz', 'numpy', 'IPython'} & sys.modules.keys()\n"
        "sys.exit(f'imports {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
