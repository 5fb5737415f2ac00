"""Stop-gradient: the two views meet, and only one of them is allowed to move

BYOL and SimSiam pull two views of one input together. With gradient in both branches the easiest way
to meet is to make everything the same: collapse. Detaching one branch makes it a fixed goal.

Here one weight makes both views, and the cut halves the ways by which it is pulled.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 23


def program(cut):
    w = torch.tensor(2.0, requires_grad=True)
    p = w * 3.0
    z = w * 1.0
    loss = (p - (z.detach() if cut else z)) ** 2
    if cut:
        yield after(loss, expect(grads={"w": 24}), intended=True, says="w hears of p alone: 24.")
    else:
        yield before(loss, expect(grads={"w": 16}), says="w hears of both: 24 - 8.")
