"""loss.item() is a plain number: a total of such numbers has no gradient

For a log that is what you want: `total += loss` keeps the graph of every step alive as long as the
total lives, `total += loss.item()` lets it go. For a total that is to be trained on it is a cut: backward
raises, or, if anything else in the total requires grad, silently forgets this loss.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 27


def program(cut):
    w = torch.tensor(2.0, requires_grad=True)
    loss = w * w
    total = torch.tensor(1.0)
    total = total + (loss.item() if cut else loss)
    if cut:
        yield after(
            total,
            expect(error="element 0 of tensors does not require grad", values={"total": 5}),
            start="total.backward()",
        )
    else:
        yield before(total, expect(grads={"w": 4}, values={"total": 5}), start="total.backward()")
