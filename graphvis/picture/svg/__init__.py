"""The SVG writer: halves, lanes and words, from a measured scene and its placement."""

from graphvis.picture.svg.writer import write

__all__ = ["write"]
