"""loss.requires_grad_() after a cut silences the error, and no parameter gets a gradient

backward() complained that the loss does not require grad, so somebody made it. Now the loss is a
leaf. backward gives the loss its own gradient, 1, and ends there.

The error was right. Look for the cut above the loss, here `c = out.detach()`.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 10.5


def program():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    c = out.detach()
    loss = c.sum()
    yield before(
        loss, expect(error="element 0 of tensors does not require grad", states={"loss": {"requires_grad": False}})
    )
    loss.requires_grad_()
    yield after(
        loss,
        expect(
            grads={"a": None, "loss": 1},
            states={"loss": {"is_leaf": True, "grad_fn": None, "requires_grad": True}},
        ),
        says="No error. The loss gets its own gradient, 1; a gets none.",
    )
