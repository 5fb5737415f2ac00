"""Straight-through: the value of round(x), the gradient of x

round() is flat: its derivative is zero everywhere, and x learns nothing. `x + (q - x).detach()` has the
value of q, since x cancels; to backward the bracket is a constant, and what remains is x.

A cut on purpose. Vector quantisers and binary networks are trained through it.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 20


def program(cut):
    x = torch.tensor([0.2, 1.4, 2.7], requires_grad=True)
    q = x.round()
    y = x + (q - x).detach() if cut else q
    if cut:
        yield after(
            y.sum(), expect(grads={"x": [1, 1, 1]}, values={"y": [0, 1, 3]}), says="The same y, and a gradient for x."
        )
    else:
        yield before(y.sum(), expect(grads={"x": [0, 0, 0]}, values={"y": [0, 1, 3]}))
