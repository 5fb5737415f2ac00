"""A user's script, run as Python would run it, and what its backwards give."""

from graphvis.live.script.launching import Program
from graphvis.live.script.running import Outcome, ending, run

__all__ = ["Outcome", "Program", "ending", "run"]
