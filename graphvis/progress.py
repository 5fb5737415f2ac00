"""A bar on a terminal for what takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

PATIENCE = 1.0
"""Seconds that a person waits without being told."""


@contextmanager
def telling(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, gone again at the end; none where stderr is no terminal, nor before :data:`PATIENCE` is over.

    Args:
        what: is being done, in two or three words.
        total: how many steps there are; None where that is not known.

    Yields:
        What is to be called with the number of steps that were done since the last call.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    begin, done = monotonic(), 0
    show: Callable[[int], None] | None = None
    with ExitStack() as shown:

        def step(steps: int) -> None:
            nonlocal done, show
            done += steps
            if show is None and monotonic() - begin > PATIENCE:
                show = shown.enter_context(_bar(what, total))
            if show is not None:
                show(done)

        yield step


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task(escape(what), total=total)
        yield lambda done: progress.update(task, completed=done)
