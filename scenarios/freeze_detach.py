"""Frozen by detach() at the seam: w1 gets no gradient, yet its graph is built and kept

The first part is recorded as ever: h has its grad_fn, with all that it saved, for as long as h
lives. Only the head starts from the detached h.

Right when h is needed both with and without gradient. If nobody needs it with, freeze_no_grad and
freeze_requires_grad keep less memory.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 11.3


def program(cut):
    x = torch.tensor([1.0, 2.0])
    w1 = torch.tensor([1.0, 1.0], requires_grad=True)
    w2 = torch.tensor([3.0, 4.0], requires_grad=True)
    h = (x * w1).relu()
    loss = ((h.detach() if cut else h) * w2).sum()
    if cut:
        yield after(
            loss,
            expect(
                grads={"w1": None, "w2": [1, 2]},
                states={"w1": {"requires_grad": True}, "h": {"grad_fn": "ReluBackward0", "requires_grad": True}},
            ),
            intended=True,
            says="w2 learns as before. h keeps its graph, and nobody asks for it.",
        )
    else:
        yield before(loss, expect(grads={"w1": [3, 8], "w2": [1, 2]}))
