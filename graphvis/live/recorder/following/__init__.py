"""Python values that left PyTorch and may come back, followed through the source of the program."""

from graphvis.live.recorder.following.codes import expression_at
from graphvis.live.recorder.following.constructing import constructed_in
from graphvis.live.recorder.following.files import forget_oldest
from graphvis.live.recorder.following.holding import values_in
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.returns import Returns
from graphvis.live.recorder.following.source import COMPREHENSIONS, operand_of

__all__ = [
    "COMPREHENSIONS",
    "Program",
    "Returns",
    "constructed_in",
    "expression_at",
    "forget_oldest",
    "operand_of",
    "values_in",
]
