""".data shares storage but not the version counter: the gradient is silently wrong

`c` looks at the memory that sigmoid saved, but counts for itself: the write raises `c._version`
and leaves `out._version` at 0. The check passes, and backward computes with zeros.

Nothing says so. Use detach() wherever .data was meant: it raises where this lies.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 5


def program():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    c = out.data
    yield before(
        out.sum(),
        expect(grads={"a": [0.1966, 0.1050, 0.0452]}, versions={"out": 0, "c": 0}),
        says="c is cut off; out keeps its way back to a.",
    )
    c.zero_()
    yield after(
        out.sum(),
        expect(grads={"a": [0, 0, 0]}, versions={"out": 0, "c": 1}, values={"out": [0, 0, 0], "c": [0, 0, 0]}),
        note="an in-place write through c",
        says="The write raised c's version, not out's, so the version check passed: 0 saved, 0 now.",
    )
