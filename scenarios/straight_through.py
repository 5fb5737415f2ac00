"""Straight-through: the value of round(x), the gradient of x

round() is flat: its derivative is zero everywhere, and x learns nothing. `x + (q - x).detach()` has the
value of q, since x cancels; to backward the bracket is a constant, and what remains is x.

A cut on purpose. Vector quantisers and binary networks are trained through it.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 20


def program():
    x = torch.tensor(1.4, requires_grad=True)
    q = x.round()
    yield before(q, expect(grads={"x": 0}, values={"q": 1}), says="round() is flat: x learns nothing.")
    y = x + (q - x).detach()
    yield after(y, expect(grads={"x": 1}, values={"y": 1}), intended=True, says="The same value, and a gradient for x.")
