"""torch.tensor([l1, l2]) makes new numbers: use torch.stack

torch.tensor copies what it is given: the two losses arrive as plain numbers, and their sum leads nowhere
(PyTorch warns of it, once a process).
torch.stack joins the tensors themselves and keeps both ways back.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 29


def program(cut):
    w = torch.tensor(2.0, requires_grad=True)
    l1 = w * w
    l2 = w * 3
    both = torch.tensor([l1, l2]) if cut else torch.stack([l1, l2])
    loss = both.sum()
    if cut:
        yield after(loss, expect(error="element 0 of tensors does not require grad", values={"loss": 10}))
    else:
        yield before(loss, expect(grads={"w": 7}, values={"loss": 10}))
