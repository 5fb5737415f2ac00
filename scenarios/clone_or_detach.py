"""clone() copies the values and keeps the gradient; detach() does neither

`out.clone()` has its own storage and a grad_fn, CloneBackward0: a way back to a. `out.detach()` has
out's storage and no way back. For a copy that is also cut off, say `out.detach().clone()`.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 13


def program(cut):
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    c = out.detach() if cut else out.clone()
    loss = (out * c).sum()
    if cut:
        yield after(
            loss,
            expect(
                grads={"a": [0.1437, 0.0925, 0.0430]},
                states={"c": {"is_leaf": True, "grad_fn": None, "requires_grad": False}},
            ),
            says="Half the gradient: c counts as a constant, and is no copy.",
        )
    else:
        yield before(
            loss,
            expect(
                grads={"a": [0.2875, 0.1850, 0.0861]},
                states={"c": {"is_leaf": False, "grad_fn": "CloneBackward0", "requires_grad": True}},
            ),
            says="Both ways lead to a: through out and through c.",
        )
