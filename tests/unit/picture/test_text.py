"""Widths, wrapping and shortening of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportlab.pdfbase.pdfmetrics import stringWidth

from graphvis.picture.measure import Font, clean, shorten, width, wrap
from graphvis.picture.measure.text import ELLIPSIS, shorten_numbers

SANS, BOLD, MONO = Font(11), Font(11, bold=True), Font(11, mono=True)


@pytest.mark.parametrize(("font", "name"), [(SANS, "Helvetica"), (BOLD, "Helvetica-Bold")])
def test_latin_is_as_wide_as_helvetica(font: Font, name: str) -> None:
    text = "Saved version 0, out is at 1 (é, ß, …)"
    assert width(text, font) == pytest.approx(stringWidth(text, name, 11))


def test_mono_leaves_room_for_the_widest_of_its_substitutes() -> None:
    assert 0.6 * 11 * 5 < width("aiwMé", MONO) < 0.63 * 11 * 5
    assert width("→", MONO) == width("a", MONO)


def test_wide_characters_take_one_em_and_marks_none() -> None:
    assert width("张量", MONO) == 22
    assert width("e\u0301", SANS) == width("e", SANS)


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31m\x00", "\\x1b[31m\\x00"),
        ("abc\u202edef", "abc\\u202edef"),
        ("\ud800", "\\ud800"),
        ("\uffff\u2028", "\\uffff\\u2028"),
        ("שלום 🔥\u200d", "שלום 🔥\u200d"),
    ],
)
def test_what_cannot_be_drawn_is_shown_as_an_escape(found: str, shown: str) -> None:
    assert clean(found) == shown


def test_a_tooltip_may_keep_its_lines() -> None:
    assert clean("a\nb\x00", keep="\n") == "a\nb\\x00"


def test_shortening_keeps_both_ends() -> None:
    name = "encoder.blocks.11.attention.query.weight"
    short = shorten(name, 120, MONO)
    assert short.startswith("encoder.")
    assert short.endswith("weight")
    assert ELLIPSIS in short
    assert width(short, MONO) <= 120
    assert shorten(name, 1000, MONO) == name


@given(st.text(max_size=60), st.floats(30, 400))
def test_a_shortened_text_fits(text: str, room: float) -> None:
    assert width(shorten(clean(text), room, MONO), MONO) <= room


@given(st.text(max_size=200), st.floats(30, 400))
def test_wrapped_lines_fit_and_lose_nothing(text: str, room: float) -> None:
    lines = wrap(text, room, SANS)
    assert all(width(line, SANS) <= room for line in lines)
    whole = "".join(clean(part) for part in text.split("\n"))
    assert "".join(lines).replace(" ", "") == whole.replace(" ", "")


def test_wrapping_to_few_lines_says_that_there_is_more() -> None:
    lines = wrap("one two three four five six", 50, SANS, most=2)
    assert len(lines) == 2
    assert lines[-1].endswith(ELLIPSIS)


def test_a_tensor_is_shortened_between_its_numbers() -> None:
    value = "[[1.0000, 2.7183], [0.0000, 0.0000]]"
    assert shorten_numbers(value, 1000, MONO) == value
    assert shorten_numbers(value, width(value, MONO) - 1, MONO) == "[[1.0000, 2.7183], …, 0.0000]]"
    assert shorten_numbers(value, width("[[1.0000, …, 0.0000]]", MONO), MONO) == "[[1.0000, …, 0.0000]]"


@given(st.lists(st.floats(width=16), min_size=1, max_size=30), st.floats(60, 300))
def test_a_shortened_tensor_fits_and_keeps_numbers_whole_where_two_fit(numbers: list[float], room: float) -> None:
    texts = [f"{number:.4f}" for number in numbers]
    short = shorten_numbers(f"[{', '.join(texts)}]", room, MONO)
    assert width(short, MONO) <= room
    if width(f"[{texts[0]}, …, {texts[-1]}]", MONO) <= room:
        assert set(short[1:-1].split(", ")) <= {*texts, ELLIPSIS}
