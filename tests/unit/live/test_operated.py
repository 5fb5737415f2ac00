"""Numbers that an operator hands to an object, which keeps them."""

from __future__ import annotations

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
