"""A walk and a recording of the same run become one graph with both lanes.

The walk knows where gradients go; the recording knows where values went. What only the recording
knows becomes value edges, cuts and ghost nodes.
"""

from graphvis.analysis.joining.joining import join

__all__ = ["join"]
