"""How large each box and label of a scene is; no font and no browser is asked."""

from graphvis.picture.measure.boxes import Label, Measured, Shape, Size, measure
from graphvis.picture.measure.text import Font, clean, shorten, shorten_path, width, wrap

__all__ = ["Font", "Label", "Measured", "Shape", "Size", "clean", "measure", "shorten", "shorten_path", "width", "wrap"]
