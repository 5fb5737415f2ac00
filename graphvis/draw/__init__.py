"""From a frozen model to bytes: style, measure, lay out, write. No torch, no live tensor."""

from graphvis.draw.documents import read, to_json
from graphvis.draw.drawing import Drawing
from graphvis.draw.formats import FORMATS, Variant, variants
from graphvis.draw.sources import render_source
from graphvis.draw.writing import render, save, to_dot, to_mermaid, to_report, to_svg

__all__ = [
    "FORMATS", "Drawing", "Variant", "read", "render", "render_source", "save", "to_dot", "to_json", "to_mermaid",
    "to_report", "to_svg", "variants",
]  # fmt: skip
