"""From what walker and recorder noted to verdicts, cuts and conflicts; no live tensor."""

from graphvis.analysis.diagnosing.conflicts import find_overwritten
from graphvis.analysis.diagnosing.diagnosing import diagnose
from graphvis.analysis.diagnosing.overwritten import Overwritten
from graphvis.analysis.diagnosing.subjects import Subject, Zeroing
from graphvis.analysis.diagnosing.withdrawn import find_checkpointed, find_withdrawn

__all__ = ["Overwritten", "Subject", "Zeroing", "diagnose", "find_checkpointed", "find_overwritten", "find_withdrawn"]
