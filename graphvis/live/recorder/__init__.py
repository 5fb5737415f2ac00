"""Watches a run: every call that PyTorch makes, without keeping a tensor or changing a result."""

from graphvis.live.recorder.recording import Recording, record

__all__ = ["Recording", "record"]
