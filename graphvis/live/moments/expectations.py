"""Whether what a scenario expects is what PyTorch gives: a picture that is not true is not drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from graphvis.errors import ScenarioError
from graphvis.live.moments.backward import Answer
from graphvis.scenario import Expectation

_DIGITS = 4  # after the point, as PyTorch prints
_HALF_A_DIGIT = 0.5 * 10**-_DIGITS + 1e-9


def check(expected: Expectation, answer: Answer, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Compare what is expected with what is, to 4 digits after the point.

    Args:
        expected: what the scenario says.
        answer: what backward gave.
        tensors: the program's tensors by name.
        where: the scenario and its half, for the message.

    Raises:
        ScenarioError: if anything differs; it says all that does.
    """
    wrong = [
        *_errors(expected, answer),
        *_grads(expected, answer),
        *_states(expected, tensors),
        *_values(expected, tensors),
    ]
    if wrong:
        raise ScenarioError(
            f"{where}: not what PyTorch {torch.__version__} gives: {'; '.join(wrong)}",
            "Correct the expect(...) or the program.",
        )


def _errors(expected: Expectation, answer: Answer) -> Iterator[str]:
    if answer.error is None and expected.error is not None:
        yield f"backward succeeds, expected an error with {expected.error!r}"
    elif answer.error is not None and expected.error is None:
        yield f"backward raises {type(answer.error).__name__}: {answer.error}"
    elif answer.error is not None and expected.error is not None and expected.error not in str(answer.error):
        yield f"backward raises {str(answer.error)!r}, expected {expected.error!r} in it"


def _grads(expected: Expectation, answer: Answer) -> Iterator[str]:
    if answer.error is not None:
        return
    for name, numbers in expected.grads.items():
        if name not in answer.grads:
            yield f"{name} is not a leaf that requires grad; there are {', '.join(answer.grads) or 'none'}"
        elif difference := _differ(answer.grads[name], numbers):
            yield f"{name}.grad is {difference}"


def _values(expected: Expectation, tensors: Mapping[str, torch.Tensor]) -> Iterator[str]:
    for name, numbers in expected.values.items():
        if name not in tensors:
            yield f"no tensor is named {name}"
        elif difference := _differ(tensors[name].detach(), numbers):
            yield f"{name} is {difference}"


def _states(expected: Expectation, tensors: Mapping[str, torch.Tensor]) -> Iterator[str]:
    wanted: dict[str, dict[str, Any]] = {name: dict(fields) for name, fields in expected.states.items()}
    for name, version in expected.versions.items():
        wanted.setdefault(name, {})["_version"] = version
    for name, fields in wanted.items():
        if name not in tensors:
            yield f"no tensor is named {name}"
            continue
        for field, value in fields.items():
            is_now = _state(tensors[name], field)
            if is_now != value:
                yield f"{name}.{field} is {is_now!r}, expected {value!r}"


def _state(tensor: torch.Tensor, field: str) -> Any:
    if field == "_version" and tensor.is_inference():
        return None  # PyTorch raises: an inference tensor counts nothing
    value = getattr(tensor, field)
    return value.name() if field == "grad_fn" and value is not None else value


def _differ(found: torch.Tensor | None, numbers: Any) -> str:
    """Empty where they agree, else what was found and what was expected."""
    if found is None or numbers is None:
        return "" if found is None and numbers is None else f"{_shown(found)}, expected {numbers}"
    wanted = torch.as_tensor(numbers, dtype=torch.float64)
    there = found.to(torch.float64)
    same = wanted.shape == there.shape and torch.allclose(there, wanted, rtol=0.0, atol=_HALF_A_DIGIT, equal_nan=True)
    if same:
        return ""
    close = wanted.shape == there.shape and torch.allclose(there, wanted, rtol=0.0, atol=0.05, equal_nan=True)
    return f"{_shown(found)}, expected {numbers}{f' (to {_DIGITS} digits after the point)' if close else ''}"


def _shown(found: torch.Tensor | None) -> str:
    if found is None:
        return "None"
    return str(found.tolist() if not found.is_floating_point() else _rounded(found.tolist()))


def _rounded(numbers: Any) -> Any:
    return [_rounded(number) for number in numbers] if isinstance(numbers, list) else round(numbers, _DIGITS)
