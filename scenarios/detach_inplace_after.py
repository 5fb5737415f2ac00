"""detach_() after y cuts nothing: y still leads to x

Folklore says that `m.detach_()` turns x → m → y into x and m → y. It does not when y was there
first: y's grad_fn points at the node that made m, not at m. The call changes m alone.

The gradient of x is [6, 6, 6] before and after. To cut, detach before the tensor is used.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 8


def program():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    m = x * 2
    y = m * 3
    yield before(
        y.sum(),
        expect(
            grads={"x": [6, 6, 6]}, states={"m": {"is_leaf": False, "grad_fn": "MulBackward0", "requires_grad": True}}
        ),
    )
    m.detach_()
    yield after(
        y.sum(),
        expect(
            grads={"x": [6, 6, 6]},
            states={"m": {"is_leaf": True, "grad_fn": None, "requires_grad": False}},
        ),
        says="m says that it is a leaf; y does not care: its chain still leads to x.",
    )
