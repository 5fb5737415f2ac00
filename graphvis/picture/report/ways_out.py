"""What can be done about a cut: only what follows from its kind, for the record knows no more."""

from __future__ import annotations

from graphvis.model import Cut
from graphvis.picture.report import spans

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
    "no_grad": "compute this with grad mode on",
    "inference_mode": "compute this outside of inference mode",
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


_OFF = {
    "set_grad_enabled": "turn grad mode on again before it is computed",
    "no_grad": "compute it outside of the no_grad",
    "inference_mode": "compute it outside of the inference_mode",
}
_CALLED = "call it so that grad mode stays on: a decorator turns it off there, or what is called does"
_NUMPY = ("numpy", "asarray", "tolist", "item")


def _step(cut: Cut) -> str:
    """What to do about one cut, by its kind and by what its line says."""
    text = cut.location.text
    if cut.since is not None:
        return next((way for word, way in _OFF.items() if word in cut.since.text), _CALLED)
    if cut.kind in ("detach", "data", "copy") and spans.calls(text, "state_dict"):
        return "read the parameters themselves (named_parameters()), or state_dict(keep_vars=True)"
    if cut.kind in ("detach", "data") and any(spans.calls(text, name) for name in _NUMPY[:2]):
        return _KEEP["numpy"]  # without the detach() it would raise
    if cut.kind in ("detach", "data") and any(spans.calls(text, name) for name in _NUMPY[2:]):
        return _KEEP["item"]
    return _KEEP[cut.kind]


def ways_out(cuts: list[Cut], many: bool) -> str:
    """One sentence for the person who wants these parameters to learn, and one for the one who does not."""
    they, them = ("these parameters", "them") if many else ("this parameter", "it")
    keep = "; and ".join(dict.fromkeys(_step(cut) for cut in cuts))
    return (
        f"if {they} should learn, {keep}; if not, requires_grad_(False) says so, and graphvis counts {them} as frozen"
    )
