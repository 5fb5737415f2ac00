"""Two moments become one union graph: matching, then what happened to each node and edge."""

from graphvis.analysis.comparing.matching import match_by_calls, match_by_identity, match_by_structure
from graphvis.analysis.comparing.union import single, unite

__all__ = ["match_by_calls", "match_by_identity", "match_by_structure", "single", "unite"]
