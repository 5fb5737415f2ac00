"""The frozen types that everything else passes on; no live tensor, no torch."""

from graphvis.model.comparison import Comparison, Pair, PairEdge
from graphvis.model.cut import Cut
from graphvis.model.diagnosis import Advice, Conflict, Diagnosis, Finding, Verdict
from graphvis.model.document import Document
from graphvis.model.drawable import Drawable
from graphvis.model.elements import Edge, Node
from graphvis.model.graph import Fold, Graph, ValueEdge
from graphvis.model.location import Location
from graphvis.model.moment import Moment, Outcome
from graphvis.model.tensor import Saved, TensorInfo
from graphvis.model.trace import Call, Change, Entry, Trace, TracedTensor, Write

__all__ = [
    "Advice", "Call", "Change", "Comparison", "Conflict", "Cut", "Diagnosis", "Document", "Drawable", "Edge", "Entry",
    "Finding", "Fold", "Graph", "Location", "Moment", "Node", "Outcome", "Pair", "PairEdge", "Saved", "TensorInfo",
    "Trace", "TracedTensor", "ValueEdge", "Verdict", "Write",
]  # fmt: skip
