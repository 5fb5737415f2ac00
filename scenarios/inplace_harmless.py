"""An in-place write is harmless where nobody had saved the old value

Multiplying by a constant saves the constant and nothing of m: to go back, 3 is all that is needed. `m.add_(1)` raises
m's counter to 1, and nobody compares. The gradient of y is right.

Whether a write is safe depends on who saved the tensor, not on the write. PyTorch checks it for you.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 15.5


def program():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    m = x * 2
    y = m * 3
    yield before(y.sum(), expect(grads={"x": [6, 6, 6]}, versions={"m": 0}))
    m.add_(1)
    yield after(
        y.sum(),
        expect(grads={"x": [6, 6, 6]}, versions={"m": 1}, values={"m": [3, 5, 7]}),
        says="m changed; y and its gradient did not.",
    )
