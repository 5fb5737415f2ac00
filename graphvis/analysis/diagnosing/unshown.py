"""What nodes need for backward and do not show: of writes into views (CopySlices), foreach calls and checkpoints."""

from __future__ import annotations

from graphvis.analysis.cutting import short
from graphvis.model import Call, Trace

# Operations whose derivative is taken from the result.
_KEEP_RESULT = frozenset(
    ["exp", "expm1", "exp2", "sigmoid", "tanh", "sqrt", "rsqrt", "reciprocal", "relu", "leaky_relu", "elu", "selu",
     "celu", "threshold", "rrelu", "hardsigmoid", "softmax", "log_softmax"]
)  # fmt: skip
_KEEP_OTHERS = frozenset(["mul", "div", "true_divide", "addcmul", "addcdiv", "lerp", "masked_fill", "where", "pow"])
_KEEP_INPUTS = frozenset(["mul", "div", "pow", "sin", "cos", "log", "abs", "addcmul", "addcdiv", "tan", "erf", "log2"])


def kept_unshown(node: str, call: Call) -> tuple[str, tuple[int, ...]]:
    """What a node that shows nothing keeps: by which name, and which tensors of its call.

    Args:
        node: the node's name.
        call: the call that made it.
    """
    if not (node == "CopySlices" or "oreach" in node):
        return "", ()
    function = short(call).removeprefix("_foreach_").rstrip("_")
    if function in _KEEP_RESULT:
        return "result", call.outputs
    if node == "CopySlices":
        kept = call.inputs if function in _KEEP_OTHERS else ()
        return "self", tuple(number for number in kept if number not in call.outputs)
    return "self", call.inputs if function in _KEEP_INPUTS else ()


def read_again(trace: Trace, apply: int) -> dict[int, int]:
    """The tensors that a reentrant checkpoint reads and was not given, each with the call that first reads it.

    What a call of it updates itself, as BatchNorm its statistics, is none: the result does not depend on it.

    Args:
        trace: the run.
        apply: the call of the checkpoint's Function; what it ran lies right before.
    """
    first = apply
    while first > 0 and trace.calls[first - 1].inner:
        first -= 1
    given = {trace.tensors[number].storage for number in trace.calls[apply].inputs}
    made: set[int] = set()
    found: dict[int, int] = {}
    for index in range(first, apply):
        call = trace.calls[index]
        written = {trace.tensors[write.tensor].storage for write in call.writes}
        for number in call.inputs:
            if number not in made and trace.tensors[number].storage not in given | written:
                found.setdefault(number, index)
        made.update(call.outputs)
    return found
