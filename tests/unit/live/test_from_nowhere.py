"""Tensors that no call was seen to make, on memory that is known or from outside: never surely unused."""

from __future__ import annotations

import concurrent.futures
import copy
import inspect
import multiprocessing.pool
import pickle
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import Variable

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record

Step = Callable[[Tensor], Tensor]
to_capsule, from_capsule = torch._C._to_dlpack, torch._C._from_dlpack  # by names that nobody can wrap


def variable_of_data(h: Tensor) -> Tensor:
    return Variable(h.data)  # CUT data


def variable_of_data_that_requires_grad(h: Tensor) -> Tensor:
    return Variable(h.data, requires_grad=True)  # CUT data


def variable(h: Tensor) -> Tensor:
    return Variable(h)  # CUT rewrap


def variable_by_name(h: Tensor) -> Tensor:
    return Variable(data=h, requires_grad=True)  # CUT rewrap


def unseen_variable_of_data(h: Tensor) -> Tensor:
    data = h.data  # CUT data
    return torch._C._LegacyVariableBase(data)


def unseen_variable(h: Tensor) -> Tensor:
    made = torch._C._LegacyVariableBase(h)
    return made * 2  # CUT rewrap


def capsule(h: Tensor) -> Tensor:
    inner = h.detach()  # CUT detach
    return torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(inner))


def capsule_of_what_requires_grad(h: Tensor) -> Tensor:
    return torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(h))  # CUT numpy


def unseen_capsule(h: Tensor) -> Tensor:
    inner = h.detach()  # CUT detach
    return from_capsule(to_capsule(inner))


def part_of_an_unseen_capsule(h: Tensor) -> Tensor:
    inner = h.detach()  # CUT detach
    return from_capsule(to_capsule(inner[1:]))


def written_through_an_unseen_capsule(h: Tensor) -> Tensor:
    made = torch.zeros(3)
    from_capsule(to_capsule(made)).copy_(h.detach())  # CUT detach
    return made


def storage_of_another(h: Tensor) -> Tensor:
    inner = h.detach()  # CUT detach
    return torch.tensor([]).set_(inner.untyped_storage(), 0, (3,))


CUTS = [
    variable_of_data, variable_of_data_that_requires_grad, variable, variable_by_name, unseen_variable_of_data,
    unseen_variable, capsule, capsule_of_what_requires_grad, unseen_capsule, part_of_an_unseen_capsule,
    written_through_an_unseen_capsule, storage_of_another,
]  # fmt: skip


def asked(step: Step) -> tuple[Any, Tensor | None]:
    """The diagnosis of one run, and the gradient of the parameter that is in question."""
    w, v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True), torch.ones(1, requires_grad=True)
    with record() as trace:
        loss = (step(w * 2) * v).sum()
    found = diagnose(loss, trace, parameters={"w": w, "v": v})
    loss.backward()
    assert v.grad is not None
    assert found.verdicts["v"].status == "gradient"
    return found, w.grad


@pytest.mark.parametrize("step", CUTS, ids=lambda step: step.__name__)
def test_kind_and_line_of_the_cut(step: Step) -> None:
    found, gradient = asked(step)
    assert gradient is None
    verdict = found.verdicts["w"]
    assert (verdict.status, verdict.certain) == ("cut", True)
    lines, first = inspect.getsourcelines(step)
    ((line, kind),) = [(first + i, text.split()[-1]) for i, text in enumerate(lines) if "# CUT" in text]
    assert [(cut.kind, cut.location.line) for cut in verdict.cuts] == [(kind, line)]
    assert verdict.cuts[0].certain == (step is not unseen_variable)  # what cut it lies somewhere before


executor = concurrent.futures.ThreadPoolExecutor(1)
pool = multiprocessing.pool.ThreadPool(1)
to_do: queue.Queue[Tensor] = queue.Queue()
done: queue.Queue[Tensor] = queue.Queue()


def halve(h: Tensor) -> Tensor:
    return h.detach() / 2


def work() -> None:
    while True:
        done.put(halve(to_do.get()))


def asked_of_the_worker(h: Tensor) -> Tensor:
    to_do.put(h)
    return done.get()


@pytest.fixture(scope="module")
def workers() -> Iterator[None]:
    """Threads that run before any recording."""
    executor.submit(int).result()
    threading.Thread(target=work, daemon=True).start()
    yield
    pool.terminate()


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(
    "step",
    [
        lambda h: executor.submit(halve, h).result(),
        lambda h: next(iter(executor.map(halve, [h]))),
        lambda h: pool.map(halve, [h])[0],
        lambda h: pool.apply(halve, (h,)),
        lambda h: next(iter(pool.imap_unordered(halve, [h]))),
        asked_of_the_worker,
    ],
)
def test_what_a_thread_computes_that_was_there_before_is_not_known(step: Step) -> None:
    found, gradient = asked(step)
    assert gradient is None
    assert found.verdicts["w"].status in ("unused", "unreached")
    assert not found.verdicts["w"].certain
    assert any("was not seen" in note or "makes of it" in note for note in found.notes)


def through_an_array_of_its_own(h: Tensor) -> Tensor:
    array = np.zeros(3, np.float32)
    torch.from_numpy(array).copy_(h.detach())
    return torch.from_numpy(array)


def through_bytes(h: Tensor) -> Tensor:
    memory = bytearray(12)
    torch.frombuffer(memory, dtype=torch.float32).copy_(h.detach())
    return torch.frombuffer(memory, dtype=torch.float32)


def by_bytes_of_a_storage(h: Tensor) -> Tensor:
    made: list[int] = h.detach().mul(0.1).untyped_storage().tolist()
    return torch.tensor(made[:3]).float()


def of_a_storage(h: Tensor) -> Tensor:
    return torch.tensor(h.detach().storage())


def of_a_storage_that_was_copied(h: Tensor) -> Tensor:
    return torch.tensor([]).set_(h.untyped_storage().clone())


def pickled(h: Tensor) -> Tensor:
    made = pickle.loads(pickle.dumps(h.detach()))
    assert isinstance(made, Tensor)
    return made


def copied(h: Tensor) -> Tensor:
    return copy.deepcopy(h.detach())


def functional(h: Tensor) -> Tensor:
    return torch.func.functionalize(lambda a: a.detach() * 2)(h)


def by_a_pipe(h: Tensor) -> Tensor:
    one, other = multiprocessing.Pipe()
    one.send(h.detach())
    made = other.recv()
    assert isinstance(made, Tensor)
    return made


@torch.library.custom_op("graphvis_tests::halve_into", mutates_args=("into",))
def halve_into(of: Tensor, into: Tensor) -> None:
    into.copy_(of.detach() / 2)


def by_an_operator_that_writes(h: Tensor) -> Tensor:
    made = torch.zeros(3)
    halve_into(h, made)
    return made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "step",
    [through_an_array_of_its_own, through_bytes, by_bytes_of_a_storage, of_a_storage, of_a_storage_that_was_copied,
     pickled, copied, functional, by_a_pipe, by_an_operator_that_writes],
    ids=lambda step: step.__name__,
)  # fmt: skip
def test_what_comes_back_out_of_sight_is_never_surely_unused(step: Step) -> None:
    found, gradient = asked(step)
    assert gradient is None
    verdict = found.verdicts["w"]
    assert verdict.status == "cut" or not verdict.certain


def test_a_deep_copy_is_no_secret() -> None:
    found, _ = asked(lambda h: copy.deepcopy(torch.ones(3)) + 0 * h.detach().size(0))
    assert (found.verdicts["w"].status, found.verdicts["w"].certain, found.notes) == ("unused", True, ())


class Loaded(torch.utils.data.Dataset[Tensor]):
    def __init__(self, values: Tensor) -> None:
        self.values = {"rows": [values]}

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Tensor:
        return self.values["rows"][index]


@pytest.mark.parametrize("made_of_it", [True, False])
def test_a_worker_process_takes_values_along(made_of_it: bool) -> None:
    def step(h: Tensor) -> Tensor:
        loader = torch.utils.data.DataLoader(Loaded(h.detach() if made_of_it else torch.ones(3)), num_workers=1)
        (batch,) = loader
        return batch

    found, gradient = asked(step)
    assert gradient is None
    verdict = found.verdicts["w"]
    assert (verdict.status == "unused" and verdict.certain) == (not made_of_it)
