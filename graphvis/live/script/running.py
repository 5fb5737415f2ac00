"""One watched run of a program."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from graphvis.analysis.judging import Optimizers
from graphvis.live.recorder import record
from graphvis.live.recorder.hooks.compiling import compiles_by_itself
from graphvis.live.script.appearance import own_traceback, own_warnings
from graphvis.live.script.launching import Program
from graphvis.live.script.watching import Stopped, Watch
from graphvis.model import Diagnosis, Location
from graphvis.model.run import Failure

_COMPILED = "torch.compile ran its functions eagerly: compiled code would hide their calls"


@dataclass
class Outcome:
    """What a run left.

    Attributes:
        diagnoses: one for each line that starts a backward, graphs included; and more for one that is run for several
            optimizers in turn, or that a later round broke.
        refused: those of them whose backward raised, for what it was to start from leads to no gradient.
        later: by their places, what came of the same at the run of the line at which the script was stopped.
        rounds: how often the line that starts a backward most often did so.
        again: how many of the diagnoses are of later executions of lines.
        optimizers: who holds which parameters.
        aliases: other names by which a parameter may be meant.
        classes: what stands before the names of parameters for want of a variable: the class of the module.
        stopped: the line that came round again; None where the script ran to its end.
        error: what the script raised, ``SystemExit`` included; None where it raised nothing.
        notes: what was run otherwise than the script alone would have.
    """

    diagnoses: list[Diagnosis] = field(default_factory=list)
    refused: frozenset[int] = frozenset()
    later: dict[int, Diagnosis] = field(default_factory=dict)
    rounds: int = 0
    again: int = 0
    optimizers: Optimizers = field(default_factory=Optimizers)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    stopped: Location | None = None
    error: BaseException | None = None
    notes: tuple[str, ...] = ()


def run(
    program: Program,
    *,
    go_on: bool = False,
    probe: bool = False,
    announce: Callable[[Location], None] = lambda _: None,
    within: Sequence[AbstractContextManager[Any]] = (),
) -> Outcome:
    """Run a program to its end, or until it has shown what it does.

    Args:
        program: what to run.
        go_on: whether it is to run on, unrecorded, when there is nothing new to see.
        probe: whether to keep what is overwritten, and to compare gradients where that may make them wrong.
        announce: called with the line at which the script is stopped, before it is.
        within: what else is to be in force around it, e.g. ``without_cuts``: inside the recording, which so sees the
            calls that are really made.

    Returns:
        What was seen; an exception that the program raised is in it.
    """
    outcome = Outcome()
    notes: list[str] = []
    recording = record(values=probe)
    watch = Watch(recording, go_on=go_on, announce=announce)
    try:
        with own_warnings(), _eager(notes), watch, recording, ExitStack() as inside:
            for context in within:
                inside.enter_context(context)
            program.run()
    except Stopped:
        pass
    except BaseException as error:  # the script's own, whatever it is: it is told, not lost
        outcome.error = error
    examinations = watch.examinations
    outcome.diagnoses = [examination.diagnosis for examination in examinations]
    outcome.refused = frozenset(place for place, examination in enumerate(examinations) if examination.refused)
    outcome.later = watch.later
    outcome.rounds, outcome.again = watch.rounds, len(examinations) - len(watch.firsts)
    failed = outcome.error is not None and not isinstance(outcome.error, SystemExit)
    outcome.optimizers = Optimizers(
        holders=watch.holders,
        asked=frozenset(watch.steps.surroundings.asked),
        by_hand=frozenset(place for place, examination in enumerate(examinations) if examination.by_hand),
        rounds=0 if failed else outcome.rounds,
    )
    outcome.aliases = {
        name: tuple(sorted(others)) for name, others in sorted(watch.steps.surroundings.names.aliases.items())
    }
    outcome.classes = tuple(watch.steps.surroundings.names.classes)
    outcome.stopped = watch.over
    outcome.notes = tuple(notes)
    return outcome


def ending(error: BaseException | None) -> tuple[Failure | None, int]:
    """What ended a script, and the status that Python would have ended with."""
    if error is None:
        return None, 0
    if isinstance(error, SystemExit):
        code = error.code
        if code is None or isinstance(code, int):
            return None, code or 0
        return Failure(type="SystemExit", message=str(code)), 1
    return Failure(type=type(error).__name__, message=str(error), traceback=own_traceback(error)), 1


@contextmanager
def _eager(notes: list[str]) -> Iterator[None]:
    """Have ``torch.compile`` give functions that run eagerly.

    Its own stance is set only where the script compiles: setting it imports the compiler, which takes seconds.
    """
    original = torch.compile

    @functools.wraps(original)
    def compile(*args: Any, **kwargs: Any) -> Any:  # noqa: A001  # stands in for torch's
        if not (notes or compiles_by_itself()):
            notes.append(_COMPILED)
            torch.compiler.set_stance("force_eager")
        return original(*args, **kwargs)

    torch.compile = compile
    try:
        yield
    finally:
        torch.compile = original
