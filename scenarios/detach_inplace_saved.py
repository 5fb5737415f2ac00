"""detach_() after y raises where y had saved m

Folklore says that `m.detach_()` quietly separates m from y. For `y = m * m` the multiplication
saved m, its node included. After the call that node is gone from m, and backward refuses to guess.

So a late detach_() is either without effect (detach_inplace_after) or an error. It never cuts.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 8.5


def program():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    m = x * 2
    y = m * m
    yield before(y.sum(), expect(grads={"x": [8, 16, 24]}))
    m.detach_()
    yield after(
        y.sum(),
        expect(
            error="Trying to use a saved tensor that has been detached in-place",
            states={"m": {"is_leaf": True, "grad_fn": None, "requires_grad": False}},
        ),
    )
