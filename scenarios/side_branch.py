"""A branch on a detached trunk trains itself and leaves the trunk to the main head

`v` belongs to a side branch, a probe or an auxiliary loss. Without the cut its gradient, 5, reaches
the trunk and is added to that of the main head, 3. With h.detach() the trunk hears the main head
alone, and v learns the same.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 12


def program(cut):
    x = torch.tensor(2.0)
    w = torch.tensor(1.0, requires_grad=True)
    v = torch.tensor(5.0, requires_grad=True)
    h = x * w
    main = h * 3
    side = (h.detach() if cut else h) * v
    loss = main + side
    if cut:
        yield after(
            loss, expect(grads={"w": 6, "v": 2}), intended=True, says="w hears the main head alone; v learns as before."
        )
    else:
        yield before(loss, expect(grads={"w": 16, "v": 2}), says="Both heads pull at w: 6 + 10.")
