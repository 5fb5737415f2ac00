import dataclasses

import pytest

from graphvis.errors import ScenarioError
from graphvis.scenario import after, before, expect


def test_a_moment_says_its_side_and_words():
    moment = after("outputs", expect(error="no"), code="c.zero_()", note="a write", says="It raises.", start="go()")
    assert (moment.side, moment.outputs, moment.expectation.error) == ("after", "outputs", "no")
    assert (moment.code, moment.note, moment.says, moment.start) == ("c.zero_()", "a write", "It raises.", "go()")
    assert before("outputs").side == "before"


def test_nothing_is_expected_unless_said():
    assert before("outputs").expectation is None
    assert expect() == expect(grads=None, error=None, versions={}, states={}, values={})


def test_moments_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        before("outputs").note = "another"


def test_a_gradient_and_an_error_exclude_each_other():
    with pytest.raises(ScenarioError, match="both grads and error"):
        expect(grads={"a": [1]}, error="no")
