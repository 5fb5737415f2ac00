"""Which findings of a run are problems, which are warnings, and which are meant to be so."""

from graphvis.analysis.judging.holders import Holder, Optimizers
from graphvis.analysis.judging.judgement import Judged, judge
from graphvis.analysis.judging.ranks import ZERO_EVERYWHERE

__all__ = ["ZERO_EVERYWHERE", "Holder", "Judged", "Optimizers", "judge"]
