"""``graphvis check``: whether committed pictures are what the code draws today."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphvis.cli import arguments, talk
from graphvis.errors import ScenarioError

if TYPE_CHECKING:
    from graphvis.cli.committed import Finding
    from graphvis.scenario import Scenario


@click.command("check")
@click.argument("names", nargs=-1, type=arguments.ScenarioName(), metavar="[NAME|PATH]...")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("out"), show_default=True,
              help="The folder that holds the pictures.")  # fmt: skip
@click.option("--readme", type=click.Path(path_type=Path), default=Path("README.md"), show_default=True,
              help="A Markdown file; its gallery is checked too, if it has one.")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], output: Path, readme: Path) -> None:
    """Tell whether committed pictures are what the code draws today.

    Runs the scenarios again, all built-in ones where none is named, and compares. Under the minor version of PyTorch
    that drew a picture its bytes must be the same; under another one its graph. Exits with 1 and a list of what
    changed, in words.

    \b
    Examples:
      graphvis check
      graphvis check detach_zero data_zero
      graphvis check my_scenario.py -o docs/pictures
    """
    scenarios = arguments.scenarios_of(names, every=not names)
    # Resolved before any scenario runs: its program may change the working directory.
    folder, markdown = output.absolute(), readme.absolute()
    findings = [finding for scenario in scenarios for finding in _of_scenario(scenario, folder)]
    if not names:
        findings += _of_folder(scenarios, folder)
        findings += _of_gallery(scenarios, markdown, f"{output.as_posix()}/")
    for finding in findings:
        line = f"{_names(finding.files)}: {finding.text}"
        if finding.is_note:
            talk.say(f"note: {line}")
        else:
            click.echo(talk.printable(line))
    wrong = sum(not finding.is_note for finding in findings)
    checked = talk.counted(len(scenarios), "scenario")
    if wrong:
        talk.say(f"{talk.counted(wrong, 'finding')} in {checked}; graphvis render draws them anew", fg="red")
        ctx.exit(1)
    talk.say(f"{checked}: the pictures are what the code draws today")


def _of_scenario(scenario: Scenario, folder: Path) -> Iterator[Finding]:
    from graphvis.cli.committed import Finding, compare_files
    from graphvis.cli.running import compare

    try:
        comparison = compare(scenario)
    except ScenarioError as error:
        yield Finding(f"cannot be drawn any more: {error.what}", (scenario.path,))
        return
    yield from compare_files(comparison, scenario.name, folder)


def _of_folder(scenarios: tuple[Scenario, ...], folder: Path) -> Iterator[Finding]:
    """Pictures that graphvis drew of a scenario that is no more."""
    from graphvis.cli.committed import Finding, name_of, provenance_in

    names = {scenario.name for scenario in scenarios}
    for file in sorted(folder.glob("*.svg")):
        if name_of(file) not in names and provenance_in(file.read_text("utf-8", errors="replace")):
            yield Finding("no scenario draws it; remove it", (file,))


def _of_gallery(scenarios: tuple[Scenario, ...], readme: Path, prefix: str) -> Iterator[Finding]:
    from graphvis.cli import gallery
    from graphvis.cli.committed import Finding

    if not readme.is_file():
        return
    text = gallery.read(readme)
    if gallery.has_markers(text) and gallery.renewed(text, gallery.table(scenarios, prefix), readme) != text:
        yield Finding("its gallery is not today's: graphvis snippet --all --into " + readme.name, (readme,))


def _names(files: tuple[Path, ...]) -> str:
    """The first file as one would type it here, and the suffixes of the others: ``out/plain.svg, .dot``."""
    from graphvis.cli.committed import name_of

    first = files[0]
    shown = str(first.relative_to(Path.cwd()) if first.is_relative_to(Path.cwd()) else first)
    return ", ".join([shown, *(file.name.removeprefix(name_of(first)) for file in files[1:])])
