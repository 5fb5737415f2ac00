"""What is shown of a drawable, and in which words: model -> scene."""

from graphvis.picture.style.combined import scene_of_both
from graphvis.picture.style.dispatch import scene_of

__all__ = ["scene_of", "scene_of_both"]
