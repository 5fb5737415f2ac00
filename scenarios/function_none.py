"""A custom Function whose backward returns None cuts without a trace in the graph

The two graphs are alike, edge for edge: the node is there and leads to a. But its backward hands on
None, which means "no gradient for this input". Only running backward shows it.
"""

import torch

from graphvis.scenario import after, before, expect

ORDER = 32


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


class Forgetful(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2

    @staticmethod
    def backward(ctx, grad):
        return None


def program(cut):
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (Forgetful if cut else Double).apply(a)
    if cut:
        yield after(
            y.sum(),
            expect(grads={"a": None}, states={"y": {"requires_grad": True}}),
            code="def backward(ctx, grad):\n    return None",
        )
    else:
        yield before(y.sum(), expect(grads={"a": [2, 2, 2]}), code="def backward(ctx, grad):\n    return grad * 2")
