"""graphvis render."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graphvis.scenario import find_scenarios
from tests.cli.conftest import GRAPHVIS, Result, lines_of

Call = Callable[..., Result]
VARIANTS = ["after.svg", "before.svg", "narrow.svg", "svg"]

HEADER = '"""A title."""\nimport torch\nfrom graphvis.scenario import after, before, expect\n'
MOMENT = "x = torch.ones(2, requires_grad=True)\n    "


def names_in(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).glob("*"))


def write_scenario(path: str | Path, body: str) -> Path:
    file = Path(path)
    file.write_text(f"{HEADER}def program():\n    {body}\n")
    return file


def test_svg_in_four_variants_and_dot_in_three(call: Call) -> None:
    result = call("render", "detach_zero")
    assert result.code == 0
    assert result.out == ""
    assert "7 files in out" in result.err
    dots = ["after.dot", "before.dot", "dot"]
    assert names_in("out") == sorted(f"detach_zero.{suffix}" for suffix in [*VARIANTS, *dots])


def test_output_and_formats(call: Call) -> None:
    assert call("render", "detach_zero", "data_zero", "-o", "a/b", "-f", "svg, JSON").code == 0
    suffixes = [*VARIANTS, "json", "before.json", "after.json"]
    assert names_in("a/b") == sorted(f"{name}.{suffix}" for name in ("data_zero", "detach_zero") for suffix in suffixes)


def test_scenario_of_a_user_by_its_path(call: Call) -> None:
    write_scenario("mine.py", f"{MOMENT}yield before(x.sum())\n    yield after((x * 2).sum())")
    assert call("render", "mine.py", "-f", "svg").code == 0
    assert names_in("out") == sorted(f"mine.{suffix}" for suffix in VARIANTS)


def test_one_yield_draws_one_half(call: Call) -> None:
    write_scenario("half.py", f"{MOMENT}yield after(x.sum())")
    assert call("render", "half.py", "-f", "svg").code == 0
    assert names_in("out") == ["half.narrow.svg", "half.svg"]


def test_theme_is_in_the_picture(call: Call) -> None:
    for theme in ("auto", "light", "dark"):
        assert call("render", "detach_zero", "-f", "svg", "-o", theme, "--theme", theme).code == 0
    texts = {theme: Path(theme, "detach_zero.svg").read_text() for theme in ("auto", "light", "dark")}
    assert ["prefers-color-scheme" in text for text in texts.values()] == [True, False, False]
    assert len(set(texts.values())) == 3


def test_torchviz_draws_each_half_in_its_own_way(call: Call) -> None:
    assert call("render", "detach_zero", "--style", "torchviz").code == 0
    assert names_in("out") == [
        f"detach_zero.{side}.{suffix}" for side in ("after", "before") for suffix in ("dot", "svg")
    ]
    dot = Path("out/detach_zero.before.dot").read_text()
    assert "SigmoidBackward0" in dot
    assert "lightblue" in dot  # torchviz's colour of a leaf
    assert "SigmoidBackward0" in Path("out/detach_zero.before.svg").read_text()
    lines_of(call("render", "detach_zero", "--style", "torchviz", "--theme", "dark"))
    lines_of(call("render", "detach_zero", "--style", "torchviz", "-f", "mmd"))


def test_same_bytes_in_two_processes_whatever_the_hash_seed(spawn: Call, tmp_path: Path) -> None:
    for seed in ("0", "4242"):
        names = ("detach_zero", "gan_discriminator")
        result = spawn("render", *names, "-f", "svg,json", "-o", seed, PYTHONHASHSEED=seed)
        assert result.code == 0, result.err
    assert names_in(tmp_path / "0") == names_in(tmp_path / "4242")
    for name in names_in(tmp_path / "0"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "4242" / name).read_bytes(), name


def test_all_needs_no_dot_on_the_path(spawn: Call, tmp_path: Path) -> None:
    result = spawn("render", "--all", PATH=str(tmp_path))
    assert result.code == 0, result.err
    svgs = {name.removesuffix(".svg") for name in names_in(tmp_path / "out") if name.endswith(".svg")}
    assert {scenario.name for scenario in find_scenarios()} <= svgs
    assert "\x1b" not in result.err  # no progress bar where nobody watches


def test_progress_is_shown_on_a_terminal_and_data_is_not_mixed_with_it(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [GRAPHVIS, "render", "detach_zero", "data_zero", "-f", "svg"]
    environment = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while process.poll() is None or select.select([ours], [], [], 0.1)[0]:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(ours)
    assert process.returncode == 0
    assert b"2/2" in shown or b"1/2" in shown
    assert b"2 scenarios, 8 files in out" in shown


def test_what_a_scenario_prints_is_not_our_data(call: Call) -> None:
    write_scenario("loud.py", f"{MOMENT}print('hello')\n    yield after(x.sum())")
    result = call("render", "loud.py", "-f", "svg")
    assert result.out == ""
    assert "hello" in result.err


def test_scenario_that_changes_the_folder_writes_where_it_was_told(call: Call, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write_scenario("moves.py", f"{MOMENT}import os; os.chdir('elsewhere')\n    yield after(x.sum())")
    assert call("render", "moves.py", "-f", "svg").code == 0
    assert (tmp_path / "out" / "moves.svg").is_file()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (f"{HEADER}def program():\n    raise KeyError('gone')\n    yield\n", "KeyError: 'gone'"),
        (f"{HEADER}raise KeyError('gone')\ndef program():\n    yield\n", "KeyError: 'gone'"),
        (f"{HEADER}def program():\n    return\n    yield\n", "yield"),
        (f"{HEADER}def program():\n    yield 7\n", "before"),
        (f"{HEADER}def program():\n    yield before(7)\n", "int"),
        (f"{HEADER}def program():\n    {MOMENT}" + "yield before(x.sum())\n    " * 3 + "\n", "more than two"),
        (f"{HEADER}def program():\n    import sys; sys.exit(3)\n    yield\n", "SystemExit"),
        (f"{HEADER}def program():\n    program()\n    def f(): f()\n    f()\n    yield\n", "RecursionError"),
        (f"{HEADER}def program():\n    pass\n", "yields nothing"),
        (f"{HEADER}", "no function named program"),
        (f"{HEADER}def program(a, b):\n    yield\n", "other arguments"),
        ("def program():\n    yield\n", "docstring"),
        ("def program(:\n", "not Python"),
        ("\x00", "not Python"),
        ("", "program"),
        (
            f"{HEADER}def program():\n    {MOMENT}yield after(x.sum(), expect(grads={{'x': [9.0, 9.0]}}))\n",
            "x",
        ),
    ],
)  # fmt: skip
def test_scenario_that_cannot_be_drawn(call: Call, source: str, words: str) -> None:
    Path("broken.py").write_text(source)
    lines = lines_of(call("render", "broken.py", "-f", "svg"))
    assert "broken" in lines[0]
    assert words in "\n".join(lines)
    assert names_in("out") == []


def test_the_others_are_drawn_where_one_fails(call: Call) -> None:
    Path("broken.py").write_text("def program(:\n")
    write_scenario("raises.py", "raise KeyError('gone')\n    yield")
    lines = lines_of(call("render", "raises.py", "detach_zero", "-f", "svg"))
    assert "1 scenario, 4 files in out" in lines[0]
    assert "KeyError" in "".join(lines[1:])


@pytest.mark.parametrize(
    "name", ["detach_zerro", "", "..", "../scenarios", "a\nb", "-", "\udcff", "n" * 5000, "a\0b", "%s%n", "$(id)"]
)
def test_unknown_or_hostile_name(call: Call, name: str) -> None:
    lines_of(call("render", "--", name))


def test_unknown_name_suggests_a_near_one(call: Call) -> None:
    assert "detach_zero" in "".join(lines_of(call("render", "detach_zerro")))


@pytest.mark.parametrize(
    "stem", ["a b", "a'b\"c", "<b>&amp;", "--help", "中文", "עברית", "a;rm -rf x", "a.b", "%41", "e\u0301"]
)
def test_hostile_file_name_of_a_scenario(call: Call, stem: str) -> None:
    import xml.etree.ElementTree as ET

    write_scenario(f"./{stem}.py", f"{MOMENT}yield before(x.sum())\n    yield after((x * 2).sum())")
    assert call("render", f"./{stem}.py", "-f", "svg,dot").code == 0
    root = ET.parse(Path("out", f"{stem}.svg")).getroot()
    assert root.tag.endswith("svg")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--all", "detach_zero"],
        ["detach_zero", "-f", "jpeg"],
        ["detach_zero", "-f", ""],
        ["detach_zero", "-f", ","],
        ["detach_zero", "--theme", "sepia"],
        ["detach_zero", "--engine", "neato"],
    ],
)
def test_wrong_usage(call: Call, arguments: list[str]) -> None:
    lines_of(call("render", *arguments))


def test_two_of_one_name_would_overwrite_each_other(call: Call) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        write_scenario(f"{folder}/same.py", f"{MOMENT}yield after(x.sum())")
    assert "a/same.py" in "".join(lines_of(call("render", "a/same.py", "b/same.py")))


def test_folder_that_is_a_file(call: Call) -> None:
    Path("out").write_text("mine")
    assert "it is a file" in lines_of(call("render", "detach_zero"))[0]
    assert Path("out").read_text() == "mine"


@pytest.mark.parametrize("folder", ["/proc/graphvis", "/dev/null/graphvis"])
def test_folder_that_cannot_be_made(call: Call, folder: str) -> None:
    assert folder in lines_of(call("render", "detach_zero", "-o", folder))[0]


def test_file_whose_place_is_taken_by_a_folder(call: Call) -> None:
    Path("out/detach_zero.svg").mkdir(parents=True)
    assert "it is a folder" in lines_of(call("render", "detach_zero", "-f", "svg"))[0]


def test_missing_dot_says_so_and_names_the_way_out(spawn: Call, tmp_path: Path) -> None:
    lines = lines_of(spawn("render", "detach_zero", "--engine", "dot", PATH=str(tmp_path)))
    assert "dot" in lines[0]
    assert names_in(tmp_path / "out") == []


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\nexit 0\n",
        "#!/bin/sh\necho '{\"broken'\n",
        "#!/bin/sh\necho '{}'\n",
        "#!/bin/sh\necho oops >&2; kill -9 $$\n",
        "not a program",
    ],
)
def test_broken_dot_says_so(spawn: Call, tmp_path: Path, script: str) -> None:
    (tmp_path / "dot").write_text(script)
    (tmp_path / "dot").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin"
    lines_of(spawn("render", "detach_zero", "-f", "svg", "--engine", "dot", PATH=path))
    assert names_in(tmp_path / "out") == []


def test_torch_that_cannot_be_imported_says_so(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libtorch_cpu.so: cannot open shared object file')")
    done = subprocess.run(
        [sys.executable, "-m", "graphvis", "render", "detach_zero"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    lines = lines_of(Result(done.returncode, done.stdout, done.stderr))
    assert "libtorch_cpu.so" in lines[0]
    assert "pip install torch" in "".join(lines)


def test_interrupt_is_quiet_and_leaves_no_half_written_file(tmp_path: Path) -> None:
    body = "print('running', flush=True)\n    import time; time.sleep(60)\n    yield"
    write_scenario(tmp_path / "slow.py", body)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "slow.svg").write_text("old")
    command = [GRAPHVIS, "render", "slow.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "running" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, err) == ("", "")
    assert names_in(tmp_path / "out") == ["slow.svg"]
    assert (tmp_path / "out" / "slow.svg").read_text() == "old"
