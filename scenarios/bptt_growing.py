"""A hidden state that is carried on carries its whole past: the graph grows

Each step hangs its graph on that of the step before. Memory and the time of backward grow with every
step, and after a first backward() a second one raises: "Trying to backward through the graph a
second time". See truncated_bptt for the cure.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 24


def program():
    w = torch.tensor(0.5, requires_grad=True)
    h0 = torch.tensor(4.0)
    h1 = h0 * w
    yield before(h1, expect(grads={"w": 4}))
    h2 = h1 * w
    yield after(h2, expect(grads={"w": 4}), says="Through h2 directly: 2. Through h1: 2 more.")
