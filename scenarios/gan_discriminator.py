"""The discriminator's loss must not reach the generator: fake.detach()

`g` makes the fake, `d` judges it. Without the cut the discriminator's loss gives g a gradient too,
and g would be trained to help its opponent. d's own gradient is the same either way.

In the generator's step the same fake is used without detach().
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 21


def program(cut):
    noise = torch.tensor(2.0)
    g = torch.tensor(3.0, requires_grad=True)
    d = torch.tensor(0.5, requires_grad=True)
    fake = noise * g
    score = (fake.detach() if cut else fake) * d
    if cut:
        yield after(
            score, expect(grads={"g": None, "d": 6}), intended=True, says="d learns as before; g is left alone."
        )
    else:
        yield before(score, expect(grads={"g": 1, "d": 6}), says="g gets a gradient from its opponent's loss.")
