"""Numbers that an operator hands to an object, which keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor, nn

from tests.causes.asking import ask
from tests.causes.case import Step, weights


def _norm(m: nn.Module) -> float:
    return (m.w * 2).norm().item() + 1


class _Added:
    added = 1.0

    def __iadd__(self, number: float) -> _Added:
        self.added = number
        return self

    def scale(self, values: Tensor) -> Tensor:
        number = self.added
        return (values * number).sum()


class _Shifted:
    shifted = 1.0

    def __lshift__(self, number: float) -> None:
        self.shifted = number

    def scale(self, values: Tensor) -> Tensor:
        number = self.shifted
        return (values * number).sum()


class _Asked:
    asked = 1.0

    def __contains__(self, number: float) -> bool:
        self.asked = number
        return True

    def __getitem__(self, number: float) -> int:
        self.asked = number
        return 1

    def scale(self, values: Tensor) -> Tensor:
        number = self.asked
        return (values * number).sum()


def added_to_an_object_that_keeps_it(m: nn.Module) -> Tensor:
    added = _Added()
    added += _norm(m)
    return added.scale(m.v)


def shifted_into_an_object_that_keeps_it(m: nn.Module) -> Tensor:
    shifted = _Shifted()
    shifted << _norm(m)
    return shifted.scale(m.v)


def looked_for_in_an_object_that_keeps_it(m: nn.Module) -> Tensor:
    asked = _Asked()
    assert _norm(m) in asked
    return asked.scale(m.v)


def an_index_that_the_object_keeps(m: nn.Module) -> Tensor:
    asked = _Asked()
    asked[_norm(m)]
    return asked.scale(m.v)


@pytest.mark.parametrize(
    "step",
    [
        added_to_an_object_that_keeps_it,
        shifted_into_an_object_that_keeps_it,
        looked_for_in_an_object_that_keeps_it,
        an_index_that_the_object_keeps,
    ],
)
def test_what_an_operator_hands_to_an_object_is_followed(step: Step) -> None:
    diagnosis = ask(step, weights("w", "v"))
    verdict = diagnosis.verdicts["w"]
    assert (verdict.status, verdict.certain) == ("unreached", False)


class _Held:
    def __init__(self) -> None:
        self.size = 1.0


class _Sized:
    def __init__(self) -> None:
        self.size = 2.0

    def scale(self, values: Tensor) -> Tensor:
        size = self.size
        return (values * size).sum()


class _Holder:
    def __init__(self) -> None:
        self.inner: Any = _Held()

    def scale(self, m: nn.Module) -> Tensor:
        self.inner.size = _norm(m)
        return self.inner.scale(m.v)


def an_attribute_that_is_set_by_its_name(m: nn.Module) -> Tensor:
    holder = _Holder()
    setattr(holder, "inner", _Sized())  # noqa: B010
    return holder.scale(m)


def test_what_an_attribute_is_is_not_known_where_it_is_set_by_its_name() -> None:
    verdict = ask(an_attribute_that_is_set_by_its_name, weights("w", "v")).verdicts["w"]
    assert (verdict.status, verdict.certain) != ("unused", True)
