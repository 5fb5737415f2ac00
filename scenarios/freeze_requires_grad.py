"""Frozen by requires_grad: w1 gets no gradient, and no graph is kept for its part

`w1` is told that it needs no gradient. Nothing before the seam then requires grad, so autograd
records nothing there: h has no grad_fn, and what would have been saved is freed at once.

The same leaf without gradient as in freeze_detach and freeze_no_grad; only what is kept differs.
Unlike those two it also works in the middle of a network: a gradient passes through a frozen layer.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 11


def program(cut):
    x = torch.tensor([1.0, 2.0])
    w1 = torch.tensor([1.0, 1.0], requires_grad=True)
    w2 = torch.tensor([3.0, 4.0], requires_grad=True)
    if cut:
        w1.requires_grad_(False)
    h = (x * w1).relu()
    loss = (h * w2).sum()
    if cut:
        yield after(
            loss,
            expect(
                grads={"w2": [1, 2]},
                states={
                    "w1": {"requires_grad": False},
                    "h": {"is_leaf": True, "grad_fn": None, "requires_grad": False},
                },
            ),
            intended=True,
            says="w2 learns as before. Nothing was recorded for h.",
        )
    else:
        yield before(
            loss,
            expect(grads={"w1": [3, 8], "w2": [1, 2]}, states={"h": {"grad_fn": "ReluBackward0"}}),
        )
