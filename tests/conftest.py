"""What all tests share: how long Hypothesis searches."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

# The same examples in every run: a failure in `make test` is a change, not luck. Luck is sought by `make soak`.
settings.register_profile("test", max_examples=200, deadline=None, derandomize=True, print_blob=True,
                          suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
settings.register_profile("soak", settings.get_profile("test"), max_examples=10_000, derandomize=False,
                          database=DirectoryBasedExampleDatabase(".hypothesis/examples"))  # fmt: skip
settings.load_profile("test")
