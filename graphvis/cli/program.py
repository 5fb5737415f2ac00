"""The program: finds a command by its name, runs it, and turns what went wrong into words and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from graphvis.cli import talk
from graphvis.errors import GraphvisError, OutputError
from graphvis.version import __version__

COMMANDS = ("list", "render", "show", "check", "run", "snippet", "draw")
"""In the order of the help: each is a module of this package that holds a click command named ``command``."""

NAME = "graphvis"
COMPLETION = "_GRAPHVIS_COMPLETE"
"""The variable by which a shell asks for completions; click's convention."""

BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


class LazyGroup(click.Group):
    """Imports a command's module when it is asked for, so that ``list`` does not pay for ``render``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"graphvis.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, and with a suggestion for a name that is nearly one."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    parts = [f"graphvis {__version__}"]
    for package in ("torch", "graphviz-pure"):
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"no {package}")
    click.echo(", ".join(parts))
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
              help="Show the versions of graphvis, torch and the layout engine.")  # fmt: skip
def program() -> None:
    """Show where detach(), detach_() and their kin cut a PyTorch autograd graph.

    A scenario is a small PyTorch program. graphvis runs it, walks its grad_fn chains and draws the graph before and
    after the cut. And run does the same for your own training script: it names every parameter that gets no gradient,
    and the line that cut it.

    \b
    Examples:
      graphvis list
      graphvis show detach_zero
      graphvis render detach_zero
      graphvis render --all -f svg,dot,png
      graphvis render path/to/my_scenario.py -o pictures
      graphvis run train.py --epochs 1

    Exit codes: 0 good, 1 found something, 2 usage or bad input.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        arguments: None for those of this process.
    """
    talk.prepare()
    try:
        code = _run(sys.argv[1:] if arguments is None else list(arguments))
        if sys.stdout is not None:  # closed by whoever started us
            sys.stdout.flush()
    except GraphvisError as error:
        talk.complain(error)
        code = BAD_INPUT
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        _give_up_stdout()
        code = BROKEN_PIPE
    except OSError as error:
        if error.filename is not None:
            raise
        _give_up_stdout()
        talk.complain(OutputError(f"standard output cannot be written: {error.strerror}"))
        code = BAD_INPUT
    sys.exit(code)


def _give_up_stdout() -> None:
    """Nobody reads it, or it is full: what is still in the buffer would raise again when the interpreter flushes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    """What click's own main does, but that a closed pipe and Ctrl-C come through to us."""
    instruction = os.environ.get(COMPLETION)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(program, {}, NAME, COMPLETION, instruction)
    try:
        with program.make_context(NAME, arguments) as context:
            program.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return 0
