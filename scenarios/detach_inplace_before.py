"""detach_() before y: the chain x → m → y becomes x and m → y

`m.detach_()` takes m's own grad_fn away: m becomes a leaf that requires no grad. What is computed
from it afterwards has an empty slot where m was. `w` still gets its gradient; `x` gets none, and
nothing says so.

This holds only because y is built after the call. See detach_inplace_after.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 7


def program(cut):
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    w = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
    m = x * 2
    if cut:
        m.detach_()
    y = m * w
    if cut:
        yield after(
            y.sum(),
            expect(
                grads={"x": None, "w": [2, 4, 6]},
                states={"m": {"is_leaf": True, "grad_fn": None, "requires_grad": False}},
            ),
            says="No error. w gets the same gradient as before.",
        )
    else:
        yield before(
            y.sum(),
            expect(
                grads={"x": [2, 2, 2], "w": [2, 4, 6]},
                states={"m": {"is_leaf": False, "grad_fn": "MulBackward0", "requires_grad": True}},
            ),
            note="m still knows how it was made",
        )
