"""``graphvis snippet``: what to paste into docs, and the gallery of all scenarios."""

from __future__ import annotations

from pathlib import Path

import click

from graphvis.cli import arguments, talk
from graphvis.cli.embedding import SNIPPETS


@click.command("snippet")
@click.argument("names", nargs=-1, type=arguments.ScenarioName(), metavar="[NAME|PATH]...")
@click.option("--all", "every", is_flag=True, help="Every built-in scenario, as one table.")
@click.option("--markup", type=click.Choice(["markdown", "rst", "html"]), default="markdown", show_default=True,
              help="The language of your docs.")  # fmt: skip
@click.option("--prefix", default="out/", show_default=True, help="What stands before the file names: a folder or URL.")
@click.option("--into", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="With --all: renew the table between the markers in FILE.")  # fmt: skip
def command(names: tuple[str, ...], every: bool, markup: str, prefix: str, into: Path | None) -> None:
    """Print what to paste into docs to show a scenario's picture.

    Markdown and HTML get a picture element: the wide picture, the narrow one on phones, and the finding as text for
    those who cannot see it. The files are those that graphvis render writes.

    \b
    Examples:
      graphvis snippet detach_zero
      graphvis snippet detach_zero --markup rst --prefix ../_static/
      graphvis snippet --all --into README.md

    The last one needs a file with a line <!-- graphvis gallery --> and, below it, <!-- end of graphvis gallery -->;
    graphvis check tells when the table between them is not today's.
    """
    from graphvis import files
    from graphvis.cli import gallery

    if into is not None and not (every and markup == "markdown"):
        raise click.UsageError("--into renews the table of all scenarios in a Markdown file: it needs --all.")
    scenarios = arguments.scenarios_of(names, every)
    if into is not None:
        text = gallery.read(into)
        files.write(into, gallery.renewed(text, gallery.table(scenarios, prefix), into))
        talk.say(f"{talk.counted(len(scenarios), 'scenario')} in the gallery of {into}")
    elif every and markup == "markdown":
        click.echo(gallery.table(scenarios, prefix))
    else:
        click.echo("\n".join(SNIPPETS[markup](scenario, prefix) for scenario in scenarios), nl=False)
