"""``graphvis show``: a scenario told in the terminal."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import click

from graphvis.cli import arguments, talk

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from graphvis.model import Comparison, Moment, Outcome
    from graphvis.scenario import Scenario

PLAIN_WIDTH = 100
"""Columns where no terminal says how many it has."""


@click.command("show")
@click.argument("name", type=arguments.ScenarioName(), metavar="NAME|PATH")
@click.option("--memory", is_flag=True, help="Also sum up, by module, what the graph keeps in memory for backward.")
def command(name: str, memory: bool) -> None:
    """Tell a scenario in the terminal.

    Its code, the states of its tensors before and after, the graph that backward() would walk, and what comes of it.

    \b
    Examples:
      graphvis show detach_zero
      graphvis show my_scenario.py --memory
      FORCE_COLOR=1 graphvis show detach_zero | less -R
    """
    from graphvis.cli.running import compare
    from graphvis.scenario import find

    scenario = find(name)
    click.echo(told(scenario, compare(scenario, warn=True), memory=memory), nl=False, color=True)


def told(scenario: Scenario, comparison: Comparison, *, memory: bool = False) -> str:
    """The whole story as text, with colours where stdout takes them."""
    from rich.console import Console

    colours = talk.has_colours(sys.stdout)
    # Rendered to text first: rich would meet a closed pipe in its own way, and not ours.
    page = io.StringIO()
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    console = Console(file=page, force_terminal=colours, no_color=not colours, width=width, highlight=False)
    _tell_program(console, scenario)
    if comparison.before is not None:
        _tell_moment(console, "Before", comparison.before, None, memory)
    _tell_moment(console, "After" if comparison.before else "The moment", comparison.after, comparison.before, memory)
    return page.getvalue()


def _tell_program(console: Console, scenario: Scenario) -> None:
    from rich.syntax import Syntax
    from rich.text import Text

    console.print(Text(scenario.title, style="bold"))
    if scenario.description:
        console.print()
        console.print(Text(scenario.description))
    console.print()
    begin = _first_line_of_code(scenario.source)
    lines = max(scenario.source.count("\n"), begin)
    look = {"theme": "ansi_dark", "background_color": "default", "line_numbers": True, "word_wrap": True}
    console.print(Syntax(scenario.source, "python", line_range=(begin, lines), **look))  # type: ignore[arg-type]


def _first_line_of_code(source: str) -> int:
    """The line, counted from 1, where the code begins below the docstring and the imports."""
    import ast

    opening = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr)
    first = next((node for node in ast.parse(source).body if not isinstance(node, opening)), None)
    if first is None:
        return 1
    decorators: list[ast.expr] = getattr(first, "decorator_list", [])
    return min([first.lineno, *(decorator.lineno for decorator in decorators)])


def _tell_moment(console: Console, heading: str, moment: Moment, earlier: Moment | None, memory: bool) -> None:
    from rich.rule import Rule
    from rich.text import Text

    from graphvis.cli.tree import tree_of

    console.print()
    console.print(Rule(Text(heading, style="bold"), align="left", style="dim"))
    for line in moment.code.splitlines():
        console.print(Text(f"  {line}", style="bold"))
    if moment.note:
        console.print(Text(f"  {moment.note}", style="dim"))
    console.print()
    console.print(_states(moment, earlier))
    console.print()
    for line in tree_of(moment):
        console.print(Text(line), soft_wrap=True)
    if memory:
        from graphvis.cli.memory import memory_of

        console.print()
        console.print(memory_of(moment.graph))
    if moment.outcome is not None:
        console.print()
        _tell_outcome(console, moment.outcome, moment.start)
    if moment.says:
        console.print(Text(moment.says, style="italic"))


def _states(moment: Moment, earlier: Moment | None) -> RenderableType:
    """The tensors' states as a table; what changed reads ``0 → 1``."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    now, then = _rows_of(moment), _rows_of(earlier) if earlier else {}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("tensor", overflow="fold")
    for column in FIELDS:
        table.add_column(column, no_wrap=True)
    table.add_column("value", overflow="fold")
    for name, row in now.items():
        old = then.get(name, row)
        cells = [
            Text(new) if new == before else Text(f"{before} → {new}", style="bold yellow")
            for new, before in zip(row, old, strict=True)
        ]
        table.add_row(Text(name, style="bold"), *cells)
    return table


FIELDS = ("requires_grad", "is_leaf", "grad_fn", "_version", "shares\nstorage with")
"""What a row tells of a tensor between its name and its value, in PyTorch's spelling."""


def _rows_of(moment: Moment) -> dict[str, tuple[str, ...]]:
    """For each named tensor :data:`FIELDS` and its value, as text."""
    named = {info.name: info for info in moment.graph.tensors.values() if info.name}
    sharing: dict[int, list[str]] = {}
    for name, info in named.items():
        if info.storage is not None:
            sharing.setdefault(info.storage, []).append(name)
    return {
        name: (
            str(info.requires_grad),
            str(info.is_leaf),
            info.grad_fn or "None",
            "no counter" if info.version is None else str(info.version),
            ", ".join(other for other in sharing.get(-1 if info.storage is None else info.storage, []) if other != name)
            or "-",
            info.value or f"{info.dtype} {list(info.shape)}",
        )
        for name, info in named.items()
    }


def _tell_outcome(console: Console, outcome: Outcome, start: str) -> None:
    from rich.text import Text

    if outcome.error is not None:
        console.print(Text(f"{start} raises {outcome.error_type or 'an error'}:", style="bold red"))
        console.print(Text(f"  {outcome.error.partition(' Hint:')[0]}"))
        return
    console.print(Text(f"{start} gives", style="bold"))
    for name, grad in outcome.grads.items():
        right = outcome.wrong.get(name)
        text = f"  {name}.grad = {grad}"
        if right is not None:
            console.print(Text(f"{text}, silently wrong: it should be {right}", style="bold red"))
        else:
            console.print(Text(text, style="" if grad is not None else "bold"))
