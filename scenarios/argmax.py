"""max() has a gradient, argmax() has none

max() hands on the largest value: its gradient goes to the place that it came from. argmax() hands on
where it is, an integer, and an integer does not move when a moves a little: there is no derivative.

For a choice that learns, weigh by softmax, or sample by gumbel_softmax or a policy gradient.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 30


def program(cut):
    a = torch.tensor([1.0, 3.0, 2.0], requires_grad=True)
    if cut:
        best = a.argmax().float()
    else:
        best = a.max()
    if cut:
        yield after(best, expect(error="element 0 of tensors does not require grad", values={"best": 1}))
    else:
        yield before(best, expect(grads={"a": [0, 1, 0]}, values={"best": 3}))
