"""A reentrant checkpoint whose inputs need no gradient gives its weights none

The old checkpoint runs the block under no_grad and looks at its inputs only: x needs no gradient, so
the output needs none, and the weight `w` inside is forgotten. PyTorch warns; training goes on.

use_reentrant=False has no such rule.
"""

import torch
from torch.utils.checkpoint import checkpoint

from graphvis.scenario import after, before, expect

ORDER = 31


def program(cut):
    x = torch.tensor([1.0, 2.0])
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    b = torch.tensor([5.0, 6.0], requires_grad=True)
    h = checkpoint(lambda x: x * w, x, use_reentrant=cut)
    loss = (h + b).sum()
    if cut:
        yield after(
            loss,
            expect(grads={"w": None, "b": [1, 1]}, states={"h": {"grad_fn": None, "requires_grad": False}}),
            code="checkpoint(block, x,\n           use_reentrant=True)",
            says="b gets its gradient, w gets none.",
        )
    else:
        yield before(
            loss, expect(grads={"w": [1, 2], "b": [1, 1]}), code="checkpoint(block, x,\n           use_reentrant=False)"
        )
