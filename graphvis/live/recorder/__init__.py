"""Watches a run: every call that PyTorch makes, without keeping a tensor or changing a result."""

from graphvis.live.recorder.keeping import KeepingRecording, record
from graphvis.live.recorder.recording import Recording

__all__ = ["KeepingRecording", "Recording", "record"]
