"""Two sequences side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graphvis.analysis.comparing.aligning import align

words = st.text("abc", max_size=40)


@given(words, words)
def test_as_many_items_as_can_be_have_a_partner(before: str, after: str) -> None:
    pairs = align(before, after)
    assert all(before[one] == after[other] for one, other in pairs.items())
    assert list(pairs) == sorted(pairs)
    assert list(pairs.values()) == sorted(set(pairs.values()))
    assert len(pairs) == _longest(before, after)


def test_what_has_nothing_in_common_is_soon_given_up() -> None:
    compared = 0

    class Item:
        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return False

        __hash__ = object.__hash__

    for length, most in (2000, 2_000_000), (4000, 4_000_000):  # all pairs would be 4 and 16 millions
        compared = 0
        assert align([Item() for _ in range(length)], [Item() for _ in range(length)]) == {}
        assert compared < most


def test_a_long_way_is_taken_in_several() -> None:
    before = [i // 2 if i % 2 else -1 for i in range(4000)]
    after = [i // 2 if i % 2 else -2 for i in range(4000)]
    assert align(before, after) == {i: i for i in range(1, 4000, 2)}


def _longest(before: str, after: str) -> int:
    """The length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(after) + 1)
    for one in before:
        last, row = row, [0]
        for place, other in enumerate(after):
            row.append(last[place] + 1 if one == other else max(last[place + 1], row[place]))
    return row[-1]
