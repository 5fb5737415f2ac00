"""``graphvis draw``: a saved document as a picture again, without PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphvis.cli import arguments
from graphvis.errors import DocumentError, FormatError

if TYPE_CHECKING:
    from graphvis.model import Drawable
    from graphvis.model.drawable import Theme
    from graphvis.model.view import View


@click.command("draw")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.json")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("-"), show_default=True,
              help="Where to; - is standard output.")  # fmt: skip
@click.option("-f", "--format", "wanted", type=click.Choice(arguments.FORMATS),
              help="Default: what the suffix of --output says, else svg.")  # fmt: skip
@click.option("--variant", type=click.Choice(["pair", "narrow", "before", "after"]), default="pair", show_default=True,
              help="The whole picture, the same for phones, or one half.")  # fmt: skip
@arguments.theme
@arguments.engine
@arguments.view
def command(file: Path, output: Path, wanted: str | None, variant: str, theme: Theme, engine: str, view: View) -> None:
    """Draw a saved graph, comparison or diagnosis again.

    FILE.json is what to_json, save("....json") or render -f json wrote; - is standard input. PyTorch is not needed.

    \b
    Examples:
      graphvis draw graph.json -o graph.svg
      graphvis draw graph.json -f dot | dot -Tpdf -o graph.pdf
      graphvis render detach_zero -f json -o saved && graphvis draw saved/detach_zero.json -o again.svg
    """
    from graphvis import draw, files

    to_stdout = str(output) == "-"
    chosen = wanted or ("svg" if to_stdout else output.suffix.lstrip(".").lower())
    if chosen not in arguments.FORMATS:
        raise FormatError(
            f"{output}: its suffix names no format",
            f"Choose one of .{', .'.join(arguments.FORMATS)}, or say the format with -f.",
        )
    if to_stdout and chosen in arguments.BINARY and sys.stdout.isatty():
        raise FormatError(f"{chosen} does not belong on a terminal", f"Write it to a file: -o picture.{chosen}")
    document = _read(file)
    variants = draw.variants(document, chosen, view)
    if variant not in variants:
        raise FormatError(f"{file} has no variant {variant} as {chosen}", f"It has {', '.join(variants)}.")
    pieces: Iterable[bytes]
    if chosen == "json":
        pieces = draw.to_json(document, variant)
    else:
        named = arguments.engine_name(engine)
        pieces = [draw.render(document, chosen, theme=theme, engine=named, variant=variant, view=view)]
    if to_stdout:
        for piece in pieces:
            click.echo(piece, nl=False)
    else:
        files.write(output, pieces)


def _read(file: Path) -> Drawable:
    from graphvis import draw

    try:
        return draw.read("/dev/stdin" if str(file) == "-" else file)
    except RecursionError:
        raise DocumentError(f"{file}: nested too deeply to be a document of graphvis") from None
