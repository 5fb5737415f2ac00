"""What a graph keeps in memory, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from graphvis.model import Graph


def memory_of(graph: Graph) -> RenderableType:
    """The saved tensors' bytes by module, the sum last."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from graphvis.analysis.keeping import kept_by_module

    rows = kept_by_module(graph)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title="kept for backward", title_justify="left")
    table.add_column("module", overflow="fold")
    for column in ("functions", "saved tensors", "bytes"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(row.module or "(outside of modules)"), *map(_number, (row.functions, row.tensors, row.nbytes))
        )
    sums = (sum(column) for column in zip(*((row.functions, row.tensors, row.nbytes) for row in rows), strict=True))
    table.add_section()
    table.add_row(Text("sum", style="bold"), *map(_number, sums))
    return table


def _number(value: int) -> str:
    return f"{value:,}"
