"""Threads, processes and queues: what they compute is not seen, and what they are given has left."""

from __future__ import annotations

import concurrent.futures
import functools
import multiprocessing.connection
import multiprocessing.pool
import multiprocessing.process
import multiprocessing.queues
import queue
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import torch

from graphvis.live.recorder.arguments import tensors_of
from graphvis.live.recorder.hooks.places import listening, replace

# Threads that only move batches, draw progress bars or load weights; those of an executor are told of when it is given
# work.
_QUIET_THREADS = (
    "tqdm", "torch.utils.data", "multiprocessing", "concurrent.futures", "queue", "huggingface_hub",
    "transformers.core_model_loading",
)  # fmt: skip

_MOST_THINGS = 10_000  # of what a process is given that are looked at for tensors


def wrap() -> None:
    """Wrap them."""
    _wrap_thread()
    # Threads and processes that were there before are given work.
    for executor in (concurrent.futures.ThreadPoolExecutor, concurrent.futures.ProcessPoolExecutor):
        replace(executor, "submit", _telling_of_work(executor.submit))
    pool = multiprocessing.pool.Pool  # of threads, too
    for name in ("apply_async", "_map_async", "imap", "imap_unordered"):
        replace(pool, name, _telling_of_work(getattr(pool, name)))
    replace(queue.Queue, "put", _telling_of_items(queue.Queue.put))
    for owner, name in ((multiprocessing.queues.Queue, "put"), (multiprocessing.queues.SimpleQueue, "put"),
                        (multiprocessing.connection.Connection, "send")):  # fmt: skip
        replace(owner, name, _noting_exits(getattr(owner, name), lambda args: args[1:2]))
    if torch.distributed.is_available():  # all_gather_object and its kin
        sending = torch.distributed.distributed_c10d
        replace(sending, "_object_to_tensor", _noting_exits(sending._object_to_tensor, lambda args: args[:1]))
    process = multiprocessing.process.BaseProcess
    replace(process, "start", _noting_exits(process.start, lambda args: (args[0]._args, args[0]._kwargs)))


def _wrap_thread() -> None:
    original = threading.Thread.start

    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        original(self)
        if not type(self).__module__.startswith(_QUIET_THREADS) and not _runs_for(self, _QUIET_THREADS):
            for recording in listening():
                recording.tape.unseen.note(
                    "A thread was started by {}: what it computes was not seen.", sys._getframe(1)
                )

    replace(threading.Thread, "start", start)


def _runs_for(thread: threading.Thread, modules: tuple[str, ...]) -> bool:
    target = getattr(thread, "_target", None)
    return (getattr(target, "__module__", None) or "").startswith(modules)


def _telling_of_work(original: Any) -> Any:
    @functools.wraps(original)
    def wrapper(self: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not (getattr(function, "__module__", None) or "").startswith(_QUIET_THREADS):
            for recording in listening():
                recording.tape.unseen.note(
                    "Another thread or process was given work by {}: what it computes was not seen.", sys._getframe(1)
                )
        return original(self, function, *args, **kwargs)

    return wrapper


def _telling_of_items(original: Any) -> Any:
    @functools.wraps(original)
    def put(self: Any, item: Any, *args: Any, **kwargs: Any) -> None:
        told = listening()
        if told and tensors_of((item,), None):
            for recording in told:
                recording.tape.unseen.note(
                    "A tensor was put into a queue by {}: what another thread makes of it was not seen.",
                    sys._getframe(1),
                )
        original(self, item, *args, **kwargs)

    return put


def _noting_exits(original: Any, handed: Callable[[Any], Any]) -> Any:
    """A wrapper that writes down that the values of tensors go to another process."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        told = listening()
        for tensor in _tensors_within(handed(args)) if told else ():
            for recording in told:
                if recording.tape.identities.find(tensor) is not None:
                    name = original.__qualname__.rpartition(".")[0] or "torch.distributed"
                    name = f"{name}.{original.__name__}"
                    recording.tape.note_exit(name, tensor, sys._getframe(1), elsewhere=True)
        return original(*args, **kwargs)

    return wrapper


def _tensors_within(value: Any) -> list[Any]:
    """The tensors in nested containers and in the attributes of what they hold, as far as the first many things."""
    found: list[Any] = []
    seen: set[int] = set()
    stack = [value]
    while stack and len(seen) < _MOST_THINGS:
        item = stack.pop()
        if id(item) in seen or isinstance(item, (int, float, str, bytes, type, type(None), types.ModuleType)):
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            found.append(item)
        elif isinstance(item, (tuple, list, set)):
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item.values())
        else:
            stack.extend(getattr(item, "__dict__", {}).values())
    return found
