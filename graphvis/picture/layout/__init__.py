"""Where each box and link of a scene is: one layout for all halves."""

from graphvis.picture.geometry import Place, Point
from graphvis.picture.layout.engine import TIMEOUT
from graphvis.picture.layout.placement import Placement, Track
from graphvis.picture.layout.placing import FINE, lay_out

__all__ = ["FINE", "TIMEOUT", "Place", "Placement", "Point", "Track", "lay_out"]
