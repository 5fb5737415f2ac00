"""Builds one deep graph and frees it in a child process for each order of freeing; run by test_walker_freeing.

Prints a line ``case status`` for each case: 0 where the child lived, minus the signal that killed it.
"""

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

import torch

from graphvis.live.walker import walk
from graphvis.live.walker.structure import Structure


def chain(length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A leaf, a tensor in the middle, the last tensor."""
    x = y = middle = torch.ones(1, requires_grad=True)
    for i in range(length):
        y = y + 1
        if i == length // 2 + 37:
            middle = y
    return x, middle, y


def residual(length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same with a way around every three ops."""
    x = y = middle = torch.ones(1, requires_grad=True)
    for i in range(length // 4):
        y = (y * 1 + 1).neg() + y
        if i == length // 8 + 37:
            middle = y
    return x, middle, y


def braid(length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two chains that meet at the end only, the second one named in the middle."""
    x = a = b = middle = torch.ones(1, requires_grad=True)
    for i in range(length // 2):
        a, b = a + 1, b * 1
        if i == length // 4 + 37:
            middle = b
    return x, middle, a + b


def fork(length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two chains that end by themselves and lead into the same third one; only one of them is walked."""
    x = shared = torch.ones(1, requires_grad=True)
    for _ in range(length // 2):
        shared = shared + 1
    a = b = shared
    for _ in range(length // 4):
        a, b = a + 1, b * 1
    return x, b, a


Live = dict[str, object]


def root_last(live: Live) -> None:
    """The tensors die, the root last."""
    live["middle"] = None
    live["y"] = None


def graph_first(live: Live) -> None:
    """The walk's result dies before the tensors."""
    live["graph"] = None
    root_last(live)


def middle_outlives(live: Live) -> None:
    """An intermediate is held when the root dies."""
    live["y"] = None
    live["middle"] = None


def detached(live: Live) -> None:
    """An intermediate lets go of its half by detach_(), the rest follows."""
    live["middle"].detach_()  # type: ignore[attr-defined]
    live["y"] = None


def backward(live: Live) -> None:
    """A plain backward, then everything dies."""
    live["y"].sum().backward()  # type: ignore[attr-defined]
    assert live["x"].grad is not None  # type: ignore[attr-defined]
    root_last(live)


def small_stack(live: Live) -> None:
    """It all dies in a thread with a stack of 128 KiB, the least that systems give."""
    threading.stack_size(128 * 1024)
    thread = threading.Thread(target=root_last, args=(live,))
    thread.start()
    thread.join()


def interpreter_exit(live: Live) -> None:
    """Nothing dies before the interpreter ends."""


def touched_only(live: Live) -> None:
    """No cure: what a plain loop over next_functions leaves behind."""
    structure = Structure()
    structure.tensor(live["y"])  # type: ignore[arg-type]
    structure.spread()
    del structure
    root_last(live)


def exception(live: Live) -> None:
    """The walk is broken off half way, as by Ctrl-C, and the tensors die."""
    break_off(live, "spread", lambda frame: len(frame.f_locals.get("live", ())) > NODES // 2)


def exception_while_guarding(live: Live) -> None:
    """What makes the graph safe is itself broken off, and the tensors die."""
    break_off(live, "_keep", lambda frame: "gaps" in frame.f_locals)


def break_off(live: Live, function: str, when: Callable[[FrameType], bool]) -> None:
    """Interrupt the walk in `function`, then let the tensors die."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if frame and frame.f_code.co_name == function and when(frame):
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        walk(live["y"])
    except KeyboardInterrupt:
        root_last(live)
    else:
        raise AssertionError("the walk was to be broken off")


def run(case: Callable[[Live], None], live: Live) -> None:
    """Run `case` in a child and print how that ended."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        case(live)
        if case is interpreter_exit:
            sys.exit(0)
        os._exit(0)  # which spares the time that torch takes to end
    _, status = os.waitpid(child, 0)
    print(case.__name__, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    NODES = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    x, middle, y = {"chain": chain, "residual": residual, "braid": braid, "fork": fork}[sys.argv[1]](NODES)
    live: Live = {"x": x, "middle": middle, "y": y}
    del x, middle, y
    run(touched_only, live)
    run(exception, live)
    run(exception_while_guarding, live)
    live["graph"] = walk(live["y"], {"middle": live["middle"]})
    for case in (root_last, graph_first, middle_outlives, detached, backward, small_stack, interpreter_exit):
        run(case, live)
