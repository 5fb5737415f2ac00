"""The program as a whole: help, exit codes, streams, time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from graphvis.cli.program import COMMANDS
from graphvis.version import __version__
from tests.cli.conftest import GRAPHVIS, Result, lines_of

Call = Callable[..., Result]


def test_python_m_graphvis_is_the_command_line(tmp_path: Path) -> None:
    def out(*command: str | Path) -> str:
        return subprocess.run([*command, "list"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert out(sys.executable, "-m", "graphvis") == out(GRAPHVIS)


def test_version_names_what_draws(call: Call) -> None:
    result = call("--version")
    assert result.code == 0
    assert result.out.startswith(f"graphvis {__version__}, torch 2.")
    assert "graphviz-pure" in result.out


def test_help_names_every_command(call: Call) -> None:
    result = call("--help")
    assert result.code == 0
    listed = result.out.partition("Commands:")[2].split()
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_examples(call: Call, name: str) -> None:
    result = call(name, "--help")
    assert result.code == 0
    assert f"graphvis {name}" in result.out.partition("Examples:")[2]
    assert call(name, "-h").out == result.out


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "--json"], ["snippet", "detach_zero"]])
def test_no_torch_is_imported(tmp_path: Path, arguments: list[str]) -> None:
    code = (
        "import sys\nfrom graphvis.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'numpy', 'rich', 'graphviz', 'reportlab', 'IPython'} & sys.modules.keys()\n"
        "sys.exit(f'imports {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["list"]])
def test_starts_in_less_than_three_times_what_click_takes(arguments: list[str]) -> None:
    def seconds(*command: str | Path) -> float:
        begin = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        return time.perf_counter() - begin

    runs = [(seconds(GRAPHVIS, *arguments), seconds(sys.executable, "-c", "import click")) for _ in range(7)]
    assert median(ours for ours, _ in runs) < 3 * median(clicks for _, clicks in runs)


def test_unknown_command_suggests_a_near_one(call: Call) -> None:
    lines = lines_of(call("rendr"))
    assert "Did you mean render?" in lines[-1]


def test_unknown_option_is_a_usage_error(call: Call) -> None:
    assert "--nope" in "".join(lines_of(call("list", "--nope")))


def test_closed_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = subprocess.run([GRAPHVIS, "list"], stdout=closed, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 141
    assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_full_standard_output_is_told() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([GRAPHVIS, "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["graphvis: standard output cannot be written: No space left on device"]


def test_closed_standard_output_is_quiet() -> None:
    done = subprocess.run(f"{GRAPHVIS} list >&-", shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_name_cannot_steer_the_terminal(call: Call) -> None:
    result = call("render", "\x1b[31mred\x1b]0;title\x07")
    lines_of(result)
    assert "\x1b" not in result.err
    assert "\x07" not in result.err


def test_name_that_is_no_text_is_told(spawn: Call) -> None:
    """A file name may hold bytes that are no UTF-8."""
    lines_of(spawn("render", os.fsdecode(b"\xff\xfe.py")))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_output_that_cannot_hold_a_character_does_not_fail(spawn: Call, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "中.py").write_text('"""→ 中文"""\ndef program():\n    yield\n')
    result = spawn("snippet", "中.py", PYTHONIOENCODING=encoding)
    assert (result.code, result.err) == (0, "")


def test_printed_name_that_is_no_text(spawn: Call, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.py")
    (tmp_path / name).write_text('"""Title."""\ndef program():\n    yield\n')
    result = spawn("snippet", name)
    assert "out/%FF%FE.svg" in result.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_offered(spawn: Call, shell: str) -> None:
    result = spawn(_GRAPHVIS_COMPLETE=f"{shell}_source")
    assert "_graphvis" in result.out
    assert result.code == 0


def test_completion_completes_scenarios_and_files(spawn: Call) -> None:
    result = spawn(COMP_WORDS="graphvis render detach_z", COMP_CWORD="2", _GRAPHVIS_COMPLETE="bash_complete")
    assert result.out.splitlines() == ["plain,detach_zero", "file,detach_z"]


def test_completion_completes_the_last_format(spawn: Call) -> None:
    result = spawn(COMP_WORDS="graphvis render -f svg,p", COMP_CWORD="3", _GRAPHVIS_COMPLETE="bash_complete")
    assert result.out.splitlines() == ["plain,svg,png", "plain,svg,pdf"]
