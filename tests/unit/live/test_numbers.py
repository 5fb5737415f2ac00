"""Values as PyTorch prints them."""

import math
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphvis.live.numbers import format_value


def printed(tensor: torch.Tensor) -> str:
    """What repr shows between ``tensor(`` and the first suffix, its line breaks made spaces."""
    with torch._tensor_str.printoptions(linewidth=10_000):  # then only the rows of a matrix begin new lines
        text = repr(tensor).replace("\n" + " " * len("tensor(["), " ").removeprefix("tensor(").removesuffix(")")
    return re.sub(r", (dtype|size)=.*", "", text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([0.73105, 0.8808, 0.95257], "[0.7311, 0.8808, 0.9526]"),
        ([1.0, 2.0, 3.0], "[1., 2., 3.]"),
        (2.0, "2."),
        ([True, False], "[ True, False]"),
        ([1, -20], "[  1, -20]"),
        ([[1, 2], [3, 4]], "[[1, 2], [3, 4]]"),
        ([1e-6, 1.0], "[1.0000e-06, 1.0000e+00]"),
        ([math.nan, 1.5, -math.inf], "[   nan, 1.5000,   -inf]"),
        ([], "[]"),
        ([1 + 2j], "[1.+2.j]"),
    ],
)
def test_spelling(value: Any, text: str) -> None:
    assert format_value(torch.tensor(value)) == text


def test_what_is_too_large_has_no_value() -> None:
    assert format_value(torch.ones(9)) is None
    assert format_value(torch.ones(1, 1, 1)) is None


def test_what_print_options_say_does_not_matter() -> None:
    torch.set_printoptions(precision=2)
    try:
        assert format_value(torch.tensor([0.12345])) == "[0.1235]"
    finally:
        torch.set_printoptions(profile="default")


FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e5m2, torch.float8_e4m3fn)
INTEGERS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
SHAPES = [(), (0,), (1,), (3,), (8,), (2, 2), (2, 4), (4, 2), (1, 8), (0, 3), (2, 0)]


@st.composite
def small_tensors(draw: st.DrawFn) -> torch.Tensor:
    shape = draw(st.sampled_from(SHAPES))
    count = math.prod(shape)
    dtype = draw(st.sampled_from([*FLOATS, *INTEGERS, torch.complex64, torch.complex128]))
    near = st.one_of(
        st.floats(-10, 10), st.integers(-2000, 2000).map(float), st.floats(), st.sampled_from([0.0, -0.0, 1e-5, 1e9])
    )
    if dtype.is_complex:
        numbers: list[Any] = draw(st.lists(st.builds(complex, near, near), min_size=count, max_size=count))
    elif dtype.is_floating_point:
        numbers = draw(st.lists(near, min_size=count, max_size=count))
    else:
        small = dtype in (torch.bool, torch.uint8, torch.int8)
        bound = 100 if small else 10_000
        numbers = draw(st.lists(st.integers(0 if small else -bound, bound), min_size=count, max_size=count))
    made = torch.tensor(numbers, dtype=torch.complex128 if dtype.is_complex else None).to(dtype)
    return made.reshape(shape)


@given(small_tensors())
def test_equals_what_pytorch_prints(tensor: torch.Tensor) -> None:
    assert format_value(tensor) == printed(tensor)
