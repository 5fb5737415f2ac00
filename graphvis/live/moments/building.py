"""A moment from a callable that builds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from graphvis.analysis.joining import join
from graphvis.live.moments.capturing import Captured
from graphvis.live.recorder import record
from graphvis.live.walker import Identity, walk_with_tokens
from graphvis.model import Graph, Moment, Trace


def build(what: Callable[[], Any], names: Mapping[str, torch.Tensor]) -> Captured:
    """Call `what`, recorded, and walk from what it returns.

    Args:
        what: builds the outputs to walk from, or a Graph.
        names: names of tensors that it uses.

    Raises:
        WalkError: if it returns neither.
    """
    with record() as recording:
        outputs = what()
    if isinstance(outputs, Graph):
        return Captured(Moment(graph=outputs), (), Trace())
    recording.name(names)
    graph, tokens = walk_with_tokens(outputs, names=names, number=recording.number, identity=Identity(recording.number))
    trace = recording.freeze()
    return Captured(Moment(graph=join(graph, trace)), tokens, trace)
