"""Nothing leads back from a detached tensor: backward() through c raises

`c` has no grad_fn, so `c.sum()` has none either. There is no chain to walk, and PyTorch says so.

This is the friendly failure. Add one term that does require grad, and the same cut is silent.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 3


def program():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    yield before(out.sum(), expect(grads={"a": [0.1966, 0.1050, 0.0452]}))
    c = out.detach()
    yield after(
        c.sum(),
        expect(
            error="element 0 of tensors does not require grad and does not have a grad_fn",
            states={"c": {"requires_grad": False, "grad_fn": None}},
        ),
    )
