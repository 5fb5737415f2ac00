"""Tokens that tell whether two walks of one process met the same node."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import torch

_KEY = "graphvis.token"
_COUNT = itertools.count()  # one for the process: tokens of two identities must not collide in a node's metadata


class Identity:
    """Numbers live nodes and tensors so that a later walk gives the same ones the same number.

    Neither keeps a tensor or a graph alive, nor plants a weak reference on a tensor, which would
    make ``torch.utils.swap_tensors`` refuse it, nor an attribute, which ``deepcopy`` and pickle
    would carry off. A function's token lies in its node's own ``metadata``. A tensor is told by
    its trace number where a recorder knows it; else by being the same object over the same living
    storage, so a tensor that is given other memory (``p.data = ...``) counts as another one, and a
    tensor that died may be taken for a later one over the same storage at the same address.

    Args:
        number: a tensor's number in the running record; None for one that it did not see.
    """

    def __init__(self, number: Callable[[torch.Tensor], int | None] | None = None) -> None:
        self._number = number
        self._traced: dict[int, int] = {}
        self._seen: dict[int, tuple[weakref.ref[Any], int]] = {}

    def of_function(self, node: Any) -> int:
        """The token of an autograd node, the same as long as it lives."""
        token: int = node.metadata.setdefault(_KEY, -1)
        if token < 0:
            token = node.metadata[_KEY] = next(_COUNT)
        return token

    def of_tensor(self, tensor: torch.Tensor) -> int:
        """The token of a tensor."""
        number = self._number(tensor) if self._number else None
        if number is not None:
            if number not in self._traced:
                self._traced[number] = next(_COUNT)
            return self._traced[number]
        try:
            storage = tensor.untyped_storage()
        except (RuntimeError, NotImplementedError):  # sparse, wrapped: nothing to tell it by
            return next(_COUNT)
        known = self._seen.get(id(tensor))
        if known is None or known[0]() is not storage:
            known = self._seen[id(tensor)] = (weakref.ref(storage), next(_COUNT))
        return known[1]
