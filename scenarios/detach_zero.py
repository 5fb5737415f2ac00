"""detach() shares storage and the version counter: writing to c stops backward()

Sigmoid saved its result for backward, and `c` looks at that very memory. Zeroing `c` zeroes `out`,
and the counter that both share goes from 0 to 1. At backward the saved version, 0, no longer fits.

The error is a service: without it the gradient would be wrong. See data_zero for that.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 4


def program():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    c = out.detach()
    yield before(
        out.sum(),
        expect(grads={"a": [0.1966, 0.1050, 0.0452]}, versions={"out": 0, "c": 0}),
        says="c is cut off; out keeps its way back to a.",
    )
    c.zero_()
    yield after(
        out.sum(),
        expect(
            error="modified by an inplace operation: [torch.FloatTensor [3]], which is output 0 of Sigmoid, "
            "is at version 1; expected version 0",
            versions={"out": 1, "c": 1},
            values={"out": [0, 0, 0], "c": [0, 0, 0]},
        ),
        note="an in-place write through c",
    )
