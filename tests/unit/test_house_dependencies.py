"""What is imported is declared, what is declared is imported, and each has its reason."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOT_IMPORTED = {"graphviz-pure", "setuptools"}
"""A bare program, and what torchviz needs."""


HOSTS = {"sphinx", "docutils", "ipython", "pytest"}
"""Who loads a module of ``graphvis.ext`` has it."""


def name_of(requirement: str) -> str:
    """``resvg-py>=0.5`` is ``resvg-py``."""
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return normal(found[0])


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(*folders: str) -> set[str]:
    """The distributions that the modules of these folders import."""
    owners = packages_distributions() | {"tests": ["graphvis"], "benchmarks": ["graphvis"]}
    roots = {
        root
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for root in roots_of(ast.parse(path.read_text()))
        if root not in sys.stdlib_module_names and root != "graphvis"
    }
    # What the benchmarks compare with may be missing: its name serves for itself.
    return {normal(owners.get(root, [root])[0]) for root in roots}


def roots_of(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_what_the_package_imports_is_declared_and_the_other_way_round() -> None:
    declared = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    optional = {name_of(r) for name in ("png", "pdf") for r in PROJECT["optional-dependencies"][name]}
    found = imported("graphvis", "scenarios") - HOSTS
    assert found - optional == declared - NOT_IMPORTED
    assert optional <= found


def test_what_the_tests_import_is_declared() -> None:
    declared = {name_of(r) for r in PROJECT["dependencies"]}
    declared |= {name_of(r) for extra in PROJECT["optional-dependencies"].values() for r in extra}
    assert imported("tests", "benchmarks") - declared - {"graphvis"} == set()


def test_each_dependency_has_its_reason_and_its_pin() -> None:
    reasons = (ROOT / "CONTRIBUTING.md").read_text().partition("## Dependencies")[2]
    pins = {name_of(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    names = {name_of(r) for r in PROJECT["dependencies"]}
    names |= {name_of(r) for extra in PROJECT["optional-dependencies"].values() for r in extra} - {"graphvis"}
    for name in names:
        assert re.search(rf"^\|[^|]*(?<![\w-]){name}(?![\w-])[^|]*\|", reasons, re.MULTILINE | re.IGNORECASE), name
        assert name in pins, name
