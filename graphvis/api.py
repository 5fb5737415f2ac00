"""What users call: joins what looks at live tensors with what thinks about it and draws it."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch

from graphvis.analysis.comparing import match_by_calls, match_by_identity, match_by_structure, unite
from graphvis.analysis.judging import judge
from graphvis.errors import SelectionError
from graphvis.live import counterfactual, diagnosis, moments, recorder, script, walker
from graphvis.live.moments.building import build
from graphvis.live.moments.names import tensors_of
from graphvis.live.recorder import Recording
from graphvis.model import Comparison, Diagnosis, Graph, Location, Moment
from graphvis.model.run import Issue, Run
from graphvis.scenario import Scenario

diagnose = diagnosis.diagnose
without_cuts = counterfactual.without_cuts

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
        return unite(one.moment, other.moment, pairs, "calls", name=name, title=title)
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


def record(*, values: bool = False) -> Recording:
    """Record what a block of code computes: ``with graphvis.record() as trace: loss = step(model, batch)``.

    The recording keeps no tensor alive and changes no result. It sees the thread that enters it.

    It copies what is about to be overwritten only where PyTorch will not count the write and a backward may still
    need what is there, so that ``diagnose(..., probe=True)`` can tell whether that makes a gradient wrong: a write
    through ``.data`` or ``set_``, by ``tensor.data = other``, to an ``UntypedStorage``, through a tensor on NumPy's
    memory, by a fused optimizer, or to running statistics, after a call that took or made a tensor in that memory and
    has a history, and before the next backward that frees its graph. The copies stay on their device and go with the
    memory that they are of; beyond 256 MiB the oldest go, and of a call that overwrites more than that nothing is
    copied.

    Args:
        values: copy what every write is about to overwrite, and what lies in memory that NumPy shares: for what NumPy
            writes by itself, and for counted writes to what a checkpoint reads again. Beyond 1 GiB the oldest go.

    Returns:
        A context manager that is the recording itself; ``trace.freeze()`` gives it as data.
    """
    return recorder.record(values=values)


def torchviz_sources(scenario: Scenario) -> dict[str, str]:
    """Torchviz's own drawing of a scenario's moments, as DOT source by side.

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


def run_script(
    target: str,
    arguments: Sequence[str] = (),
    *,
    module: bool = False,
    go_on: bool = False,
    probe: bool = False,
    only: Sequence[str] = (),
    ignore: Sequence[str] = (),
    strict: bool = False,
    without: Sequence[Location] = (),
    announce: Callable[[Location], None] = lambda _: None,
) -> Run:
    """Run a script as ``__main__`` and diagnose each of its lines that start a backward, where it tells more again.

    Args:
        target: path of the script, or a module's name.
        arguments: what it finds in ``sys.argv[1:]``.
        module: whether `target` is a module's name.
        go_on: whether it is to run on, unrecorded, when there is nothing new to see; else it is ended.
        probe: whether to compare gradients where what was overwritten may make them wrong: it copies what is
            overwritten, and runs backwards of its own beside the script's, with the hooks of its tensors.
        only: patterns of parameter names; where there are some, others are passed over.
        ignore: patterns of parameter names to pass over.
        strict: whether warnings count as problems do.
        without: lines whose cuts are taken out, as :func:`without_cuts` does.
        announce: called with the line at which the script is ended, before it is.

    Raises:
        ScriptError: if there is nothing to run.
        SelectionError: if the script ran and one of the patterns of `only` fits no parameter.
    """
    program = script.Program(target, list(arguments), module=module)
    within = [counterfactual.without_cuts(line) for line in without]
    seen = script.run(program, go_on=go_on, probe=probe, announce=announce, within=within)
    judged = judge(
        seen.diagnoses,
        seen.optimizers,
        refused=seen.refused,
        later=seen.later,
        only=only,
        ignore=ignore,
        aliases=seen.aliases,
    )
    failure, exit_code = script.ending(seen.error)
    notes = [*seen.notes, *judged.notes, *_not_met(without, within)]
    for pattern in judged.unmatched:
        if pattern in only and failure is None:
            raise SelectionError(f"no parameter is named like {pattern!r}", _known(seen.diagnoses))
        if seen.diagnoses:
            notes.append(f"no parameter is named like {pattern!r}")
    found = judged.problems or (strict and judged.warnings)
    return Run(
        ok=not found and not exit_code,
        diagnoses=tuple(seen.diagnoses),
        problems=judged.problems,
        warnings=judged.warnings,
        not_reached=judged.not_reached,
        passed_over=judged.passed_over,
        notes=(*notes, *_explained(seen.classes, [*judged.problems, *judged.warnings])),
        stopped=seen.stopped,
        rounds=seen.rounds,
        again=seen.again,
        failure=failure,
        exit_code=exit_code,
    )


def _not_met(lines: Sequence[Location], modes: Sequence[counterfactual.WithoutCuts]) -> list[str]:
    """The lines that were to be run without their cut, and had none."""
    return [
        f"nothing was taken out at {line.short}: no cut that can be taken out was met there"
        for line, mode in zip(lines, modes, strict=True)
        if not mode.met
    ]


def _explained(classes: Sequence[str], issues: Sequence[Issue]) -> list[str]:
    """What the classes before names of parameters are, for those that are told of."""
    told = {issue.parameter.split(".", 1)[0] for issue in issues if issue.parameter is not None}
    return [
        f"{name}.* are the parameters of a module that no variable of the script holds, named by its class"
        for name in classes
        if name in told
    ]


def _known(diagnoses: Sequence[Diagnosis]) -> str:
    """The names that a pattern could have fitted, in a sentence."""
    names = list(dict.fromkeys(finding.parameter for diagnosis in diagnoses for finding in diagnosis.findings))
    if not names:
        return "No backward ran that a parameter could get a gradient from."
    shown = names if len(names) <= 8 else list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
    return f"There are {', '.join(shown[:8])}{', ...' if len(shown) > 8 else ''}."
