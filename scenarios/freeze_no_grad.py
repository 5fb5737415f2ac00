"""Frozen by no_grad(): w1 gets no gradient, and its part is never recorded

Under no_grad the operations run and leave no trace: h has no grad_fn although w1 requires grad.
What relu and the multiplication would have saved is not kept.

As cheap as freeze_requires_grad, and the one that hides best: w1 still says requires_grad=True.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 11.6


def program(cut):
    x = torch.tensor([1.0, 2.0])
    w1 = torch.tensor([1.0, 1.0], requires_grad=True)
    w2 = torch.tensor([3.0, 4.0], requires_grad=True)
    if cut:
        with torch.no_grad():
            h = (x * w1).relu()
    else:
        h = (x * w1).relu()
    loss = (h * w2).sum()
    if cut:
        yield after(
            loss,
            expect(
                grads={"w1": None, "w2": [1, 2]},
                states={"w1": {"requires_grad": True}, "h": {"is_leaf": True, "grad_fn": None, "requires_grad": False}},
            ),
            intended=True,
            says="w2 learns as before. Nothing was recorded for h.",
        )
    else:
        yield before(loss, expect(grads={"w1": [3, 8], "w2": [1, 2]}))
