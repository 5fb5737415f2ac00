"""Running scenarios: the one place where the command line reaches PyTorch."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import ModuleType
from typing import TYPE_CHECKING

from graphvis.errors import GraphvisError, ScenarioError, WalkError

if TYPE_CHECKING:
    from graphvis.model import Comparison
    from graphvis.scenario import Scenario


def compare(scenario: Scenario, *, warn: bool = False) -> Comparison:
    """Run a scenario, check what it expects, and compare its moments.

    What the program prints goes to stderr: stdout is ours, for data.

    Args:
        scenario: what to run.
        warn: whether to pass on what PyTorch warns of: part of the story for one that is told, noise for a gallery.

    Raises:
        ScenarioError: if it raises, does not yield, or is not true.
        GraphvisError: if PyTorch cannot be imported.
    """
    api = load_api()
    with _running(scenario, warn):
        comparison: Comparison = api.compare_scenario(scenario)
    return comparison


def torchviz_sources(scenario: Scenario) -> dict[str, str]:
    """torchviz's own drawing of each half, as DOT source by ``before`` and ``after``; errors as of :func:`compare`."""
    api = load_api()
    with _running(scenario, warn=False):
        sources: dict[str, str] = api.torchviz_sources(scenario)
    return sources


@contextmanager
def _running(scenario: Scenario, warn: bool) -> Iterator[None]:
    try:
        with redirect_stdout(sys.stderr), warnings.catch_warnings():
            if not warn:
                warnings.simplefilter("ignore")
            yield
    except WalkError as error:  # it knows what was yielded, and not by whom
        raise ScenarioError(f"{scenario.path}: {error.what}", error.fix) from None


def load_api() -> ModuleType:
    """The module ``graphvis.api``, and with it PyTorch.

    Raises:
        GraphvisError: if PyTorch is not there or broken; it names what Python said.
    """
    try:
        from graphvis import api
    except (ImportError, OSError) as error:  # a shared library that does not load is an OSError
        if isinstance(error, ImportError) and (error.name or "").startswith("graphvis"):
            raise
        raise GraphvisError(
            f"PyTorch cannot be imported: {error}",
            "Scenarios run real PyTorch: pip install torch. (graphvis list and graphvis draw work without it.)",
        ) from None
    return api
