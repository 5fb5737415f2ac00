"""Every benchmark as one Markdown table: ``python -m benchmarks [NAME...]``.

A benchmark is a module here with a function ``rows()`` that yields ``(what, measured, bound)`` as text. Seconds say
little on their own, so each is set beside what it cannot be faster than, measured in the same run.
"""

from __future__ import annotations

import importlib
import pkgutil
import platform
import sys
from importlib.metadata import version

import benchmarks


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all, and print their table."""
    found = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__")
    unknown = set(names) - set(found)
    if unknown:
        sys.exit(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {version('torch')}\n")
    print("| what | measured | beside it |\n| --- | --- | --- |")
    for name in names or found:
        for what, measured, bound in importlib.import_module(f"benchmarks.{name}").rows():
            print(f"| {what} | {measured} | {bound} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
