"""The report: a diagnosis told as a modern compiler tells an error."""

from graphvis.picture.report.reaching import write_reached
from graphvis.picture.report.writing import write

__all__ = ["write", "write_reached"]
