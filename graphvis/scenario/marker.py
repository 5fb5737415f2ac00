"""What a scenario's program yields: a moment worth a picture, and what must be true of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from graphvis.errors import ScenarioError

Side = Literal["before", "after"]
Numbers = float | Sequence[Any]
"""A number, or numbers nested as the tensor's shape has it."""


@dataclass(frozen=True)
class Expectation:
    """What must be true at a moment, checked at every render to 4 digits.

    Attributes:
        grads: the gradient of each leaf by name; None for a leaf that gets none.
        error: a part of the message with which backward raises; None where it must not.
        versions: ``_version`` of tensors by name.
        states: attributes of tensors by name, e.g. ``{"m": {"is_leaf": True, "grad_fn": None}}``;
            ``grad_fn`` is given as the node's name.
        values: the numbers in tensors by name.
    """

    grads: Mapping[str, Numbers | None] = field(default_factory=dict)
    error: str | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    values: Mapping[str, Numbers] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Yield:
    """A moment worth a picture.

    Attributes:
        side: which half it is.
        outputs: what backward would start from: a tensor, or tensors in a tuple, list or dict.
        expectation: what must be true there; None where nothing is claimed.
        code: the code shown for the half; None to derive it from the source.
        note: one line about that code.
        says: a sentence under the outcome; empty to let the outcome speak.
        start: how backward is started, in the reader's words; None to derive it.
        intended: whether a gradient that does not come is what the program is for (a frozen
            trunk, a target network): the picture then does not call it broken.
    """

    side: Side
    outputs: Any
    expectation: Expectation | None = None
    code: str | None = None
    note: str = ""
    says: str = ""
    start: str | None = None
    intended: bool = False


def before(
    outputs: Any,
    expect: Expectation | None = None,
    *,
    code: str | None = None,
    note: str = "",
    says: str = "",
    start: str | None = None,
    intended: bool = False,
) -> Yield:
    """Mark the moment before the cut; arguments as in :class:`Yield`."""
    return Yield("before", outputs, expect, code, note, says, start, intended)


def after(
    outputs: Any,
    expect: Expectation | None = None,
    *,
    code: str | None = None,
    note: str = "",
    says: str = "",
    start: str | None = None,
    intended: bool = False,
) -> Yield:
    """Mark the moment after the cut; arguments as in :class:`Yield`."""
    return Yield("after", outputs, expect, code, note, says, start, intended)


def expect(
    *,
    grads: Mapping[str, Numbers | None] | None = None,
    error: str | None = None,
    versions: Mapping[str, int] | None = None,
    states: Mapping[str, Mapping[str, Any]] | None = None,
    values: Mapping[str, Numbers] | None = None,
) -> Expectation:
    """State what must be true at a moment; arguments as in :class:`Expectation`.

    Raises:
        ScenarioError: if both a gradient and an error are expected: a backward that raises gives none.
    """
    if error is not None and grads:
        raise ScenarioError(
            "expect() was given both grads and error",
            "A backward that raises gives no gradient: expect one of the two.",
        )
    return Expectation(grads or {}, error, versions or {}, states or {}, values or {})
