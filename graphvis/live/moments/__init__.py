"""A scenario's program run for real, and what it looks like at the moments it marks."""

from graphvis.live.moments.running import run_scenario

__all__ = ["run_scenario"]
