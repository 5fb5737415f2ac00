"""The program of each half as it would be pasted: it must end as the moment says."""

import pytest

from graphvis.scenario import find_scenarios, halves_of
from tests.article.running import moments_of, run_plain

SIDES = [
    (scenario, side)
    for scenario in find_scenarios()
    for side in (("before", "after") if halves_of(scenario).before else ("after",))
]


@pytest.mark.parametrize(("scenario", "side"), [pytest.param(*pair, id=f"{pair[0].name}-{pair[1]}") for pair in SIDES])
def test_the_pasted_program_gives_what_the_moment_promises(scenario, side):
    promised = moments_of(scenario.name)[side]
    pasted = run_plain(scenario, side)
    assert pasted.error == promised.error
    assert pasted.grads == promised.grads
