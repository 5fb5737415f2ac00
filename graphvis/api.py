"""What users call: joins what looks at live tensors with what thinks about it and draws it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch

from graphvis.analysis.comparing import match_by_structure, unite
from graphvis.live import moments, walker
from graphvis.live.moments.names import tensors_of
from graphvis.model import Comparison, Graph, Moment
from graphvis.scenario import Scenario


def walk(
    outputs: Any,
    names: Mapping[str, Any] | None = None,
    *,
    module: torch.nn.Module | None = None,
) -> Graph:
    """Walk the autograd graph behind `outputs`.

    Args:
        outputs: a Tensor, a tuple, list or dict of them, a ``GradientEdge``, or a model's output object.
        names: names of tensors; by default the caller's local variables, parameters of modules included.
        module: a module whose parameters are to be named by their paths, without a prefix.

    Returns:
        The graph: pure data that holds no tensor.

    Raises:
        WalkError: if there is no tensor in `outputs`.
    """
    if names is None and module is None:
        names = tensors_of(sys._getframe(1).f_locals)
    return walker.walk(outputs, names, module=module)


def compare(before: Any, after: Any, *, name: str = "comparison", title: str = "") -> Comparison:
    """Compare two graphs: what the second lost of the first.

    Args:
        before: a Graph or a Moment, or a callable without arguments that builds the outputs to walk from.
        after: the same.
        name: fit for a file and for ids.
        title: the finding, for the picture's title bar.

    Returns:
        The union of both.
    """
    one, other = _moment(before), _moment(after)
    pairs = match_by_structure(one.graph, other.graph)
    return unite(one, other, pairs, "structure", name=name, title=title)


def _moment(what: Any) -> Moment:
    if isinstance(what, Moment):
        return what
    if isinstance(what, Graph):
        return Moment(graph=what)
    if isinstance(what, Callable):  # type: ignore[arg-type]  # a Protocol at run time
        return Moment(graph=walker.walk(what()))
    return Moment(graph=walker.walk(what))


def torchviz_sources(scenario: Scenario) -> dict[str, str]:
    """torchviz's own drawing of a scenario's moments, as DOT source by side.

    Raises:
        ScenarioError: if it cannot be run.
    """
    from graphvis.live import torchviz  # torchviz is imported only where its look is asked for

    return torchviz.torchviz_sources(scenario)


def compare_scenario(scenario: Scenario) -> Comparison:
    """Run a scenario, check what it claims, and compare its moments.

    Raises:
        ScenarioError: if it cannot be run, or is not true.
    """
    return moments.run_scenario(scenario)
