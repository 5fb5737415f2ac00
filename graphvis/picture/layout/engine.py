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
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO

from graphvis.errors import EngineError

EMBEDDED = "graphviz-pure"
SYSTEM = "dot"
TIMEOUT = 120.0
"""Seconds that an engine may take."""
_TICK = 0.2
MOST_OUTPUT = 256 * 1024 * 1024
"""Bytes that an engine may write."""
ENVIRONMENT = "GRAPHVIS_ENGINE"
"""The variable that names the engine where no argument does."""

_NONE = "pip install graphviz-pure, or install Graphviz and use --engine dot"


def another(name: str = EMBEDDED) -> str:
    """The way out where the engine of that name does not do its work: the other one."""
    if Path(name).name.startswith(EMBEDDED):
        return "install Graphviz and use --engine dot"
    return "use the embedded engine: without --engine; pip installs it as graphviz-pure"


def run(
    source: str,
    output: str,
    engine: str | None = None,
    timeout: float = TIMEOUT,
    told: Callable[[int], None] | None = None,
) -> bytes:
    """Let an engine lay out DOT source and return what it writes.

    Args:
        source: DOT.
        output: Graphviz's word for the format: ``json0``, ``svg``, ``png``.
        engine: ``graphviz-pure``, ``dot`` or the path of a binary that takes dot's arguments; None
            for the environment's ``GRAPHVIS_ENGINE``, else the embedded one.
        timeout: seconds to wait; may be infinite.
        told: is called with 0 now and then while the engine works, by which a person can be told that it does.

    Raises:
        EngineError: where it is missing, fails, takes too long, or writes too much or nothing.
    """
    command = find(engine)
    name = Path(command[0]).name
    with tempfile.TemporaryFile() as read:
        # A file, not a pipe: an engine that does not read cannot block us.
        read.write(source.encode())
        read.seek(0)
        try:
            process = subprocess.Popen(
                [*command, f"-T{output}"], stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            what = f"the layout engine {name} cannot be started: {error.strerror or error}"
            raise EngineError(what, another(name)) from error
        with process:
            return _listen(name, process, timeout, told)


class Stumbled(EngineError):
    """The engine gave up on this very source; on another one for the same picture it may not."""


class _Drain(threading.Thread):
    """Reads a pipe to its end, or until it is too much; sets `stop` in the latter case."""

    def __init__(self, pipe: IO[bytes], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.pipe = pipe
        self.stop = stop
        self.chunks: list[bytes] = []
        self.flooded = False

    def run(self) -> None:
        size = 0
        while chunk := self.pipe.read1(1 << 20):  # type: ignore[attr-defined]
            size += len(chunk)
            if size > MOST_OUTPUT:
                self.flooded = True
                break
            self.chunks.append(chunk)
        self.stop.set()


def _listen(name: str, process: subprocess.Popen[bytes], timeout: float, told: Callable[[int], None] | None) -> bytes:
    """What the engine writes, if it ends well and within the limits."""
    assert process.stdout is not None
    assert process.stderr is not None
    end = time.monotonic() + timeout
    over = threading.Event(), threading.Event()
    drains = _Drain(process.stdout, over[0]), _Drain(process.stderr, over[1])
    try:
        for drain in drains:
            drain.start()
        while not over[0].wait(min(_TICK, max(0.0, end - time.monotonic()))) and time.monotonic() < end:
            if told is not None:
                told(0)
        written = over[0].is_set() and not drains[0].flooded
        # A program that floods its standard error keeps its output open.
        left = min(max(0.1, end - time.monotonic()), threading.TIMEOUT_MAX)
        ended = written and over[1].wait(left) and not drains[1].flooded
        code = process.wait(left) if ended else None
    except subprocess.TimeoutExpired:
        code = None
    finally:
        if process.returncode is None:
            _kill(process)
        for drain in drains:
            drain.join(1.0)
    if any(drain.flooded for drain in drains):
        what = f"the layout engine {name} wrote more than {MOST_OUTPUT >> 20} MiB and was stopped"
        raise EngineError(what, another(name))
    if code is None:
        way = "draw less (--focus, --depth), or write -f json, which needs no layout"
        raise EngineError(f"the layout engine {name} took longer than {timeout:g} s and was stopped", way)
    said = b"".join(drains[1].chunks)[:400].decode(errors="replace").strip().split("\n")[0]
    return _judge(name, code, b"".join(drains[0].chunks), f": {said}" if said else "")


def _judge(name: str, code: int, output: bytes, said: str) -> bytes:
    if code != 0:
        raise Stumbled(f"the layout engine {name} failed with exit code {code}{said}", another(name))
    if not output.strip():
        raise EngineError(f"the layout engine {name} wrote nothing{said}", another(name))
    return output


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill an engine that has not been waited for, and what it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def find(engine: str | None = None) -> list[str]:
    """The command that starts an engine; arguments as for :func:`run`."""
    wanted = engine or os.environ.get(ENVIRONMENT) or ""
    if wanted in ("", EMBEDDED):
        binary = _embedded()
        if binary is not None:
            return [str(binary), "-q", "-Kdot"]
        if wanted == EMBEDDED:
            raise EngineError(f"the layout engine {EMBEDDED} is not installed", _NONE)
        system = shutil.which(SYSTEM)
        if system is None:
            raise EngineError("no layout engine is installed", _NONE)
        warnings.warn(
            f"{EMBEDDED} is not installed; the system's dot lays out instead, a few pixels apart from it",
            stacklevel=2,
        )
        return [system, "-q", "-Kdot"]
    found = shutil.which(wanted)
    if found is None:
        install = "install Graphviz, or " if wanted == SYSTEM else ""
        what = f"the layout engine {wanted!r} is not there or cannot be run"
        raise EngineError(what, f"{install}{another(wanted)}")
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
