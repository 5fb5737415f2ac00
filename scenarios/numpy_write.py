"""NumPy writes past the version counter: the gradient is silently wrong

`out.detach().numpy()` is a window on out's memory. NumPy knows nothing of counters: out shows zeros,
`_version` stays 0, the check passes, and backward computes with what it finds.

The same as data_zero, without the word .data to search for.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 5.5


def program():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    c = out.detach().numpy()
    yield before(out.sum(), expect(grads={"a": [0.1966, 0.1050, 0.0452]}, versions={"out": 0}))
    c[:] = 0
    yield after(
        out.sum(),
        expect(grads={"a": [0, 0, 0]}, versions={"out": 0}, values={"out": [0, 0, 0]}),
        note="a write that PyTorch never sees",
        says="NumPy raised no counter, so the version check passed: 0 saved, 0 now.",
    )
