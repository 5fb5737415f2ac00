"""``graphvis run``: a training script, run and diagnosed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from graphvis.cli import arguments, findings, talk

if TYPE_CHECKING:
    from graphvis.model.location import Location
    from graphvis.model.run import Run
    from graphvis.model.view import View


@click.command(
    "run",
    short_help="Say why parameters of a script get no gradient.",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
)
@click.option("-m", "module", is_flag=True, help="SCRIPT is a module's name, as for python -m.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document; the script's own output goes to stderr."
)
@click.option("--param", "only", multiple=True, metavar="GLOB", help="Judge only parameters whose name matches.")
@click.option("--ignore", multiple=True, metavar="GLOB", help="Pass over parameters whose name matches.")
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
@click.option("-o", "--output", type=arguments.PictureFile(), metavar="FILE",
              help="Draw the diagnosis: svg, dot, png, pdf, json, html or mmd, by suffix.")  # fmt: skip
@click.option("--without", multiple=True, type=arguments.LinePlace(), metavar="FILE:LINE",
              help="Run as if the cut at that line were not there.")  # fmt: skip
@click.option(
    "--continue", "go_on", is_flag=True, help="Let the script run on, unrecorded, when it has shown what it does."
)
@click.option(
    "--probe", is_flag=True, help="Keep what is overwritten, and compare gradients where that may make them wrong."
)
@arguments.view
@click.argument("script")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...")
@click.pass_context
def command(
    context: click.Context, module: bool, as_json: bool, only: tuple[str, ...], ignore: tuple[str, ...], strict: bool,
    output: str | None, without: tuple[Location, ...], go_on: bool, probe: bool, script: str,
    rest: tuple[str, ...], view: View,
) -> None:  # fmt: skip
    """Run a training script and say which parameters get no gradient, and why.

    The script runs as python would run it. Each line that starts a backward is looked at when it first runs, and again
    while something waits for its gradient; once every optimizer has stepped and such a line comes round again, or after
    20 rounds, the script is ended.

    \b
    Examples:
      graphvis run train.py --epochs 1
      graphvis run -o why.svg train.py
      graphvis run --without model.py:42 train.py
      graphvis run --json -m package.train | jq .problems
      graphvis run - < train.py

    Exit codes: 0 every parameter meant to learn gets its gradient, 1 some do not, or the script failed, 2 bad input;
    a script that ends itself with another status keeps it.
    """
    from graphvis.api import run_script

    for line in without:
        talk.say(f"graphvis: running as if the cut at {findings.place(line)} were not there")
    with _out_of_the_way(as_json) as stdout:
        found = run_script(script, rest, module=module, go_on=go_on, probe=probe, only=only, ignore=ignore,
                           strict=strict, without=without, announce=_announce)  # fmt: skip
        sys.stdout.flush()
        if found.failure is not None:
            click.echo(found.failure.traceback or found.failure.message, err=True, nl=not found.failure.traceback)
        for note in found.notes:
            talk.say(f"note: {note}")
        if as_json:
            click.echo(found.to_json(), file=stdout)
        else:
            words = [*(["-m"] if module else []), script, *rest]
            colours = talk.has_colours(stdout)
            click.echo(
                findings.tell(found, words, drawn=output is not None, color=colours, went_on=go_on),
                file=stdout,
                nl=False,
                color=True,
            )
        if output is not None:
            _draw(found, output, view)
    context.exit(_status(found, strict))


def _announce(location: Location) -> None:
    sys.stdout.flush()
    talk.say(f"graphvis: {findings.place(location)} comes round again: ending the script here (--continue runs on)")


def _draw(found: Run, output: str, view: View) -> None:
    """The diagnoses with problems as pictures; where there are none, the first."""
    with_problems = sorted({issue.diagnosis for issue in found.problems if issue.diagnosis is not None})
    chosen = with_problems or list(range(len(found.diagnoses)))[:1]
    if not chosen:
        talk.say(f"there is nothing to draw in {output}: no backward ran")
    from graphvis import draw

    rank = os.environ.get("RANK")
    path = Path(output) if rank is None else Path(output).with_stem(f"{Path(output).stem}.rank{rank}")
    for place, number in enumerate(chosen):
        target = path if place == 0 else path.with_stem(f"{path.stem}.{place + 1}")
        draw.save(found.diagnoses[number], target, view=view)
        talk.say(f"wrote {target}")


def _status(found: Run, strict: bool) -> int:
    if found.failure is not None and found.failure.type == "KeyboardInterrupt":
        return 130
    if found.problems or (strict and found.warnings):
        return 1
    return found.exit_code


@contextmanager
def _out_of_the_way(wanted: bool) -> Iterator[IO[str]]:
    """The stream for our own data; where `wanted`, all else that is written to standard output goes to stderr.

    The descriptor itself is turned round, so that what C code and child processes write goes there too. It stays so:
    threads and exit handlers of the script write after us.
    """
    if not wanted:
        yield sys.stdout
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(kept, "w", encoding="utf-8") as stdout:
        try:
            with redirect_stdout(sys.stderr):
                yield stdout
        finally:
            sys.stdout.flush()
