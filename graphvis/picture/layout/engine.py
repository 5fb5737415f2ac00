"""The only place that starts the layout engine: find it, feed it, and distrust what it says."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from pathlib import Path
from typing import IO

from graphvis.errors import EngineError

EMBEDDED = "graphviz-pure"
SYSTEM = "dot"
TIMEOUT = 120.0
"""Seconds that an engine may take."""
MOST_OUTPUT = 256 * 1024 * 1024
"""Bytes that an engine may write."""
ENVIRONMENT = "GRAPHVIS_ENGINE"
"""The variable that names the engine where no argument does."""

_FIX = "pip install graphviz-pure, or install Graphviz and use --engine dot"


def run(source: str, output: str, engine: str | None = None, timeout: float = TIMEOUT) -> bytes:
    """Let an engine lay out DOT source and return what it writes.

    Args:
        source: DOT.
        output: Graphviz's word for the format: ``json0``, ``svg``, ``png``.
        engine: ``graphviz-pure``, ``dot`` or the path of a binary that takes dot's arguments; None
            for the environment's ``GRAPHVIS_ENGINE``, else the embedded one.
        timeout: seconds to wait.

    Raises:
        EngineError: where it is missing, fails, takes too long, or writes too much or nothing.
    """
    command = find(engine)
    name = Path(command[0]).name
    with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as written, tempfile.TemporaryFile() as said:
        # Files, not pipes: nothing can block, and a flood shows as a size.
        read.write(source.encode())
        read.seek(0)
        try:
            process = subprocess.Popen(
                [*command, f"-T{output}"], stdin=read, stdout=written, stderr=said, start_new_session=True
            )
        except OSError as error:
            raise EngineError(f"the layout engine {name} cannot be started: {error.strerror or error}", _FIX) from error
        try:
            code = _wait(process, (written, said), timeout)
        finally:
            _end(process)
        return _judge(name, code, written, said, timeout)


def _wait(process: subprocess.Popen[bytes], outputs: tuple[IO[bytes], ...], timeout: float) -> int | None:
    """The exit code; None where the process went beyond a limit."""
    end = time.monotonic() + timeout
    pause = 0.001
    while time.monotonic() < end and all(os.fstat(o.fileno()).st_size <= MOST_OUTPUT for o in outputs):
        try:
            return process.wait(pause)
        except subprocess.TimeoutExpired:
            pause = min(2 * pause, 0.05)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of an engine, its own children included."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _judge(name: str, code: int | None, written: IO[bytes], said: IO[bytes], timeout: float) -> bytes:
    if max(os.fstat(o.fileno()).st_size for o in (written, said)) > MOST_OUTPUT:
        raise EngineError(f"the layout engine {name} wrote more than {MOST_OUTPUT >> 20} MiB and was stopped", _FIX)
    if code is None:
        way = "draw less (--focus, --depth), or write -f json, which needs no layout"
        raise EngineError(f"the layout engine {name} took longer than {timeout:g} s and was stopped", way)
    said.seek(0)
    talk = said.read(400).decode(errors="replace").strip().split("\n")[0]
    if code != 0:
        raise EngineError(f"the layout engine {name} failed with exit code {code}" + (f": {talk}" if talk else ""), _FIX)
    written.seek(0)
    output = written.read()
    if not output.strip():
        raise EngineError(f"the layout engine {name} wrote nothing" + (f": {talk}" if talk else ""), _FIX)
    return output


def find(engine: str | None = None) -> list[str]:
    """The command that starts an engine; arguments as for :func:`run`."""
    wanted = engine or os.environ.get(ENVIRONMENT) or ""
    if wanted in ("", EMBEDDED):
        binary = _embedded()
        if binary is not None:
            return [str(binary), "-q", "-Kdot"]
        if wanted == EMBEDDED:
            raise EngineError(f"the layout engine {EMBEDDED} is not installed", _FIX)
        system = shutil.which(SYSTEM)
        if system is None:
            raise EngineError("no layout engine is installed", _FIX)
        warnings.warn(
            f"{EMBEDDED} is not installed; the system's dot lays out instead, and its pictures may differ by a few pixels",
            stacklevel=2,
        )
        return [system, "-q", "-Kdot"]
    found = shutil.which(wanted)
    if found is None:
        raise EngineError(f"the layout engine {wanted!r} is not there or cannot be run", _FIX)
    return [found, "-q", "-Kdot"]


def _embedded() -> Path | None:
    """The binary of the embedded engine; its wheel is a bare program without a module."""
    name = EMBEDDED + (".exe" if sys.platform == "win32" else "")
    try:
        files = importlib.metadata.distribution(EMBEDDED).files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    places = [Path(str(file.locate())).resolve() for file in files if file.name == name]
    # `pip install --target` leaves the record pointing outside; the program is where scripts go.
    places += [Path(sysconfig.get_path("scripts")) / name, Path(sys.executable).parent / name]
    if (on_path := shutil.which(name)) is not None:
        places.append(Path(on_path))
    return next((place for place in places if place.is_file() and os.access(place, os.X_OK)), None)
