"""From our SVG to PNG and PDF, by renderers that are extras.

Not by the layout engine: it would draw one half with the lanes merged and without scissors.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import ModuleType

from graphvis.errors import FormatError
from graphvis.picture.svg.element import MONO, SANS

_SANS = "Liberation Sans"
_MONO = "Liberation Mono"
_PROBE = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><text y="15" font-family="{}">M</text></svg>'
# Every PDF would differ by the second in which it was made.
_DATE = re.compile(rb"/CreationDate \(D:[^)]*\)")


def to_png(svg: str, scale: float = 2.0) -> bytes:
    """The picture in its light theme, or the one it was written in.

    Args:
        svg: what :func:`graphvis.picture.svg.write` returns.
        scale: device pixels for an SVG unit.

    Raises:
        FormatError: where resvg is not installed, or no font is.
    """
    resvg = _resvg()
    if not _has_fonts():
        way = "apt-get install fonts-liberation, or draw SVG"
        raise FormatError("a PNG needs a sans and a mono font, and this machine has none", way)
    return _render(resvg, svg, scale)


def to_pdf(svg: str) -> bytes:
    """The picture on one page, its text as text; `svg` as for :func:`to_png`.

    Raises:
        FormatError: where cairosvg, or the cairo library that it loads, is not installed.
    """
    try:
        import cairosvg
    except ImportError as error:
        raise FormatError("a PDF needs cairosvg", "pip install graphvis[pdf]") from error
    except OSError as error:
        raise FormatError("cairosvg does not find the cairo library", "apt-get install libcairo2") from error
    pdf: bytes = cairosvg.svg2pdf(bytestring=svg.encode())
    return _DATE.sub(lambda found: re.sub(rb"\d", b"0", found[0]), pdf)


def _resvg() -> ModuleType:
    try:
        import resvg_py
    except ImportError as error:
        raise FormatError("a PNG needs resvg", "pip install graphvis[png]") from error
    return resvg_py


def _render(resvg: ModuleType, svg: str, scale: float) -> bytes:
    png: bytes = resvg.svg_to_bytes(
        svg_string=svg, zoom=scale, sans_serif_family=_SANS, monospace_family=_MONO, font_family=_SANS
    )
    return png


@lru_cache(maxsize=1)
def _has_fonts() -> bool:
    """Whether the renderer draws letters at all: without a font it leaves them out and says nothing."""
    resvg = _resvg()
    blank = _PROBE.replace(">M<", "><")
    return all(
        _render(resvg, _PROBE.format(family), 1.0) != _render(resvg, blank.format(family), 1.0)
        for family in (SANS, MONO)
    )
