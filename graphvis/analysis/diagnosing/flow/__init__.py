"""Where values went, and where the gradient does not come back."""

from graphvis.analysis.diagnosing.flow.flow import Flow
from graphvis.analysis.diagnosing.flow.ways import Blame, Edge, Ways

__all__ = ["Blame", "Edge", "Flow", "Ways"]
