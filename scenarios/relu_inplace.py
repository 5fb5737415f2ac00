"""An in-place ReLU overwrites what the layer before it had saved

Sigmoid keeps its result for backward. `relu(out, inplace=True)` writes into that very tensor: the counter
says 1 where sigmoid remembers 0, though no value changed, since all were positive.

After a layer that saves its input (linear, convolution, batch norm) inplace=True is safe; after one
that saves its result (sigmoid, tanh, exp, softmax) it is not.
"""

import torch
from torch.nn.functional import relu

from graphvis.scenario import after, before, expect

ORDER = 33


def program():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    yield before(out.sum(), expect(grads={"a": [0.1966, 0.1050, 0.0452]}, versions={"out": 0}))
    relu(out, inplace=True)
    yield after(out.sum(), expect(error="is at version 1; expected version 0", versions={"out": 1}))
