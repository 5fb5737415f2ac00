"""Every benchmark as one Markdown page: ``python -m benchmarks [--into FILE] [NAME...]``.

A benchmark is a module here with a function ``rows()`` that yields ``(what, measured, beside)`` as text. Seconds say
little on their own, so each is set beside what it cannot be faster than, or what else does the same, measured in the
same run.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import benchmarks

PACKAGES = ("torch", "graphviz-pure", "torchviz", "torchview", "torchlens", "transformers")
INTRODUCTION = """\
# What it costs

`make bench` writes this page. Seconds say little on their own, so each stands beside what it cannot be faster than, or
beside what else does the same, measured in the same run; times are medians. Where another tool is the faster one, the
table says why. The plain or bare loop follows `next_functions` and notes nothing: no walk from Python can be faster. An
empty mode is a `TorchFunctionMode` that calls the function and returns.
"""


def main() -> None:
    """Run the named benchmarks, or all, and print their table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--into", type=Path, help="a page to write, once all is measured")
    arguments = parser.parse_args()
    found = dict(_benchmarks())
    unknown = set(arguments.names) - set(found)
    if unknown:
        sys.exit(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    lines: list[str] = []

    def put(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    begin = time.perf_counter()
    put(INTRODUCTION)
    put(f"{_machine()}\n")
    put("| what | measured | beside it |\n| --- | --- | --- |")
    for name in arguments.names or found:
        for line in _lines_of(name):
            put(line)
    put(f"\nAll of it took {(time.perf_counter() - begin) / 60:.0f} minutes.")
    if arguments.into:
        arguments.into.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines_of(name: str) -> Iterator[str]:
    """The lines of one benchmark, measured in a process of its own: TorchLens wraps all of torch, and for good."""
    code = (
        f"import benchmarks.{name} as found\n"
        "for row in found.rows():\n"
        "    print('@|', ' | '.join(row), '|', flush=True)"  # what others print there counts for nothing
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("@|"):
                yield line.removeprefix("@").rstrip()
    if child.returncode:
        sys.exit(f"the benchmark {name} failed")


def _benchmarks() -> Iterator[tuple[str, ModuleType]]:
    """The modules that measure something, by name."""
    for name in sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__)):
        if name != "__main__" and hasattr(module := importlib.import_module(f"benchmarks.{name}"), "rows"):
            yield name, module


def _machine() -> str:
    """What it was measured on and with."""
    model = platform.processor() or platform.machine()
    with_cpus = Path("/proc/cpuinfo")
    if with_cpus.exists():
        models = [line.partition(":")[2].strip() for line in with_cpus.read_text().splitlines() if "model name" in line]
        model = models[0] if models else model
    versions = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"no {package}")
    if shutil.which("dot"):
        said = subprocess.run(["dot", "-V"], capture_output=True, text=True, check=False).stderr
        versions.append(f"the system's dot {said.partition('version ')[2].partition(' ')[0] or '?'}")
    busy = f", {os.getloadavg()[0]:.1f} processes at work when it began" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} cores{busy}. {', '.join(versions)}."


if __name__ == "__main__":
    main()
