"""graphvis list."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from graphvis.scenario import find_scenarios
from tests.cli.conftest import Result

Call = Callable[..., Result]


def test_each_scenario_has_a_line_with_name_and_title(call: Call) -> None:
    result = call("list")
    assert result.code == 0
    assert result.err == ""
    assert [line.split(maxsplit=1) for line in result.out.splitlines()] == [
        [scenario.name, scenario.title] for scenario in find_scenarios()
    ]


def test_json_is_a_list_of_objects(call: Call) -> None:
    objects = json.loads(call("list", "--json").out)
    assert [(o["name"], o["title"]) for o in objects] == [(s.name, s.title) for s in find_scenarios()]
    assert all(Path(o["path"]).is_file() and o["description"] for o in objects)
