"""inference_mode() records nothing, and its tensors have no version counter

The stricter heir of `volatile`: as under no_grad there is no node, and besides h is an inference
tensor. It has no version counter, so no later backward may save it: `h * b` would raise "Inference
tensors cannot be saved for backward". The sum `h + b` saves nothing, and works.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 14.5


def program(cut):
    w = torch.tensor(3.0, requires_grad=True)
    b = torch.tensor(5.0, requires_grad=True)
    if cut:
        with torch.inference_mode():
            h = w * 2
    else:
        h = w * 2
    loss = h + b
    if cut:
        yield after(
            loss,
            expect(
                grads={"w": None, "b": 1},
                states={"h": {"is_leaf": True, "grad_fn": None, "requires_grad": False}},
                versions={"h": None},
            ),
            says="No error: b gets its gradient, w gets none.",
        )
    else:
        yield before(loss, expect(grads={"w": 2, "b": 1}, versions={"h": 0}))
