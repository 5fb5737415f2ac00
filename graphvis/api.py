"""What users call: joins what looks at live tensors with what thinks about it and draws it."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from msgspec.structs import replace

from graphvis.analysis.comparing import match_by_calls, match_by_identity, match_by_structure, unite
from graphvis.live import moments, walker
from graphvis.live.moments.building import build
from graphvis.live.moments.names import tensors_of
from graphvis.model import Comparison, Graph, Moment
from graphvis.scenario import Scenario

_MOST_IDENTIFIED = 10_000
"""Nodes of a graph up to which a walk notes who they are: each token costs a dict in the program's own node."""
_IDENTITY = walker.Identity()
_tokens: dict[int, Sequence[Hashable]] = {}


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
    graph, tokens = walker.walk_with_tokens(outputs, names, module=module, identity=_IDENTITY, most=_MOST_IDENTIFIED)
    if tokens:
        _tokens[id(graph)] = tokens
        weakref.finalize(graph, _tokens.pop, id(graph), None)
    return graph


def compare(before: Any, after: Any, *, name: str = "comparison", title: str = "") -> Comparison:
    """Compare two graphs: what the second lost of the first.

    Two graphs that :func:`walk` took in this process match by identity where they have nodes in common; two callables
    are recorded and match by their calls; all else matches by structure.

    Args:
        before: a Graph or a Moment, or a callable without arguments that builds one, or the outputs to walk from.
        after: the same.
        name: fit for a file and for ids.
        title: the finding, for the picture's title bar.

    Returns:
        The union of both.

    Raises:
        WalkError: if a callable returns nothing to walk from.
    """
    if callable(before) and callable(after):
        names = tensors_of(sys._getframe(1).f_locals)
        one, other = build(before, names), build(after, names)
        pairs = match_by_calls(one.moment.graph, other.moment.graph, one.trace, other.trace)
        both = (_settled(one.moment), _settled(other.moment))
        return unite(*both, pairs, "calls", name=name, title=title)
    first, second = _moment(before), _moment(after)
    tokens = (_tokens.get(id(first.graph), ()), _tokens.get(id(second.graph), ()))
    if set(tokens[0]) & set(tokens[1]):
        pairs = match_by_identity(first.graph, second.graph, *tokens)
        return unite(first, second, pairs, "identity", name=name, title=title)
    pairs = match_by_structure(first.graph, second.graph)
    return unite(first, second, pairs, "structure", name=name, title=title)


def _moment(what: Any) -> Moment:
    if isinstance(what, Moment):
        return what
    if callable(what):
        what = what()
    return Moment(graph=what if isinstance(what, Graph) else walker.walk(what))


def _settled(moment: Moment) -> Moment:
    """Without sequence numbers, which say how much ran in this process before."""
    return replace(moment, graph=replace(moment.graph, sequence_nrs=()))


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
