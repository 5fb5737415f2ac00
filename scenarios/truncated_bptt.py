"""Truncated BPTT: h.detach() between the chunks lets the past go

The value of h1 goes on into the next chunk, its graph does not: backward ends at the seam, and what the
first chunk had saved can be freed. The price: w no longer hears of its part in making h1.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 25


def program(cut):
    w = torch.tensor(0.5, requires_grad=True)
    h0 = torch.tensor(4.0)
    h1 = h0 * w
    h2 = (h1.detach() if cut else h1) * w
    if cut:
        yield after(h2, expect(grads={"w": 2}), says="The last chunk alone: 2.")
    else:
        yield before(h2, expect(grads={"w": 4}), says="Both chunks: 2 + 2.")
