"""A detached tensor that requires grad again is a new leaf with a .grad of its own

Old tutorials say that it still gets no gradient. Today it does: `c` begins a graph of its own, and
backward fills `c.grad`. What stays true is that nothing crosses the cut: `a` gets none.

This is how two parts of a network are trained with a seam between them: c.grad is what the first
part would have to be given.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 10


def program(cut):
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    c = out.detach()
    if cut:
        c.requires_grad_()
    if cut:
        yield after(
            (c * c).sum(),
            expect(
                grads={"a": None, "c": [1.4621, 1.7616, 1.9051]},
                states={"c": {"is_leaf": True, "grad_fn": None, "requires_grad": True}},
            ),
            intended=True,
            says="c has a gradient of its own; none goes on to a.",
        )
    else:
        yield before((c * c).sum(), expect(error="element 0 of tensors does not require grad"))
