"""graphvis show."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from graphvis.scenario import find, find_scenarios
from tests.cli.conftest import GRAPHVIS, Result, lines_of

Call = Callable[..., Result]


def test_code_states_tree_and_outcome(call: Call) -> None:
    result = call("show", "detach_zero")
    assert result.code == 0
    assert "\x1b" not in result.out
    program, before, after = result.out.partition("Before ─")[0], *result.out.split("Before ─")[1].split("After ─")
    assert "detach() shares storage" in program
    assert "c = out.detach()" in program
    for column in ("requires_grad", "is_leaf", "grad_fn", "_version", "storage with"):
        assert column in before
        assert column in after
    assert "└─ AccumulateGrad" in before
    assert "a.grad = [0.1966, 0.1050, 0.0452]" in before
    assert "0 → 1" in after
    assert "RuntimeError" in after
    assert "modified by an inplace operation" in after


def row_of(text: str, name: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name] and "True" in line)


def test_states_are_those_of_pytorch(call: Call) -> None:
    after = call("show", "detach_inplace_after").out.split("After ─")[1]
    assert row_of(after, "x")[:6] == ["x", "True", "True", "None", "0", "-"]
    assert row_of(after, "m")[:10] == ["m", "True", "→", "False", "False", "→", "True", "MulBackward0", "→", "None"]


def test_silently_wrong_gradient_is_called_wrong(call: Call) -> None:
    after = call("show", "data_zero").out.split("After ─")[1]
    assert "a.grad = [0., 0., 0.], silently wrong: it should be [0.1966, 0.1050, 0.0452]" in after


def test_cut_is_named_with_its_line(call: Call) -> None:
    lines = find("detach_zero").source.splitlines()
    line = next(number for number, text in enumerate(lines, 1) if ".detach()" in text)
    assert f"cut by detach at detach_zero.py:{line}" in call("show", "detach_zero").out


@pytest.mark.parametrize("name", [scenario.name for scenario in find_scenarios()])
def test_every_scenario_can_be_told(call: Call, name: str) -> None:
    result = call("show", name)
    assert result.code == 0, result.err
    assert " gives" in result.out or " raises " in result.out


def test_deep_and_wide_graphs_are_cut_short(call: Call) -> None:
    Path("deep.py").write_text(
        '"""T."""\nimport torch\nfrom graphvis.scenario import after\ndef program():\n'
        "    x = torch.ones(2, requires_grad=True)\n    y = x\n    for _ in range(3000):\n        y = y * 2\n"
        "    yield after(y.sum())\n"
    )
    result = call("show", "deep.py")
    assert result.code == 0
    assert "graphvis render draws the rest" in result.out
    assert result.out.count("MulBackward0") < 100


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_only_on_a_terminal_that_wants_them(environment: dict[str, str], coloured: bool) -> None:
    ours, theirs = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm-256color"}
    process = subprocess.Popen([GRAPHVIS, "show", "plain"], stdout=theirs, env=clean | environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert (b"\x1b[" in shown) == coloured


def test_colours_into_a_pager_by_force(spawn: Call) -> None:
    assert "\x1b[" in spawn("show", "plain", FORCE_COLOR="1").out
    assert "\x1b[" not in spawn("show", "plain", FORCE_COLOR="1", NO_COLOR="1").out


def test_warning_of_pytorch_is_one_line_without_our_code(call: Call) -> None:
    result = call("show", "checkpoint_reentrant")
    assert [line for line in result.err.splitlines() if "warning: None of the inputs have requires_grad=True" in line]
    assert "check_backward_validity" not in result.err


def test_unknown_name(call: Call) -> None:
    assert "detach_zero" in "".join(lines_of(call("show", "detach_zeroo")))


def test_memory_is_summed_by_module(call: Call) -> None:
    shown = call("show", "detach_zero", "--memory")
    assert shown.code == 0
    assert "kept for backward" in shown.out
    # A sigmoid of three float32 numbers saves its result, and nothing else is saved.
    assert [line.split()[1:] for line in shown.out.splitlines() if line.startswith("sum ")] == [["1", "1", "12"]] * 2
