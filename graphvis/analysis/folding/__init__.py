"""A graph of any size becomes one that a person can read: a partition of its nodes, and the quotient by it."""

from graphvis.analysis.folding.applying import Folding, apply
from graphvis.analysis.folding.folding import fold

__all__ = ["Folding", "apply", "fold"]
