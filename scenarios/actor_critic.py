"""To the actor the advantage is a number: detach() keeps its loss out of the critic

The advantage says how much better the action was than the critic `v` had thought. In the actor's loss
it only scales the gradient of the policy `p`. Without the cut v is pulled too, and not towards the
truth, but towards whatever makes the actor's loss small.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 26


def program(cut):
    logp = torch.tensor(-1.0, requires_grad=True)
    v = torch.tensor(2.0, requires_grad=True)
    adv = 5.0 - v
    loss = -(logp * (adv.detach() if cut else adv))
    if cut:
        yield after(
            loss,
            expect(grads={"logp": -3, "v": None}),
            intended=True,
            says="The actor learns as before; the critic is left alone.",
        )
    else:
        yield before(loss, expect(grads={"logp": -3, "v": -1}), says="The actor's loss pulls at the critic.")
