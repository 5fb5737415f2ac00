"""detach() can be regretted, detach_() cannot

`d = m.detach()` gives a second tensor and leaves m as it was: whoever holds m can still go back to
x. `m.detach_()` changes m itself. Nothing that m holds leads back any more.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 9


def program(cut):
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    m = x * 2
    if cut:
        m.detach_()
    else:
        d = m.detach()
    if cut:
        yield after(
            m.sum(),
            expect(
                error="element 0 of tensors does not require grad and does not have a grad_fn",
                states={"m": {"is_leaf": True, "grad_fn": None, "requires_grad": False}},
            ),
        )
    else:
        yield before(
            m.sum(),
            expect(
                grads={"x": [2, 2, 2]},
                states={
                    "m": {"is_leaf": False, "grad_fn": "MulBackward0", "requires_grad": True},
                    "d": {"is_leaf": True, "grad_fn": None, "requires_grad": False},
                },
            ),
            says="d is cut off; m still leads to x.",
        )
