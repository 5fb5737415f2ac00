"""Through NumPy and back, the value arrives and the gradient does not

NumPy knows no autograd. PyTorch makes you say detach() before numpy(); the tensor that from_numpy makes
of the result is a fresh one. `w` still gets its gradient, so nothing complains.

Use torch's own function instead; nearly every NumPy function has one.
"""

import numpy as np
import torch

from graphvis.scenario import after, before, expect

ORDER = 28


def program(cut):
    a = torch.tensor([1.0, 4.0], requires_grad=True)
    w = torch.tensor([3.0, 3.0], requires_grad=True)
    if cut:
        n = a.detach().numpy()
        h = torch.from_numpy(np.sqrt(n))
    else:
        h = torch.sqrt(a)
    loss = (h * w).sum()
    if cut:
        yield after(loss, expect(grads={"a": None, "w": [1, 2]}), says="No error. w gets the same gradient as before.")
    else:
        yield before(loss, expect(grads={"a": [1.5, 0.75], "w": [1, 2]}))
