"""The tensors in whatever a program calls its outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from graphvis.errors import WalkError

Output = torch.Tensor | GradientEdge


def find_outputs(outputs: Any) -> list[Output]:
    """The tensors and gradient edges in `outputs`, in reading order.

    Looks into tuples, lists, mappings and dataclasses, however nested; a model's output object is
    one of these. What else they hold (None, numbers, caches) is passed over.

    Raises:
        WalkError: if there is no tensor in them.
    """
    found: list[Output] = []
    opened: set[int] = set()
    stack = [outputs]
    while stack:
        item = stack.pop()
        if isinstance(item, (torch.Tensor, GradientEdge)):  # a GradientEdge is also a tuple
            found.append(item)
            continue
        parts = _parts(item)
        if parts and id(item) not in opened:
            opened.add(id(item))
            stack.extend(reversed(parts))
    if not found:
        raise WalkError(
            f"there is no tensor to walk from in {_describe(outputs)}",
            "Pass a tensor that the program computed, e.g. the loss, or a tuple, list, dict or dataclass of tensors.",
        )
    return found


def _parts(item: Any) -> list[Any]:
    if isinstance(item, Mapping):
        return list(item.values())
    if isinstance(item, (tuple, list)):
        return list(item)
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return [getattr(item, field.name, None) for field in dataclasses.fields(item)]
    return []


def _describe(outputs: Any) -> str:
    kind = type(outputs).__name__
    if isinstance(outputs, (tuple, list, Mapping)):
        return f"a {kind} of {len(outputs)}"
    return f"an object of type {kind}"
