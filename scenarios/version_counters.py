"""The version counter counts writes, whoever makes them; .data counts for itself

`out` and `c = out.detach()` share one counter, and out's own node remembers the version that it
saved. Any in-place write through either raises it, even one that changes no value. A backward that
raises no error has therefore used exactly what forward saved: the gradient is right.

The hole in that promise is .data: `d` shares the storage and has a counter of its own.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 15


def program():
    a = torch.tensor(0.0, requires_grad=True)
    out = a.exp()
    c = out.detach()
    d = c.data
    yield before(out, expect(grads={"a": 1}, versions={"out": 0, "c": 0, "d": 0}))
    c.mul_(1)
    yield after(
        out,
        expect(
            error="which is output 0 of Exp, is at version 1; expected version 0",
            versions={"out": 1, "c": 1, "d": 0},
            values={"out": 1, "c": 1, "d": 1},
        ),
        note="a write that changes nothing",
    )
