"""Arguments and options that several commands share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from graphvis.errors import GraphvisError, ScenarioError

if TYPE_CHECKING:
    from graphvis.model.location import Location
    from graphvis.model.view import Layout
    from graphvis.scenario import Scenario

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # takes no type arguments before click 8.5

_Command = TypeVar("_Command", bound=Callable[..., Any])

FORMATS = ("svg", "dot", "png", "pdf", "mmd", "json", "html")
"""Suffixes of the files that graphvis writes."""

BINARY = ("png", "pdf")
"""Formats that do not belong on a terminal."""


class ScenarioName(_ParamType):
    """A built-in scenario's name, or the path of a scenario file; a shell completes both."""

    name = "scenario"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so, each with its title, and files."""
        from graphvis.scenario import find_scenarios

        try:
            found = [CompletionItem(s.name, help=s.title) for s in find_scenarios() if s.name.startswith(incomplete)]
        except GraphvisError:  # there is nowhere to say so while the user types
            found = []
        return [*found, CompletionItem(incomplete, type="file")]


class LinePlace(_ParamType):
    """``FILE:LINE``, as reports write it."""

    name = "line"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Location:
        """The line, its file by its absolute path."""
        from graphvis.model.location import Location

        file, colon, line = str(value).rpartition(":")
        if not colon or not line.isdigit() or not int(line):
            self.fail(f"{value!r} is no FILE:LINE.", param, ctx)
        if not os.path.isfile(file):
            self.fail(f"there is no file {file!r}.", param, ctx)
        return Location(os.path.abspath(file), int(line))


class PictureFile(_ParamType):
    """A file to draw into: what is wrong with it is told before the work is done, not after."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path as it was given."""
        path = str(value)
        suffix = os.path.splitext(path)[1].lstrip(".").lower()
        if suffix not in FORMATS:
            self.fail(f"{path!r} ends in none of .{', .'.join(FORMATS)}.", param, ctx)
        folder = os.path.dirname(os.path.realpath(path))
        if not os.path.isdir(folder):
            self.fail(f"{path!r} has no folder to stand in.", param, ctx)
        if os.path.isdir(path):
            self.fail(f"{path!r} is a folder.", param, ctx)
        if not os.access(folder, os.W_OK):
            self.fail(f"the folder of {path!r} cannot be written to.", param, ctx)
        return path

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Files."""
        return [CompletionItem(incomplete, type="file")]


class Formats(_ParamType):
    """File formats, parted by commas."""

    name = "formats"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Each format once, in the order given."""
        if isinstance(value, tuple):
            return value
        wanted = tuple(dict.fromkeys(part.strip().lstrip(".").lower() for part in value.split(",") if part.strip()))
        unknown = [part for part in wanted if part not in FORMATS]
        if unknown or not wanted:
            self.fail(f"{', '.join(map(repr, unknown)) or 'nothing'} is none of {', '.join(FORMATS)}.", param, ctx)
        return wanted

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The formats that may follow the last comma."""
        given, comma, last = incomplete.rpartition(",")
        return [CompletionItem(f"{given}{comma}{suffix}") for suffix in FORMATS if suffix.startswith(last)]


theme = click.option("--theme", type=click.Choice(["auto", "light", "dark"]), default="auto", show_default=True,
                     help="Colours; auto follows the reader's prefers-color-scheme.")  # fmt: skip
engine = click.option("--engine", type=click.Choice(["embedded", "dot"]), default="embedded", show_default=True,
                      help="Who lays the graph out: the engine that pip installed, or the system's dot.")  # fmt: skip


def view(command: _Command) -> _Command:
    """The options that say how much of a big graph is shown; the command gets them as ``view``, a View."""

    @functools.wraps(command)
    def gathered(
        *args: Any,
        fold: bool,
        depth: int | None,
        expand: tuple[str, ...],
        focus: str | None,
        layout: Layout,
        limit: bool,
        **rest: Any,
    ) -> Any:
        from graphvis.model.view import View

        view = View(fold=fold, depth=depth, expand=expand, focus=focus, layout=layout, limit=limit)
        return command(*args, view=view, **rest)

    options = (
        click.option("--fold/--no-fold", default=True, help="Draw modules, repeated blocks and rows of functions as a "
                     "box each where there are more than a glance takes in. DOT and JSON hold all, unless asked."),
        click.option("--depth", type=click.IntRange(0), metavar="N", help="Open all modules down to this depth."),
        click.option("--expand", multiple=True, metavar="GLOB", help="Open these modules: h.3, or h.*.attn."),
        click.option("--focus", metavar="NAME", help="One module, tensor or function and what has to do with it."),
        click.option("--view", "layout", type=click.Choice(["graph", "combined"]), default="graph", show_default=True,
                     help="combined: each forward call beside its backward node, with what is kept between them."),
        click.option("--limit/--no-limit", default=True, help="Refuse a picture that no browser opens well."),
    )  # fmt: skip
    for option in reversed(options):
        gathered = option(gathered)
    return cast(_Command, gathered)


def engine_name(choice: str) -> str | None:
    """The engine as the drawing rooms name it: None for the embedded one."""
    return None if choice == "embedded" else choice


def scenarios_of(names: Sequence[str], every: bool) -> tuple[Scenario, ...]:
    """The scenarios that a command was asked for, built-in or by path.

    Args:
        names: names and paths, as given.
        every: whether all built-in ones are meant.

    Raises:
        click.UsageError: for neither or both.
        ScenarioError: for one that is not there, or two that would write the same files.
    """
    from graphvis.scenario import find, find_scenarios

    if every and names:
        raise click.UsageError("Give names or --all, not both.")
    if every:
        return find_scenarios()
    if not names:
        raise click.UsageError("Say which scenario: a NAME that graphvis list shows, a path, or --all.")
    found: dict[str, Scenario] = {}
    for name in names:
        scenario = find(name)
        other = found.setdefault(scenario.name, scenario)
        if not os.path.samefile(other.path, scenario.path):
            raise ScenarioError(
                f"two scenarios are named {scenario.name}: {other.path} and {scenario.path}",
                "Their pictures would overwrite each other: render them one at a time, each with its own -o.",
            )
    return tuple(found.values())
