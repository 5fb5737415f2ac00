"""The words of the picture, in PyTorch's spelling."""

from __future__ import annotations

from pathlib import PurePath

from graphvis.model import Cut, Fold, Location, Moment, Saved

_CUT_WORDS = {
    "detach": "detach()",
    "detach_": "detach_()",
    "data": ".data",
    "no_grad": "no_grad()",
    "inference_mode": "inference_mode()",
    "item": ".item()",
    "numpy": ".numpy()",
    "copy": "torch.tensor()",
    "rewrap": "nn.Parameter()",
    "checkpoint": "checkpoint()",
    "grad": ".grad",
}


def cut_label(cut: Cut, called: str = "", scenario: str = "") -> tuple[str, ...]:
    """What stands beside the scissors: the call, and the line it is on.

    Args:
        cut: the cut.
        called: the name of the function that was called, for kinds that have many.
        scenario: a file of this name is the one that the reader has before them: its lines need no file name.
    """
    word = _CUT_WORDS.get(cut.kind) or f"{called or cut.kind}()"
    if not cut.location.line:
        return (word,)
    own = PurePath(cut.location.file).stem == scenario
    return word, f"line {cut.location.line}" if own else cut.location.short


def source_line(location: Location | None) -> str:
    """A tooltip: the source text and where it stands."""
    if location is None:
        return ""
    return f"{location.text}  ({location.short})" if location.text else location.short


def shape_words(shape: tuple[int, ...]) -> str:
    """``[2, 3]``; ``[]`` for a scalar, as PyTorch prints a size."""
    return f"[{', '.join(map(str, shape))}]"


def fold_words(fold: Fold) -> str:
    """What a folded box holds: ``5 blocks, 60 parameters``."""
    told = []
    if fold.times > 1:
        told.append(f"{fold.times} blocks" if fold.kind == "blocks" else f"{fold.times} times")
    if fold.parameters:
        noun = "parameter" if fold.parameters == 1 else "parameters"
        lost = fold.lost and (": no gradient" if fold.lost == fold.parameters else f", {fold.lost} without gradient")
        told.append(f"{fold.parameters} {noun}{lost or ''}")
    elif fold.functions > fold.times:
        told.append(f"{fold.functions} functions")
    return ", ".join(told)


def some_of(names: tuple[str, ...], most: int = 12) -> str:
    """Names with commas; of many the first and the last."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, …, {names[-1]} ({len(names):,} in all)"


def error_words(moment: Moment) -> str:
    """PyTorch's error verbatim, without the hint that follows it."""
    outcome = moment.outcome
    if outcome is None or outcome.error is None:
        return ""
    return f"{outcome.error_type}: {outcome.error.split(' Hint:')[0].strip()}"


def saved_words(saved: Saved, name: str) -> str:
    """What a node says of a saved tensor that it can no longer use.

    Args:
        saved: what it saved.
        name: the tensor's name; empty without one.
    """
    if saved.state == "detached":
        return f"saved {name or 'it'} before detach_()"
    if saved.saved_version is None or saved.version is None:
        return "saved, then overwritten"
    if saved.saved_version == saved.version:
        return f"overwritten, still version {saved.version}"
    return f"saved version {saved.saved_version}, {name or 'now'} is at {saved.version}"
