"""backward() walks grad_fn back to the leaf

`out` was made by sigmoid, and `out.grad_fn` remembers it: SigmoidBackward0. Its `next_functions`
lead on to the leaf `a`. backward() walks that chain once; `a.grad` is None until then.

Every other picture here is this one with a piece missing.
"""

import torch

from graphvis.scenario import after, expect

ORDER = 1


def program():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    yield after(
        out.sum(),
        expect(
            grads={"a": [0.1966, 0.1050, 0.0452]},
            values={"out": [0.7311, 0.8808, 0.9526]},
            states={"out": {"grad_fn": "SigmoidBackward0"}},
        ),
        says="The value went down, the gradient came back up.",
    )
