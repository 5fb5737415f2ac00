"""``graphvis render``: scenarios as files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphvis.cli import arguments, talk
from graphvis.errors import GraphvisError

if TYPE_CHECKING:
    from graphvis.model import Comparison
    from graphvis.model.drawable import Theme
    from graphvis.scenario import Scenario


@click.command("render")
@click.argument("names", nargs=-1, type=arguments.ScenarioName(), metavar="[NAME|PATH]...")
@click.option("--all", "every", is_flag=True, help="Every built-in scenario.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("out"), show_default=True,
              help="The folder to write to; it is made if it is not there.")  # fmt: skip
@click.option("-f", "--format", "formats", type=arguments.Formats(), default="svg,dot", show_default=True,
              help=f"Any of {','.join(arguments.FORMATS)}.")  # fmt: skip
@arguments.theme
@arguments.engine
def command(
    names: tuple[str, ...], every: bool, output: Path, formats: tuple[str, ...], theme: Theme, engine: str
) -> None:
    """Draw scenarios into files.

    A NAME is one that graphvis list shows, a PATH is a scenario file of your own. For each, NAME.svg is before and
    after in one picture, NAME.narrow.svg the same for phones, NAME.before.svg and NAME.after.svg are the halves; and
    so for each format. What a scenario expects is checked: a picture that is not true is not drawn.

    \b
    Examples:
      graphvis render detach_zero
      graphvis render detach_zero data_zero -f svg,png -o docs/pictures
      graphvis render --all
      graphvis render my_scenario.py --engine dot
    """
    from graphvis import files

    scenarios = arguments.scenarios_of(names, every)
    # Resolved before any scenario runs: its program may change the working directory.
    folder = files.make_folder(output.absolute())
    failures: list[GraphvisError] = []
    written = 0
    for scenario in _with_progress(scenarios):
        try:
            written += _draw(scenario, folder, formats, theme, arguments.engine_name(engine))
        except GraphvisError as error:
            failures.append(error)
    drawn = len(scenarios) - len(failures)
    if drawn:
        talk.say(f"{talk.counted(drawn, 'scenario')}, {talk.counted(written, 'file')} in {output}")
    if failures:
        raise talk.joined(failures)


def _draw(scenario: Scenario, folder: Path, formats: Iterable[str], theme: Theme, engine: str | None) -> int:
    """Write all files of one scenario, or none where one of them cannot be drawn; returns how many."""
    from graphvis import files
    from graphvis.cli.running import compare

    comparison = compare(scenario)
    contents = pictures_of(comparison, scenario.name, formats, theme=theme, engine=engine)
    for name, content in contents.items():
        files.write(folder / name, content)
    return len(contents)


def pictures_of(
    comparison: Comparison, name: str, formats: Iterable[str], *, theme: Theme = "auto", engine: str | None = None
) -> dict[str, bytes]:
    """The files of one scenario, by file name.

    Raises:
        GraphvisError: if one of them cannot be drawn.
    """
    from graphvis import draw

    drawing = draw.Drawing(comparison, theme=theme, engine=engine)
    return {
        file_name(name, variant, suffix): drawing.render(suffix, variant)
        for suffix in formats
        for variant in draw.variants(comparison, suffix)
    }


def file_name(name: str, variant: str, suffix: str) -> str:
    """``NAME.svg`` for the whole picture, ``NAME.before.svg`` for another variant."""
    return f"{name}.{suffix}" if variant == "pair" else f"{name}.{variant}.{suffix}"


def _with_progress(scenarios: tuple[Scenario, ...]) -> Iterator[Scenario]:
    """The scenarios one by one, with a bar on a terminal where there is more than one."""
    if len(scenarios) < 2 or not sys.stderr.isatty():
        yield from scenarios
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("PyTorch", total=len(scenarios))
        for scenario in scenarios:
            progress.update(task, description=escape(scenario.name))
            yield scenario
            progress.advance(task)
