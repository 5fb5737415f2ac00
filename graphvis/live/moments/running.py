"""A scenario's moments, captured and compared."""

from __future__ import annotations

from msgspec.structs import replace

from graphvis.analysis.comparing import match_by_calls, match_by_identity, single, unite
from graphvis.analysis.overwriting import silently_wrong
from graphvis.live.moments.capturing import Captured, capture
from graphvis.live.moments.program import stops_of
from graphvis.model import Comparison, Location
from graphvis.scenario import Scenario, halves_of


def run_scenario(scenario: Scenario) -> Comparison:
    """Run a scenario and compare its moments.

    Random numbers, grad mode and the default dtype are as before afterwards.

    Args:
        scenario: what to run; its code runs as it stands.

    Returns:
        The union of both moments, or one half where the program yields once.

    Raises:
        ScenarioError: if the program raises, yields nothing or more than two moments, yields something else than
            ``before(...)`` or ``after(...)``, or is not true.
    """
    words = halves_of(scenario)
    captured = [_portable(capture(scenario, stop, words), scenario) for stop in stops_of(scenario)]
    description = " ".join(scenario.description.split("\n\n")[0].split())
    return replace(_compare(scenario, captured), name=scenario.name, title=scenario.title, description=description)


def _portable(captured: Captured, scenario: Scenario) -> Captured:
    """With the file's name for its path: the same scenario gives the same bytes wherever it lies."""

    def renamed(location: Location) -> Location:
        return replace(location, file=scenario.path.name) if location.file == str(scenario.path) else location

    graph = captured.moment.graph
    cuts = tuple(
        replace(
            cut,
            location=renamed(cut.location),
            caller=cut.caller and renamed(cut.caller),
            since=cut.since and renamed(cut.since),
        )
        for cut in graph.cuts
    )
    locations = {node: renamed(location) for node, location in graph.locations.items()}
    moment = replace(captured.moment, graph=replace(graph, cuts=cuts, locations=locations))
    return Captured(moment, captured.tokens, captured.trace)


def _compare(scenario: Scenario, captured: list[Captured]) -> Comparison:
    if len(captured) == 1:
        return single(captured[0].moment)
    before, after = captured
    one, other = before.moment, after.moment
    if scenario.takes_cut:
        pairs = match_by_calls(before.moment.graph, after.moment.graph, before.trace, after.trace)
        return unite(one, other, pairs, "calls")
    pairs = match_by_identity(before.moment.graph, after.moment.graph, before.tokens, after.tokens)
    assert other.outcome is not None, "capture asks backward"
    outcome = replace(other.outcome, wrong=silently_wrong(one, other))
    return unite(one, replace(other, outcome=outcome), pairs, "identity")
