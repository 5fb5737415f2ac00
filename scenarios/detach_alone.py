"""detach() takes nothing from out: the gradient still reaches a

`c` has the values of `out` and no grad_fn: it prints without one, and requires_grad is False. It
is not a copy. It looks at the same storage and shares the version counter.

Making `c` costs `a` nothing. Only what is computed from `c` has no way back.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 2


def program():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    yield before(out.sum(), expect(grads={"a": [0.1966, 0.1050, 0.0452]}))
    c = out.detach()
    yield after(
        out.sum(),
        expect(
            grads={"a": [0.1966, 0.1050, 0.0452]},
            values={"c": [0.7311, 0.8808, 0.9526]},
            versions={"out": 0, "c": 0},
            states={"c": {"requires_grad": False, "grad_fn": None, "is_leaf": True}},
        ),
        says="c is cut off; out keeps its way back to a.",
    )
