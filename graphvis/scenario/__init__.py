"""What a scenario is: a small PyTorch program that yields at the moments worth a picture.

Two shapes. A generator, whose locals at each yield become the labels::

    from graphvis.scenario import after, before, expect

    def program():
        a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        out = a.sigmoid()
        c = out.detach()
        yield before(out.sum(), expect(grads={"a": [0.1966, 0.1050, 0.0452]}))
        c.zero_()
        yield after(out.sum(), expect(error="modified by an inplace operation"))

or ``program(cut)``, run once with False and once with True, which yields once a run. Nothing here
imports torch: scenarios are found and told by reading their source.
"""

from graphvis.scenario.catalogue import Scenario, blame, find, find_scenarios, load
from graphvis.scenario.halves import Halves, halves_of, plain_source
from graphvis.scenario.marker import Expectation, Yield, after, before, expect

__all__ = [
    "Expectation", "Halves", "Scenario", "Yield", "after", "before", "blame", "expect", "find", "find_scenarios",
    "halves_of", "load", "plain_source",
]  # fmt: skip
