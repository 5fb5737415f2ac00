"""Parameters that FSDP keeps in shards: a forward pass computes with other tensors in their place.

Their gradients come from those tensors' by hooks, where no edge shows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch


def gathered(parameters: Mapping[str, torch.Tensor], modules: Iterable[Any]) -> dict[str, torch.Tensor]:
    """The tensors that are computed with, by the names of the parameters that they stand for.

    Args:
        parameters: by name; most stand for themselves.
        modules: those that ran.
    """
    if "torch.distributed.fsdp" not in sys.modules:
        return dict(parameters)
    found = {id(shard): whole for module in modules for shard, whole in _of(module)}
    return {name: found.get(id(tensor), tensor) for name, tensor in parameters.items()}


def _of(module: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The shards that a module keeps, each with what it computes with: ``fully_shard`` and the older wrapper."""
    state = torch.distributed._composable_state._get_module_state(module)
    for group in getattr(state, "_fsdp_param_groups", ()):
        for one in group.fsdp_params:
            if hasattr(one, "_unsharded_param"):  # since the first forward pass
                yield one.sharded_param, one._unsharded_param
    flat: Any = getattr(getattr(module, "_handle", None), "flat_param", None)
    for shard in getattr(flat, "_params", None) or ():
        yield shard, flat
