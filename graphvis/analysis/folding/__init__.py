"""A graph of any size becomes one that a person can read: a partition of its nodes, and the quotient by it."""

from graphvis.analysis.folding.applying import Folding, apply
from graphvis.analysis.folding.folding import Folded, fold, graphs_of, trace_fold, unfolded
from graphvis.analysis.folding.partitioning import Wishes, partition
from graphvis.analysis.folding.whole import Whole, whole_of

__all__ = [
    "Folded",
    "Folding",
    "Whole",
    "Wishes",
    "apply",
    "fold",
    "graphs_of",
    "partition",
    "trace_fold",
    "unfolded",
    "whole_of",
]
