"""Who is there with whom: what stands in different halves is never in each other's way."""

from __future__ import annotations

from collections import Counter

import msgspec

from graphvis.picture.geometry import Place
from graphvis.picture.layout.placement import Placement, Track
from graphvis.picture.measure import Measured
from graphvis.picture.scene import Scene

Halves = frozenset[int]


class Presence(msgspec.Struct, frozen=True):
    """The halves in which things are drawn.

    Attributes:
        boxes: by box id.
        links: by index.
        labels: by index of the link; empty where it has no label.
    """

    boxes: dict[str, Halves]
    links: tuple[Halves, ...]
    labels: tuple[Halves, ...]

    def obstacles(self, placement: Placement, halves: Halves, *, but: tuple[str, ...] = ()) -> list[Place]:
        """The places of the boxes that are there in one of the halves."""
        return [place for box, place in placement.boxes.items() if box not in but and self.boxes[box] & halves]

    def words(self, tracks: dict[int, Track], halves: Halves, *, but: int = -1) -> list[Place]:
        """The places of the labels that are there in one of the halves."""
        return [t.label for i, t in tracks.items() if t.label is not None and i != but and self.labels[i] & halves]

    def count(self, scene: Scene, end: str, links: list[int]) -> Counter[str]:
        """How many of the links share a ``tail`` or ``head``, in the half where they are most."""
        counts: Counter[str] = Counter()
        for half in range(len(scene.halves)):
            counts |= Counter(getattr(scene.links[i], end) for i in links if half in self.links[i])
        return counts


def presence(measured: Measured) -> Presence:
    """Who is where in a scene."""
    scene = measured.scene
    return Presence(
        {box.id: _halves([face is not None for face in box.faces]) for box in scene.boxes},
        tuple(_halves([wire is not None for wire in link.wires]) for link in scene.links),
        tuple(_halves([wire is not None and bool(wire.label) for wire in link.wires]) for link in scene.links),
    )


def _halves(there: list[bool]) -> Halves:
    return frozenset(i for i, is_there in enumerate(there) if is_there)
