"""Guards for people's own tests: who must get a gradient, who must not, and that nothing saved is overwritten.

Each takes the loss before ``backward()`` and fails with the report that ``graphvis.diagnose`` gives. With a trace
(``graphvis.record()``, or the pytest fixture ``autograd_trace``) the report names the lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphvis import api
from graphvis.live.diagnosis import ParametersError

if TYPE_CHECKING:
    from graphvis.live.diagnosis import Parameters
    from graphvis.live.recorder import Recording
    from graphvis.model import Diagnosis, Graph, Location


def assert_gradient(loss: Any, parameters: Parameters, *, trace: Recording | None = None, probe: bool = False) -> None:
    """Fail unless ``backward()`` from `loss` gives each parameter that requires grad a gradient.

    Args:
        loss: what backward would start from.
        parameters: a Module, Modules, tensors by name, or tensors.
        trace: the recording of the forward pass.
        probe: also run a backward of our own, and fail for gradients that are exactly zero and for custom Functions
            that return None.

    Raises:
        AssertionError: with the report.
        ParametersError: if `parameters` is none of the above.
    """
    __tracebackhide__ = True
    diagnosis = api.diagnose(loss, trace, _given(parameters), probe=probe)
    if not diagnosis.findings:
        raise AssertionError("there is no parameter to get a gradient")
    if any(finding.status not in ("gradient", "frozen") for finding in diagnosis.findings):
        raise AssertionError(f"some parameters get no gradient\n\n{diagnosis}")


def assert_no_gradient(loss: Any, parameters: Parameters, *, trace: Recording | None = None) -> None:
    """Fail if ``backward()`` from `loss` gives any of the parameters a gradient: a target network, an EMA teacher.

    Args:
        loss: what backward would start from.
        parameters: a Module, Modules, tensors by name, or tensors.
        trace: the recording of the forward pass.

    Raises:
        AssertionError: which of them get one, and by which lines.
        ParametersError: if `parameters` is none of the above.
    """
    __tracebackhide__ = True
    diagnosis = api.diagnose(loss, trace, _given(parameters))
    if not diagnosis.findings:
        raise AssertionError("there is no parameter that could get a gradient")
    reached = [finding.parameter for finding in diagnosis.findings if finding.status in ("gradient", "zero")]
    if reached:
        raise AssertionError(_reached(diagnosis, reached))


def assert_no_conflict(loss: Any, *, trace: Recording | None = None, strict: bool = False) -> None:
    """Fail if ``backward()`` from `loss` would raise, because a tensor that it needs was overwritten.

    Args:
        loss: what backward would start from.
        trace: the recording of the forward pass.
        strict: fail as well for a write that the version counter did not see and that may make a gradient wrong.

    Raises:
        AssertionError: with the report.
    """
    __tracebackhide__ = True
    diagnosis = api.diagnose(loss, trace)
    if any(conflict.effect == "raises" or conflict.certain or strict for conflict in diagnosis.conflicts):
        raise AssertionError(f"a tensor that backward needs was overwritten\n\n{diagnosis}")


def _given(parameters: Parameters | None) -> Parameters:
    """None would stand for whatever leaves the walk finds: a guard of nothing in particular."""
    if parameters is None:
        raise ParametersError("parameters is None", "Give the Module, or the tensors, that this is about.")
    return parameters


def _reached(diagnosis: Diagnosis, names: list[str]) -> str:
    from graphvis.picture import report

    lines = _entries(diagnosis.graph, set(names)) if diagnosis.graph is not None else []
    return report.write_reached(names, len(diagnosis.findings), lines)


def _entries(graph: Graph, names: set[str]) -> list[tuple[str, Location, str]]:
    """Where the gradient goes over to the parameters, as far as a trace knows: node, line and module."""
    wanted = {node for node, info in graph.tensors.items() if info.name in names or names & set(info.aliases)}
    accumulators = {source for source, target in zip(graph.sources, graph.targets, strict=True) if target in wanted}
    ends = wanted | accumulators
    found: dict[Location, tuple[str, Location, str]] = {}
    for source, target in zip(graph.sources, graph.targets, strict=True):
        if target in ends and source in graph.locations and source in graph.reached:
            location = graph.locations[source]
            found.setdefault(location, (graph.names[source], location, graph.modules.get(source, "")))
    return list(found.values())
