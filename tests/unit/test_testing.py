"""Guards for people's own tests, each in both directions, and the pytest fixture in a session of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import graphvis
from graphvis.testing import assert_gradient, assert_no_conflict, assert_no_gradient


class Pair(nn.Module):
    """An online and a target network."""

    def __init__(self) -> None:
        super().__init__()
        self.online, self.target = nn.Linear(4, 2), nn.Linear(4, 2)


@pytest.fixture
def pair() -> Iterator[Pair]:
    torch.manual_seed(0)
    return Pair()


def test_a_gradient_that_comes_passes_and_one_that_does_not_fails(pair: Pair) -> None:
    x = torch.randn(3, 4)
    with graphvis.record() as trace:
        good = pair.online(x).sum()
        bad = pair.online(x).detach().sum() * pair.target(x).sum()  # BAD
    assert_gradient(good, pair.online, trace=trace)
    assert_gradient(good, pair.online)
    with pytest.raises(AssertionError) as caught:
        assert_gradient(bad, pair, trace=trace)
    report = str(caught.value)
    assert "error[cut]: 2 of 4 parameters get no gradient" in report
    assert "online.weight" in report
    assert "^^^^^" in report
    assert "test_testing.py" in report
    with pytest.raises(AssertionError, match="unreached"):
        assert_gradient(bad, pair)


def test_a_gradient_of_zero_is_seen_by_a_probe(pair: Pair) -> None:
    loss = pair.online(torch.randn(3, 4)).round().sum()
    assert_gradient(loss, pair.online)
    with pytest.raises(AssertionError, match="exactly zero"):
        assert_gradient(loss, pair.online, probe=True)


def test_frozen_parameters_need_no_gradient(pair: Pair) -> None:
    pair.target.requires_grad_(False)
    x = torch.randn(3, 4)
    assert_gradient(F.mse_loss(pair.online(x), pair.target(x)), pair.online)
    with graphvis.record() as trace:
        loss = F.mse_loss(pair.online(x), pair.target(x))
    assert_gradient(loss, pair, trace=trace)


def test_a_target_that_gets_a_gradient_fails_with_the_line(pair: Pair) -> None:
    x = torch.randn(3, 4)
    with graphvis.record() as trace:
        loss = F.mse_loss(pair.online(x), pair.target(x))
    with pytest.raises(AssertionError) as caught:
        assert_no_gradient(loss, pair.target, trace=trace)
    report = str(caught.value)
    assert "error[gradient]: 2 of 2 parameters get a gradient and should not" in report
    assert "loss = F.mse_loss(pair.online(x), pair.target(x))" in report
    with pytest.raises(AssertionError, match="weight"):
        assert_no_gradient(loss, pair.target)
    with torch.no_grad():
        goal = pair.target(x)
    assert_no_gradient(F.mse_loss(pair.online(x), goal), pair.target)
    assert_no_gradient(F.mse_loss(pair.online(x), pair.target(x).detach()), {"w": pair.target.weight})


def test_nothing_to_guard_is_no_pass(pair: Pair) -> None:
    loss = pair.online(torch.randn(3, 4)).sum()
    for guard in (assert_gradient, assert_no_gradient):
        with pytest.raises(AssertionError, match="no parameter"):
            guard(loss, nn.ReLU())


def test_an_overwritten_tensor_fails_with_the_line_that_wrote(pair: Pair) -> None:
    with graphvis.record() as trace:
        h = pair.online(torch.randn(3, 4)).exp()
        loss = h.sum()
        h += 1
    with pytest.raises(AssertionError, match=r"h \+= 1"):
        assert_no_conflict(loss, trace=trace)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    with graphvis.record() as trace:
        h = pair.online(torch.randn(3, 4)).exp()
        loss = (h + 1).sum()
    assert_no_conflict(loss, trace=trace)
    loss.backward()


def test_a_write_that_no_counter_saw_fails_only_when_asked(pair: Pair) -> None:
    with graphvis.record() as trace:
        h = pair.online(torch.randn(3, 4)).exp()
        loss = h.sum()
        h.data.add_(1)
    assert_no_conflict(loss, trace=trace)
    with pytest.raises(AssertionError, match="wrong gradient"):
        assert_no_conflict(loss, trace=trace, strict=True)


TEST_FILE = """
import sys
import torch
from torch import nn
from graphvis.testing import assert_gradient


def test_recorded(autograd_trace):
    layer = nn.Linear(2, 2)
    loss = layer(torch.ones(1, 2)).detach().sum()
    assert_gradient(loss, layer, trace=autograd_trace)


def test_off_again():
    assert torch._C._len_torch_function_stack() == 0
"""


def test_the_fixture_records_a_test_and_is_off_after(tmp_path: Path) -> None:
    """The entry point is found, the failure is the report, no frame of ours stands in it."""
    (tmp_path / "test_theirs.py").write_text(TEST_FILE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path], capture_output=True, text=True
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "test_theirs.py:10 in test_recorded" in done.stdout
    assert "detach: the value goes on, its gradient stops here" in done.stdout
    assert "graphvis/testing.py" not in done.stdout


def test_the_plugin_imports_no_torch(tmp_path: Path) -> None:
    """Everyone's pytest loads it."""
    code = "import sys, graphvis.ext.pytest\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
