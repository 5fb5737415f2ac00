"""Engines that are missing, broken, slow, or talk too much; each is a real program."""

from __future__ import annotations

import importlib.metadata
import math
import os
import shutil
import time
from pathlib import Path

import pytest

from graphvis.errors import EngineError
from graphvis.picture.layout import engine, lay_out
from graphvis.picture.measure import measure
from tests.unit.picture import scenes


@pytest.fixture
def program(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Makes an executable shell script."""

    def make(body: str) -> str:
        path = tmp_path / "engine"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_the_embedded_engine_lays_out() -> None:
    output = engine.run("digraph { a -> b }", "json0")
    assert b'"pos"' in output


def test_a_path_to_the_embedded_binary_does_as_well() -> None:
    path = engine.find()[0]
    assert engine.run("digraph { a -> b }", "json0", path) == engine.run("digraph { a -> b }", "json0")


def test_the_system_s_dot_places_every_box(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("dot") is None:
        pytest.skip("NOT TESTED: the system has no dot")
    placement = lay_out(measure(scenes.row_seven()), "dot")
    assert placement.boxes.keys() == {box.id for box in scenes.row_seven().boxes}


def test_the_environment_names_the_engine(program, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv(engine.ENVIRONMENT, program("echo from the environment; exit 0"))
    assert engine.run("digraph {}", "json0") == b"from the environment\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("exit 3", "failed with exit code 3"),
        ("echo 'syntax error in line 1' >&2; exit 1", "syntax error in line 1"),
        ("exit 0", "wrote nothing"),
        ("printf ' \\n'; exit 0", "wrote nothing"),
    ],
)
def test_a_failing_engine_gives_one_clear_message(program, body: str, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(EngineError, match=words) as caught:
        engine.run("digraph {}", "json0", program(body))
    assert caught.value.fix
    assert len(str(caught.value).splitlines()) <= 2


def test_an_engine_that_writes_something_else_is_told_apart(program) -> None:  # type: ignore[no-untyped-def]
    for body in ('echo \'{"bb": "0,0,1,1"}\'', "echo not json", "echo '[1]'"):
        with pytest.raises(EngineError, match="not a layout"):
            lay_out(measure(scenes.row_four()), program(body))


def test_where_the_search_for_splines_fails_boxes_stand_all_the_same(program) -> None:  # type: ignore[no-untyped-def]
    real = engine.find()[0]
    body = f"""read=$(cat)
case "$read" in *splines=true*) echo 'source point not in any triangle' >&2; exit 1;; esac
printf '%s' "$read" | {real} "$@" """
    measured = measure(scenes.row_seven())
    stumbled, smooth = lay_out(measured, program(body)), lay_out(measured)
    assert stumbled.boxes.keys() == smooth.boxes.keys()
    assert stumbled.tracks.keys() == smooth.tracks.keys()


def test_while_an_engine_works_somebody_is_told(program) -> None:  # type: ignore[no-untyped-def]
    told: list[int] = []
    assert engine.run("digraph {}", "json0", program("sleep 1; echo x"), told=told.append) == b"x\n"
    assert 2 <= len(told) <= 6
    assert engine.run("digraph {}", "json0", program("echo x"), timeout=math.inf) == b"x\n"


def test_a_missing_engine_is_named() -> None:
    with pytest.raises(EngineError, match="no-such-engine"):
        engine.run("digraph {}", "json0", "no-such-engine")


def test_the_way_out_is_never_what_was_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "--engine dot" in engine.another(engine.find()[0])
    assert "--engine dot" not in engine.another("/usr/bin/dot")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="'dot' is not there") as caught:
        engine.run("digraph {}", "json0", "dot")
    assert "--engine dot" not in caught.value.fix
    assert "install Graphviz" in caught.value.fix


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    path = tmp_path / "engine"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    with pytest.raises(EngineError, match="cannot be started"):
        engine.run("digraph {}", "json0", str(path))


@pytest.mark.parametrize("body", ["exec sleep 60", "sleep 60", "sleep 60 & wait", "exec >&- 2>&-; exec sleep 60"])
def test_a_hanging_engine_is_stopped_with_its_children(program, body: str) -> None:  # type: ignore[no-untyped-def]
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"took longer than 0\.5 s"):
        engine.run("digraph {}", "json0", program(body), timeout=0.5)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("to", ["", ">&2"])
def test_a_flooding_engine_is_stopped(program, to: str, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(engine, "MOST_OUTPUT", 1 << 20)
    began = time.monotonic()
    with pytest.raises(EngineError, match="wrote more than 1 MiB"):
        engine.run("digraph {}", "json0", program(f"exec yes {to}"))
    assert time.monotonic() - began < 10


def test_an_engine_that_does_not_read_blocks_nobody(program) -> None:  # type: ignore[no-untyped-def]
    source = "digraph {" + " a;" * 500_000 + "}"
    assert engine.run(source, "json0", program("echo done")) == b"done\n"


def test_without_the_embedded_engine_the_system_s_dot_is_used_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dot = tmp_path / "dot"
    dot.write_text("#!/bin/sh\necho drawn\n")
    dot.chmod(0o755)
    _hide(monkeypatch, str(tmp_path))
    with pytest.warns(UserWarning, match="graphviz-pure is not installed"):
        assert engine.run("digraph {}", "json0") == b"drawn\n"


def test_without_any_engine_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _hide(monkeypatch, str(tmp_path))
    with pytest.raises(EngineError, match="no layout engine is installed") as caught:
        engine.run("digraph {}", "json0")
    assert "pip install graphviz-pure" in caught.value.fix


def _hide(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """As in an environment without the wheel, with nothing but `path` to look for programs in."""

    def missing(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    monkeypatch.setattr(engine.sysconfig, "get_path", lambda name: os.path.join(path, "nowhere"))
    monkeypatch.setattr(engine.sys, "executable", os.path.join(path, "nowhere", "python"))
    monkeypatch.setenv("PATH", path)


def test_a_wheel_installed_elsewhere_is_found_by_the_folder_of_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    binary = engine.find()[0]
    monkeypatch.setattr(importlib.metadata.Distribution, "files", property(lambda self: []))
    assert os.path.samefile(engine.find()[0], binary)
