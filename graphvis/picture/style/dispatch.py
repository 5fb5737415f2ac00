"""Which scene is whose."""

from __future__ import annotations

from graphvis.analysis.comparing import single
from graphvis.model import Comparison, Diagnosis, Drawable, Graph, Moment
from graphvis.picture.scene import Scene
from graphvis.picture.style.diagnosis import scene_of_diagnosis
from graphvis.picture.style.pair import scene_of_comparison


def scene_of(drawable: Drawable) -> Scene:
    """What is shown of a drawable.

    Raises:
        TypeError: if it is of a kind that has no picture.
        DocumentError: if it is a diagnosis that was saved without its graph.
    """
    if isinstance(drawable, Comparison):
        return scene_of_comparison(drawable)
    if isinstance(drawable, Diagnosis):
        return scene_of_diagnosis(drawable)
    if isinstance(drawable, Moment):
        return scene_of_comparison(single(drawable))
    if isinstance(drawable, Graph):
        return scene_of_comparison(single(Moment(graph=drawable)))
    raise TypeError(f"{type(drawable).__name__} has no picture")
