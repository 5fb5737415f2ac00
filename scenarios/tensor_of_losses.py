"""torch.tensor([l1, l2]) makes new numbers: use torch.stack

torch.tensor copies what it is given: the two losses arrive as plain numbers, and nothing leads back
(PyTorch warns of it, once a process). torch.stack joins the tensors themselves and keeps both ways back.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 29


def program(cut):
    w = torch.tensor(2.0, requires_grad=True)
    l1 = w * w
    l2 = w * 3
    both = torch.tensor([l1, l2]) if cut else torch.stack([l1, l2])
    if cut:
        yield after(both.sum(), expect(error="element 0 of tensors does not require grad", values={"both": [4, 6]}))
    else:
        yield before(both.sum(), expect(grads={"w": 7}, values={"both": [4, 6]}))
