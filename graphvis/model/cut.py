"""A place where a value goes on and its gradient does not."""

from __future__ import annotations

from typing import Literal

import msgspec

from graphvis.model.location import Location

CutKind = Literal[
    "detach", "detach_", "data", "no_grad", "inference_mode", "item", "numpy", "copy", "rewrap",
    "non_differentiable", "function", "checkpoint", "grad",
]  # fmt: skip


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """The call at which a value goes on and its gradient does not.

    Attributes:
        kind: what cut it; ``item`` stands also for ``float()``, ``int()``, ``bool()`` and
            ``tolist``; ``copy`` for ``torch.tensor(t)`` and its kin; ``rewrap`` for
            ``nn.Parameter(h)``; ``function`` for a custom ``autograd.Function`` that returns None.
        certain: False where the value left PyTorch and its return is inferred.
        location: the innermost line outside torch that made the call.
        tensor: the name of the tensor whose gradient stops, where it has one; else what is known
            of it (``float32 [2, 64]``).
        parameters: the leaves that lost their gradient to it, by name.
        caller: the user's own frame, where `location` lies in a library; None where they are one.
        module: the dotted path of the innermost module whose forward was running; empty outside.
        call: the index of the call in the trace.
        since: the line that turned the grad mode off, for ``no_grad`` and ``inference_mode``.
    """

    kind: CutKind
    certain: bool = True
    location: Location
    tensor: str = ""
    parameters: tuple[str, ...] = ()
    caller: Location | None = None
    module: str = ""
    call: int | None = None
    since: Location | None = None
