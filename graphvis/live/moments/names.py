"""Which tensors a program holds, and what it calls them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

_MOST = 16
"""A list longer than this is data, not a handful of tensors that a picture should name."""


def tensors_of(variables: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors among variables by name, in order; ``net.weight`` for a module's parameters, ``hs[0]`` in lists.

    A tensor's first name comes first. Names that begin with an underscore are private and left out.
    """
    found: dict[str, torch.Tensor] = {}
    for name, value in variables.items():
        if not name.startswith("_"):
            found.update(_named(name, value))
    return found


def _named(name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, torch.nn.Module):
        for path, parameter in value.named_parameters():
            yield f"{name}.{path}", parameter
    elif isinstance(value, (list, tuple)) and len(value) <= _MOST:
        for place, item in enumerate(value):
            if isinstance(item, torch.Tensor):
                yield f"{name}[{place}]", item
    elif isinstance(value, dict) and len(value) <= _MOST:
        for key, item in value.items():
            if isinstance(item, torch.Tensor):
                yield f"{name}[{key!r}]", item
