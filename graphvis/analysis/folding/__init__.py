"""A graph of any size becomes one that a person can read: a partition of its nodes, and the quotient by it."""

from graphvis.analysis.folding.applying import Folding, apply
from graphvis.analysis.folding.folding import fold
from graphvis.analysis.folding.partitioning import Wishes, partition
from graphvis.analysis.folding.whole import Whole, whole_of

__all__ = ["Folding", "Whole", "Wishes", "apply", "fold", "partition", "whole_of"]
