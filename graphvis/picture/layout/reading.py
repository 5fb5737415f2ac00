"""From the engine's JSON to a placement."""

from __future__ import annotations

from typing import Any

import msgspec

from graphvis.errors import EngineError
from graphvis.picture.geometry import Place, Point
from graphvis.picture.layout.placement import Placement, Track
from graphvis.picture.layout.source import clusters
from graphvis.picture.measure import Measured

_POINTS = 72.0


def read(output: bytes, measured: Measured) -> Placement:
    """The placement in an engine's ``json0``.

    Raises:
        EngineError: where the output is not what was asked for.
    """
    try:
        document = msgspec.json.decode(output)
        return _place(document, measured)
    except (msgspec.DecodeError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise EngineError(
            "the layout engine wrote something that is not a layout", "pip install graphviz-pure, or use --engine dot"
        ) from error


def _place(document: dict[str, Any], measured: Measured) -> Placement:
    left, bottom, right, top = map(float, document["bb"].split(","))

    def flip(x: float, y: float) -> Point:
        return x - left, top - y

    scene, paths = measured.scene, clusters(measured)
    boxes: dict[str, Place] = {}
    frames: dict[str, Place] = {}
    for item in document.get("objects", []):
        name = item["name"]
        if name.startswith("cluster_"):
            frames[paths[int(name.removeprefix("cluster_"))]] = _frame(item["bb"], flip)
        else:
            box = scene.boxes[int(name[1:])]
            size = measured.sizes[box.id]
            x, y = flip(*_pair(item["pos"]))
            boxes[box.id] = Place(x - size.behind / 2, y, size.width, size.height)
    if len(boxes) != len(scene.boxes):
        raise ValueError("boxes are missing")
    tracks = {}
    for item in document.get("edges", []):
        i = int(item["comment"])
        label = measured.labels.get(i)
        at = flip(*_pair(item["lp"])) if "lp" in item else None
        tracks[i] = Track(
            tuple(flip(*_pair(point)) for point in item["pos"].split(" ") if point[0] not in "es"),
            Place(*at, label.width, label.height) if at is not None and label is not None else None,
        )
    return Placement(right - left, top - bottom, boxes, tracks, frames)


def _pair(text: str) -> Point:
    x, y = text.split(",")[-2:]
    return float(x), float(y)


def _frame(text: str, flip: Any) -> Place:
    left, bottom, right, top = map(float, text.split(","))
    x, y = flip((left + right) / 2, (bottom + top) / 2)
    return Place(x, y, right - left, top - bottom)
