"""A script under ``graphvis run`` looks as it does alone, and bad options are refused before it starts."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import GRAPHVIS, lines_of
from tests.cli.scripts import HEAD, Call, line_of, script

pytestmark = pytest.mark.usefixtures("own_main")

WARNS = """
    import warnings

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    warnings.warn("the script's own")
    torch.ones(3).T
    loss = nn.MSELoss()(model(x), torch.ones(8))
    loss = loss + F.mse_loss(model(x), torch.ones(8))
    schedule.step()
    h = model(x)
    for _ in range(2):
        h.grad
    h.sum().grad
    torch.tensor(h)
    loss.backward(torch.ones(3))
"""


@pytest.mark.parametrize("action", ["default", "always", "once", "error"])
def test_warnings_and_tracebacks_are_those_of_python(tmp_path: Path, action: str) -> None:
    path = script(tmp_path, WARNS)
    filters = ["-W", f"{action}::UserWarning"]
    alone = subprocess.run([sys.executable, *filters, path], cwd=tmp_path, capture_output=True, text=True)
    ours = subprocess.run(
        [sys.executable, *filters, "-m", "graphvis", "run", path], cwd=tmp_path, capture_output=True, text=True
    )
    assert f"train.py:{line_of(path, 'warnings.warn')}" in alone.stderr or action == "error"
    assert alone.returncode == ours.returncode == 1
    assert ours.stderr == alone.stderr


def test_a_script_by_standard_input(tmp_path: Path) -> None:
    source = HEAD + (
        "import sys\n"
        "print(sys.argv, sys.path[0], __name__, __file__, __spec__)\n"
        "w = torch.ones(2, requires_grad=True)\n"
        "(w.detach() * 2).sum().requires_grad_().backward()\n"
    )
    command = ["-", "--flag"]
    alone, ours = (
        subprocess.run([*start, *command], cwd=tmp_path, input=source, capture_output=True, text=True)
        for start in ([sys.executable], [GRAPHVIS, "run"])
    )
    assert alone.returncode == 0
    assert ours.stdout.splitlines()[0] == alone.stdout.splitlines()[0]
    assert ours.returncode == 1
    number = len(source.splitlines())
    assert f"--> <stdin>:{number}\n" in ours.stdout
    assert f"{number} | (w.detach() * 2).sum().requires_grad_().backward()\n" in ours.stdout
    assert "graphvis run --without" not in ours.stdout, "nobody can name a line of it"


@pytest.mark.parametrize("name", ["why.xyz", "why", "nowhere/why.svg", "train.py/why.svg"])
def test_a_picture_that_cannot_be_is_refused_before_the_script_starts(call: Call, tmp_path: Path, name: str) -> None:
    path = script(tmp_path, "open('started', 'w').close()\n")
    assert name in " ".join(lines_of(call("run", "-o", name, path)))
    assert not (tmp_path / "started").exists()


def test_the_command_for_the_picture_can_be_pasted(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, "model = Net()\nF.cross_entropy(model(x).detach().requires_grad_(), y).backward()\n")
    told = call("run", path.name, "--name", "two words", "-o", "theirs").out
    (line,) = [line.strip() for line in told.splitlines() if "picture:" in line]
    assert line == "picture: graphvis run -o why.svg train.py --name 'two words' -o theirs"
    assert call(*shlex.split(line)[2:]).code == 1
    assert (tmp_path / "why.svg").exists()
