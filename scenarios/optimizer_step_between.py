"""optimizer.step() between forward and backward overwrites the saved weights

The multiplication saved w2 to compute the gradient of w1. step() changes w2 in place, and its counter
goes to 1. A second backward over the same forward no longer finds what was saved.

Run forward again after each step, or take every backward before the first step. GAN training that
shares one forward between two optimizers meets this.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 34


def program():
    w1 = torch.tensor(2.0, requires_grad=True)
    w2 = torch.tensor(3.0, requires_grad=True)
    optimizer = torch.optim.SGD([w1, w2], lr=0.5)
    loss = w1 * w2
    yield before(loss, expect(grads={"w1": 3, "w2": 2}, versions={"w2": 0}))
    loss.backward(retain_graph=True)
    optimizer.step()
    yield after(
        loss,
        expect(error="is at version 1; expected version 0", versions={"w1": 1, "w2": 1}, values={"w1": 0.5, "w2": 2}),
    )
