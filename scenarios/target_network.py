"""A Q-network must not move its own target: the target is detached

The loss pulls q towards a target y that the target network `t` computes from the next state. Without
the cut y moves towards q as well: t gets a gradient, and both may meet anywhere.

detach() (or no_grad) makes y a number. `w` gets the same gradient in both.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 22


def program(cut):
    w = torch.tensor(2.0, requires_grad=True)
    t = torch.tensor(3.0, requires_grad=True)
    q = w * 1.0
    y = 1.0 + 0.5 * t
    loss = (q - (y.detach() if cut else y)) ** 2
    if cut:
        yield after(loss, expect(grads={"w": -1, "t": None}), intended=True, says="Only w moves; t waits to be copied.")
    else:
        yield before(loss, expect(grads={"w": -1, "t": 0.5}), says="The target runs towards q.")
