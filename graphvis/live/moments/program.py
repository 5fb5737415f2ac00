"""A scenario's program run for real, stopped at the moments it marks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

import torch

from graphvis.errors import ScenarioError, WalkError
from graphvis.live.moments.names import tensors_of
from graphvis.live.recorder import Recording, record
from graphvis.live.walker import Identity
from graphvis.live.walker.outputs import find_outputs
from graphvis.scenario import Scenario, Yield, blame, load

_TWO_HALVES = "A picture has two halves: yield before(outputs, ...) first, then after(outputs, ...)."


@dataclass(frozen=True)
class Stop:
    """The program at a moment that it marks; valid until it goes on.

    Attributes:
        marker: what it yielded.
        outputs: the tensors that backward would start from.
        tensors: its local tensors by name.
        recording: of the run so far; it is paused.
        identity: tells the nodes of this run apart.
    """

    marker: Yield
    outputs: list[torch.Tensor]
    tensors: dict[str, torch.Tensor]
    recording: Recording
    identity: Identity


def stops_of(scenario: Scenario) -> Iterator[Stop]:
    """Run a scenario; ``program(cut)`` twice, first with False.

    Random numbers, grad mode and the default dtype are as before afterwards, also while the program is stopped.

    Raises:
        ScenarioError: if the program raises, yields nothing or more than two moments, or anything else than moments.
    """
    program = load(scenario)
    sides: list[str] = []
    for cut in (False, True) if scenario.takes_cut else (None,):
        with _left_as_found(), record() as recording:
            torch.manual_seed(0)
            try:
                run = program() if cut is None else program(cut)
            except Exception as error:
                raise blame(scenario, error) from error
            if not isinstance(run, GeneratorType):
                raise ScenarioError(f"{scenario.path}: program gives {type(run).__name__}, no moments", _TWO_HALVES)
            with closing(run):
                for stop in _stops(scenario, run, recording):
                    sides.append(stop.marker.side)
                    if len(sides) > 2:
                        raise ScenarioError(f"{scenario.path}: program yields more than two moments", _TWO_HALVES)
                    yield stop
    if not sides:
        raise ScenarioError(
            f"{scenario.path}: program yields no moment", "Yield before(outputs, ...) or after(outputs, ...)."
        )
    if len(sides) == 2 and sides != ["before", "after"]:
        raise ScenarioError(f"{scenario.path}: program yields {' and '.join(sides)}", _TWO_HALVES)


def _stops(scenario: Scenario, run: GeneratorType[Any, None, None], recording: Recording) -> Iterator[Stop]:
    identity = Identity(recording.number)
    while True:
        try:
            marker = next(run)
        except StopIteration:
            return
        except (Exception, SystemExit) as error:
            raise blame(scenario, error) from error
        if not isinstance(marker, Yield):
            raise ScenarioError(
                f"{scenario.path}: program yields {type(marker).__name__}, not a moment",
                "Yield before(outputs, ...) or after(outputs, ...), from graphvis.scenario.",
            )
        with _stopped(recording):
            frame = run.gi_frame
            assert frame is not None, "a generator that has just yielded has a frame"
            # Read at each stop and let go of: a kept f_locals would hold tensors that the program drops.
            tensors = tensors_of(frame.f_locals)
            recording.name(tensors)
            yield Stop(marker, _outputs(scenario, marker), tensors, recording, identity)


def _outputs(scenario: Scenario, marker: Yield) -> list[torch.Tensor]:
    try:
        return [output for output in find_outputs(marker.outputs) if isinstance(output, torch.Tensor)]
    except WalkError as error:
        raise ScenarioError(f"{scenario.path}: {marker.side}(...): {error.what}", error.fix) from None


@contextmanager
def _stopped(recording: Recording) -> Iterator[None]:
    """Unrecorded, and with grad mode on whatever block the program is stopped in."""
    recording.pause()
    grad = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    try:
        yield
    finally:
        torch.set_grad_enabled(grad)
        recording.resume()


@contextmanager
def _left_as_found() -> Iterator[None]:
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    with torch.random.fork_rng(devices=()):
        try:
            yield
        finally:
            torch.set_grad_enabled(grad)
            torch.set_default_dtype(dtype)
