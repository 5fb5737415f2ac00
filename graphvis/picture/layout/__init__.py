"""Where each box and link of a scene is: one layout for all halves."""

from graphvis.picture.layout.placement import Place, Placement, Point, Track
from graphvis.picture.layout.placing import lay_out

__all__ = ["Place", "Placement", "Point", "Track", "lay_out"]
