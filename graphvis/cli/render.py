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
    from graphvis.model.view import View
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
@arguments.view
@click.option("--style", type=click.Choice(["graphvis", "torchviz"]), default="graphvis", show_default=True,
              help="torchviz: torchviz's own drawing of each half, for docs that have its look.")  # fmt: skip
def command(
    names: tuple[str, ...], every: bool, output: Path, formats: tuple[str, ...], theme: Theme, engine: str, style: str,
    view: View,
) -> None:  # fmt: skip
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
      graphvis render big_model.py --expand 'h.3' --depth 2
      graphvis render detach_zero --view combined -o memory
      graphvis render detach_zero --style torchviz -o torchviz
    """
    from graphvis import files

    if style == "torchviz" and theme != "auto":
        raise click.UsageError("torchviz's own drawing has no themes: leave --theme or --style away.")
    scenarios = arguments.scenarios_of(names, every)
    # Resolved before any scenario runs: its program may change the working directory.
    folder = files.make_folder(output.absolute())
    failures: list[GraphvisError] = []
    written = 0
    for scenario in _with_progress(scenarios):
        try:
            contents = _contents(scenario, formats, style, theme, arguments.engine_name(engine), view)
            for name, content in contents.items():
                files.write(folder / name, content)
            written += len(contents)
        except GraphvisError as error:
            failures.append(error)
    drawn = len(scenarios) - len(failures)
    if drawn:
        talk.say(f"{talk.counted(drawn, 'scenario')}, {talk.counted(written, 'file')} in {output}")
    if failures:
        raise talk.joined(failures)


def _contents(
    scenario: Scenario, formats: Iterable[str], style: str, theme: Theme, engine: str | None, view: View
) -> dict[str, bytes]:
    """All files of one scenario by name; an error where one of them cannot be drawn, so that none is written."""
    from graphvis import draw
    from graphvis.cli.running import compare, torchviz_sources

    if style == "graphvis":
        return pictures_of(compare(scenario), scenario.name, formats, theme=theme, engine=engine, view=view)
    return {
        file_name(scenario.name, side, suffix): draw.render_source(source, suffix, engine=engine)
        for side, source in torchviz_sources(scenario).items()
        for suffix in formats
    }


def pictures_of(
    comparison: Comparison,
    name: str,
    formats: Iterable[str],
    *,
    theme: Theme = "auto",
    engine: str | None = None,
    view: View | None = None,
) -> dict[str, bytes]:
    """The files of one scenario, by file name.

    Raises:
        GraphvisError: if one of them cannot be drawn.
    """
    from graphvis import draw

    drawing = draw.Drawing(comparison, theme=theme, engine=engine, view=view)
    return {
        file_name(name, variant, suffix): drawing.render(suffix, variant)
        for suffix in formats
        for variant in draw.variants(comparison, suffix, view)
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
