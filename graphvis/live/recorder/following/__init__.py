"""Python values that left PyTorch and may come back, followed through the source of the program."""

from graphvis.live.recorder.following.holding import values_in
from graphvis.live.recorder.following.returns import Returns
from graphvis.live.recorder.following.source import COMPREHENSIONS, expression_at, operand_of

__all__ = ["COMPREHENSIONS", "Returns", "expression_at", "operand_of", "values_in"]
