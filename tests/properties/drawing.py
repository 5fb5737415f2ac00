"""Drawing a random program with Hypothesis."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from tests.properties.programs.generator import Choose, Truth, generate


@st.composite
def programs(draw: st.DrawFn, *, giving: bool) -> Truth:
    """A random program with its truth.

    Args:
        draw: Hypothesis' own.
        giving: whether parameters are given values too: by assignment, by updates, by loading.
    """
    return generate(chooser(draw), giving=giving)


def chooser(draw: st.DrawFn) -> Choose:
    """How a program chooses: one draw for each choice, or all of them from one seed.

    Draws can be shrunk, but Hypothesis prefers small ones and repeats what it has drawn; a seed is even-handed.
    """
    seed = draw(st.none() | st.integers(0, 2**64 - 1))
    if seed is None:
        return lambda n: draw(st.integers(0, n - 1)) if n > 1 else 0
    chance = random.Random(seed)
    return lambda n: chance.randrange(n) if n > 1 else 0
