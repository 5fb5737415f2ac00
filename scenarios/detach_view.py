"""detach_() on a view is refused: the view would still write into its base

`v = m[:2]` is a window on m. Were v to forget its history, an in-place write to v would change m
behind autograd's back. PyTorch refuses; `v.detach()` gives a second tensor instead.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 16


def program():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    m = x * 2
    v = m[:2]
    yield before(v.sum(), expect(grads={"x": [2, 2, 0]}))
    try:
        v.detach_()
    except RuntimeError as error:
        message = str(error)
    yield after(
        v.sum(),
        expect(grads={"x": [2, 2, 0]}, states={"v": {"is_leaf": False, "requires_grad": True}}),
        code="v.detach_()",
        note="raises at once",
        says=f"v.detach_() raised, and nothing changed: {message.partition('. ')[0]}.",
    )
