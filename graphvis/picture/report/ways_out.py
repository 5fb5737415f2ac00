"""What can be done about a cut: only what follows from its kind, for the record knows no more."""

from __future__ import annotations

from graphvis.model import Cut

SAYS = {
    "detach": "detach: the value goes on, its gradient stops here",
    "detach_": "detach_: from here on the tensor has no history, in place",
    "data": ".data: the value goes on, its gradient stops here",
    "no_grad": "grad mode is off: the result has no history",
    "inference_mode": "inference mode: the result can never have a history",
    "item": "a Python number: the value goes on, its gradient stops here",
    "numpy": "NumPy knows no gradient: it stops here",
    "copy": "a copy of the value alone, without its history",
    "rewrap": "a new leaf: what it was made of gets no gradient",
    "non_differentiable": "has no derivative: the gradient stops here",
    "function": "the Function gives no gradient for what it read",
    "checkpoint": "reentrant checkpoint: no input requires grad, so nothing inside gets one",
    "grad": "a gradient used as a value: a constant without create_graph",
}

_KEEP = {
    "detach": "drop the detach()",
    "detach_": "drop the detach_()",
    "data": "use the tensor itself instead of its .data",
    "no_grad": "run this line with grad mode on",
    "inference_mode": "run this line outside inference_mode",
    "item": "keep the tensor and call item() or float() only on what is logged",
    "numpy": "compute it with torch instead of NumPy",
    "copy": "use the tensor itself, t.clone(), or torch.stack for a list of tensors",
    "rewrap": "use the computed tensor itself instead of making a new leaf of it",
    "non_differentiable": "use a smooth stand-in (softmax for an argmax, sigmoid for a comparison) or a "
    "straight-through estimator, x + (q - x).detach()",
    "function": "give the tensor to apply() as an argument and return its gradient from backward()",
    "checkpoint": "call checkpoint with use_reentrant=False",
    "grad": "pass create_graph=True",
}

NEUTRALISABLE = frozenset({"detach", "detach_", "data", "no_grad", "inference_mode", "copy"})
"""The kinds that ``without_cuts`` can take out."""


def ways_out(cuts: list[Cut], many: bool) -> str:
    """One sentence for the person who wants these parameters to learn, and one for the one who does not."""
    they = "these parameters" if many else "this parameter"
    steps: list[str] = []
    for cut in cuts:
        step = _KEEP[cut.kind]
        if step not in steps:
            steps.append(step)
    keep = "; and ".join(steps)
    return f"if {they} should learn, {keep}; if not, requires_grad_(False) says so, and graphvis counts them as frozen"
