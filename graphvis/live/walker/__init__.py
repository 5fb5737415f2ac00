"""Walks of live autograd graphs into frozen ones, which change nothing in the program walked."""

from graphvis.live.walker.identity import Identity
from graphvis.live.walker.walking import walk, walk_with_tokens

__all__ = ["Identity", "walk", "walk_with_tokens"]
