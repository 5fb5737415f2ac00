"""no_grad() records nothing: the value goes on, and no way leads back

`volatile`, which old tutorials tell of, is gone; no_grad is its heir. Under it the same multiplication leaves no
node: h requires no grad, though w does. The loss still gives `b` its gradient, so nothing complains.

h is an ordinary tensor with an ordinary version counter, and may be used in a graph afterwards.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 14


def program(cut):
    w = torch.tensor(3.0, requires_grad=True)
    b = torch.tensor(5.0, requires_grad=True)
    if cut:
        with torch.no_grad():
            h = w * 2
    else:
        h = w * 2
    loss = h + b
    if cut:
        yield after(
            loss,
            expect(
                grads={"w": None, "b": 1},
                states={"h": {"is_leaf": True, "grad_fn": None, "requires_grad": False}},
                versions={"h": 0},
            ),
            says="No error: b gets its gradient, w gets none.",
        )
    else:
        yield before(loss, expect(grads={"w": 2, "b": 1}, states={"h": {"grad_fn": "MulBackward0"}}))
