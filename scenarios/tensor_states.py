"""Of six ways to take a tensor further only clone() keeps the gradient

All six hold the same value. detach() and .data give a leaf without grad_fn on out's own storage; they differ
in the version counter, which only detach() shares. clone() keeps the gradient. The results of no_grad and
inference_mode have no way back either, on a storage of their own; an inference tensor has no version
counter at all. detach_() gives nothing new: it makes m itself what detach() returns.
"""

import torch

from graphvis.scenario import after, expect

ORDER = 13.5
CUT = {"is_leaf": True, "grad_fn": None, "requires_grad": False}


def program():
    a = torch.tensor(0.0, requires_grad=True)
    out = a.exp()
    m = a.exp()
    m.detach_()
    c = out.detach()
    d = out.data
    k = out.clone()
    with torch.no_grad():
        n = out * 1
    with torch.inference_mode():
        i = out * 1
    yield after(
        k,
        expect(
            grads={"a": 1},
            states={
                "out": {"is_leaf": False, "grad_fn": "ExpBackward0", "requires_grad": True},
                "k": {"is_leaf": False, "grad_fn": "CloneBackward0", "requires_grad": True},
                **dict.fromkeys("mcdni", CUT),
            },
            versions={"out": 0, "m": 0, "c": 0, "d": 0, "k": 0, "n": 0, "i": None},
        ),
        code="",
        says="Of the six only k, the clone, leads back to a.",
    )
