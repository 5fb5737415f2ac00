"""The pytest plugin, found by its entry point: a recording as a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from graphvis.live.recorder import Recording


@pytest.fixture
def autograd_trace() -> Iterator[Recording]:
    """A recording of the test, for ``graphvis.testing`` and ``graphvis.diagnose``."""
    import graphvis  # torch comes with it: only tests that record pay for that

    with graphvis.record() as trace:
        yield trace
