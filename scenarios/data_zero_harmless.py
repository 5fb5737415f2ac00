"""Zeroing .data of a sum harms nothing: nobody had saved that tensor

Here `c` looks at the sum. Sum saves no result; its backward only needs to know the shape. What
sigmoid saved is another tensor, which nobody touched: the gradient is right.

That it works is luck, not safety. Nothing in `c = out.data` says who has saved what.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 6


def program():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid().sum()
    c = out.data
    yield before(out, expect(grads={"a": [0.1966, 0.1050, 0.0452]}, values={"out": 2.5644}))
    c.zero_()
    yield after(
        out,
        expect(grads={"a": [0.1966, 0.1050, 0.0452]}, versions={"out": 0, "c": 1}, values={"out": 0, "c": 0}),
        note="an in-place write through c",
        says="out shows 0, and the gradient is right all the same.",
    )
