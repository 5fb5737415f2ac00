"""What ten times the layers take, of ours and of each peer: GPT-2 of 4 and of 40 layers in one process."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import Any

import torch

import graphvis
from benchmarks.record import gpt2
from benchmarks.walk import plain_loop
from graphvis.analysis.folding import fold
from graphvis.live.walker import walk

FEW, MANY = 4, 40
ROUNDS = 3
SLOW = 1.0  # seconds from which on once is enough


def rows() -> Iterator[tuple[str, str, str]]:
    """For each tool both times and how they grow; for a peer also how its time on the larger model is to ours."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    small, large = Subject(FEW), Subject(MANY)
    gc.freeze()  # else each collection goes through all that was imported
    taken: dict[str, list[float | None]] = {}
    for tool in TOOLS:
        if all(map(available, tool.needs)):
            with contextlib.redirect_stdout(sys.stderr):
                taken[tool.name] = [_tried(tool.prepare(subject)) for subject in (small, large)]
            yield f"GPT-2 of {FEW}, then {MANY} layers: {tool.name}", *told(tool, taken)
    gc.unfreeze()


def _tried(call: Callable[[], object]) -> float | None:
    """Seconds; None where it cannot be done."""
    try:
        return seconds(call)
    except RecursionError:
        return None


def told(tool: Tool, taken: dict[str, list[float | None]]) -> tuple[str, str]:
    """Both times, and what they stand beside: on the larger model, or on the smaller where the other failed there."""
    few, many = taken[tool.name]
    measured = ", ".join("RecursionError" if one is None else f"{one * 1e3:.1f} ms" for one in (few, many))
    growth = [f"{many / few:.1f} times"] if few and many else []
    if tool.beside:
        place = 1 if many else 0
        ours, theirs = taken[tool.beside][place], taken[tool.name][place]
        if ours and theirs:
            ratio = f"{theirs / ours:.1f} times" if theirs >= ours else f"1/{ours / theirs:.1f} of"
            growth.append(f"{ratio} {tool.beside}{' of the smaller' * (not place)}")
            if theirs < ours and tool.why:
                growth.append(f"faster: {tool.why}")
    return measured, "; ".join(growth)


class Subject:
    """A model with its loss, its inputs, and what was recorded of it."""

    def __init__(self, layers: int) -> None:
        self.model = gpt2(layers, 64)
        tokens = torch.randint(0, 1000, (1, 16))
        self.inputs = {"input_ids": tokens, "labels": tokens}
        self.forward()  # the first call imports and allocates
        with graphvis.record() as self.trace:
            self.loss = self.forward()
        self.graph = walk(self.loss, module=self.model)

    def forward(self) -> torch.Tensor:
        """The loss."""
        loss: torch.Tensor = self.model(**self.inputs).loss
        return loss

    def step(self) -> None:
        """Forward and backward."""
        self.forward().backward()


class Tool:
    """Something that is done with a model.

    Attributes:
        name: what it is called in the table.
        prepare: makes of a subject the call that is measured.
        beside: the tool of ours that does the same, or as much of it as there is.
        why: where the time goes that the other one saves.
        needs: packages and programs that it takes.
    """

    def __init__(
        self,
        name: str,
        prepare: Callable[[Subject], Callable[[], object]],
        beside: str = "",
        why: str = "",
        needs: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.prepare = prepare
        self.beside = beside
        self.why = why
        self.needs = needs


def available(what: str) -> bool:
    """Whether a package or a program is installed."""
    return importlib.util.find_spec(what) is not None or shutil.which(what) is not None


def seconds(call: Callable[[], object]) -> float:
    """The median of some rounds; of one that takes long, the first."""
    taken: list[float] = []
    while len(taken) < ROUNDS and (not taken or taken[0] < SLOW):
        gc.collect()
        begin = perf_counter()
        call()
        taken.append(perf_counter() - begin)
    return median(taken)


def _under(around: Callable[[], Any], call: Callable[[], object]) -> Callable[[], object]:
    def inside() -> None:
        with around():
            call()

    return inside


def _torchviz(subject: Subject) -> Callable[[], Any]:
    from torchviz import make_dot

    return lambda: make_dot(subject.loss, params=dict(subject.model.named_parameters()))


def _torchview(subject: Subject) -> Callable[[], object]:
    from torchview import draw_graph

    return lambda: draw_graph(subject.model, input_data=subject.inputs, depth=20)


def _torchlens(subject: Subject) -> Callable[[], object]:
    import torchlens

    return lambda: torchlens.trace(subject.model, input_args=(), input_kwargs=subject.inputs)


def _debug_mode(subject: Subject) -> Callable[[], object]:
    from torch.utils._debug_mode import DebugMode

    return _under(DebugMode, subject.forward)


_WALK, _RECORD, _STEP, _SVG = "graphvis.walk", "forward, recorded", "a step, recorded", "graphvis.walk to a folded SVG"
TOOLS = (
    Tool("the plain loop", lambda subject: lambda: plain_loop(subject.loss)),
    Tool(_WALK, lambda subject: lambda: walk(subject.loss, module=subject.model)),
    Tool("fold", lambda subject: lambda: fold(subject.graph)),
    Tool(_SVG, lambda subject: lambda: walk(subject.loss, module=subject.model).to_svg()),
    Tool("forward, plain", lambda subject: subject.forward),
    Tool(_RECORD, lambda subject: _under(graphvis.record, subject.forward)),
    Tool("graphvis.diagnose", lambda subject: lambda: graphvis.diagnose(subject.loss, subject.trace, subject.model)),
    Tool("a step, plain", lambda subject: subject.step),
    Tool(_STEP, lambda subject: _under(graphvis.record, subject.step)),
    Tool("torchviz.make_dot", _torchviz, _WALK, "it reads no saved tensors and no states", ("torchviz",)),
    Tool("torchviz.make_dot, then dot to SVG", lambda subject: lambda: _torchviz(subject)().pipe("svg"), _SVG,
         "a graph of few nodes needs no folding", ("torchviz", "dot")),
    Tool("torchview.draw_graph", _torchview, _RECORD, "it sees the calls of modules only", ("torchview",)),
    Tool("torchlens.trace", _torchlens, _RECORD, "", ("torchlens",)),
    Tool("DebugMode", _debug_mode, _RECORD, "it notes no lines and no memory"),
    Tool("a step under anomaly mode", lambda subject: _under(torch.autograd.detect_anomaly, subject.step), _STEP,
         "it notes a traceback and checks for nan, no more"),
)  # fmt: skip
