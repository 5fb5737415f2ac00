"""Numbers that an object, a function or a file keeps, and that come back by another way than they went in."""

from __future__ import annotations

import collections
import contextvars
import functools
import heapq
import io
import json
import logging
import operator
import struct
import tempfile
from pathlib import Path

import numpy as np
import torch

from tests.causes.leaving import aside, back, h, rest, unseen


class _Shelf:
    def __init__(self):
        self.numbers = []

    def put(self, number):
        self.numbers.append(number)

    def take(self):
        return self.numbers[-1]

    def __getitem__(self, index):
        return self.numbers[index]


class _Last:
    number = 1.0

    def note(self, values):
        self.number = values.norm().item() + 1

    @property
    def doubled(self):
        return self.number * 2


class _Average:
    def __init__(self):
        self.total, self.count = 0.0, 0

    def update(self, number, count=1):
        self.total += number * count
        self.count += count
        self.mean = self.total / self.count

    def __str__(self):
        return f"{self.mean:.3f}"


@back
def put_on_a_shelf_and_taken_from_it(m):
    shelf = _Shelf()
    shelf.put(h(m).norm().item() + 1)  # CUT
    number = shelf.take()
    return (m.v * number).sum()


@back
def read_by_a_property(m):
    last = _Last()
    number = h(m).norm().item() + 1  # CUT
    last.number = number
    scale = last.doubled
    return (m.v * scale).sum()


@back
def averaged_by_a_meter(m):
    meter = _Average()
    meter.update(h(m).norm().item())  # CUT
    return (m.v * meter.mean).sum()


@back
def set_by_a_function_on_what_it_is_given(m):
    def mark(thing, number):
        thing.mark = number + 1

    last = _Last()
    mark(last, h(m).norm().item())  # CUT
    return (m.v * last.mark).sum()


@back
def spread_into_parameters(m):
    def second(one, two, *others):
        return two * 2

    number = second(*h(m).tolist())  # CUT
    return (m.v * number).sum()


@unseen
def read_by_index(m):
    shelf = _Shelf()
    shelf.put(h(m).norm().item() + 1)  # LEFT
    number = shelf[0]
    return (m.v * number).sum()


@unseen
def read_by_another_name_of_the_object(m):
    last = _Last()
    other = last
    last.number = h(m).norm().item() + 1  # LEFT
    return (m.v * other.number).sum()


@unseen
def read_by_a_function_that_is_given_the_object(m):
    def number_of(thing):
        return thing.number

    last = _Last()
    last.number = h(m).norm().item() + 1  # LEFT
    number = number_of(last)
    return (m.v * number).sum()


@unseen
def read_by_the_name_as_text(m):
    last = _Last()
    last.number = h(m).norm().item() + 1  # LEFT
    number = getattr(last, "number")  # noqa: B009
    return (m.v * number).sum()


@unseen
def set_by_the_name_as_text(m):
    last = _Last()
    setattr(last, "num" + "ber", h(m).norm().item() + 1)  # LEFT
    return (m.v * last.number).sum()


@unseen
def put_into_the_dict_of_an_object(m):
    last = _Last()
    vars(last)["number"] = h(m).norm().item() + 1  # LEFT
    return (m.v * last.number).sum()


@unseen
def put_among_the_globals(m):
    globals()["_later"] = h(m).norm().item() + 1  # LEFT
    return (m.v * _later).sum()  # noqa: F821


@unseen
def counted_by_a_closure(m):
    def counter():
        count = 0.0

        def raise_by(number):
            nonlocal count
            count += number

        def current():
            return count

        return raise_by, current

    raise_by, current = counter()
    raise_by(h(m).norm().item() + 1)  # LEFT
    number = current()
    return (m.v * number).sum()


def _remembered(number=None, memory=[]):  # noqa: B006
    if number is not None:
        memory.append(number)
    return memory[-1]


@unseen
def kept_by_a_default_argument(m):
    _remembered(h(m).norm().item() + 1)  # LEFT
    number = _remembered()
    return (m.v * number).sum()


@unseen
def returned_once_more_by_a_cache(m):
    values = h(m)

    @functools.cache
    def norm():
        return values.norm().item() + 1  # LEFT

    norm()
    number = norm()
    return (m.v * number).sum()


@unseen
def kept_by_a_context_variable(m):
    variable = contextvars.ContextVar("norm")
    variable.set(h(m).norm().item() + 1)  # LEFT
    number = variable.get()
    return (m.v * number).sum()


@unseen
def called_by_another_name(m):
    found = []
    append = found.append
    append(h(m).norm().item() + 1)  # LEFT
    return (m.v * found[0]).sum()


@back
def called_out_of_a_dict(m):
    found = []
    calls = {"keep": found.append}
    calls["keep"](h(m).norm().item() + 1)  # CUT
    return (m.v * found[0]).sum()


@unseen
def put_into_a_part_of_a_dict(m):
    found = {"norms": []}
    norms = found["norms"]
    norms.append(h(m).norm().item() + 1)  # LEFT
    return (m.v * found["norms"][0]).sum()


@unseen
def put_by_an_object_that_has_the_list(m):
    class Keeper:
        def __init__(self, into):
            self.into = into

        def keep(self, number):
            self.into.append(number)

    found = []
    Keeper(found).keep(h(m).norm().item() + 1)  # LEFT
    return (m.v * found[0]).sum()


@unseen
def pushed_by_a_function_of_a_module(m):
    heap = []
    heapq.heappush(heap, h(m).norm().item() + 1)  # LEFT
    return (m.v * heap[0]).sum()


@unseen
def copied_into_an_array(m):
    array = np.zeros(1)
    np.copyto(array, h(m).norm().item() + 1)  # LEFT
    return (m.v * torch.from_numpy(array)).sum()


@unseen
def packed_into_bytes(m):
    memory = bytearray(8)
    struct.pack_into("d", memory, 0, h(m).norm().item() + 1)  # LEFT
    (number,) = struct.unpack("d", memory)
    return (m.v * number).sum()


@unseen
def written_as_json_into_a_file(m):
    file = io.StringIO()
    json.dump({"norm": h(m).norm().item() + 1}, file)  # LEFT
    number = json.loads(file.getvalue())["norm"]
    return (m.v * number).sum()


@unseen
def written_into_a_file_and_read_from_its_path(m):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "norm"
        with path.open("w") as file:
            file.write(str(h(m).norm().item() + 1))  # LEFT
        number = float(path.read_text())
    return (m.v * number).sum()


@unseen
def carried_by_an_exception(m):
    class Found(Exception):
        pass

    try:
        raise Found(h(m).norm().item() + 1)  # LEFT
    except Found as found:
        number = found.args[0]
    return (m.v * number).sum()


@unseen
def kept_by_a_queue_that_another_method_reads(m):
    class Worker:
        def __init__(self):
            self.waiting = collections.deque()

        def note(self):
            self.waiting.extendleft([h(m).norm().item() + 1])  # LEFT

        def scaled(self):
            number = self.waiting[0]
            return (m.v * number).sum()

    worker = Worker()
    worker.note()
    return worker.scaled()


@unseen
def given_beside_a_function(m):
    def scaled(values, number):
        return (values * number).sum()

    scale = functools.partial(scaled, number=h(m).norm().item() + 1)  # LEFT
    return scale(m.v)


class _Weight:
    number = 1.0

    def weigh(self, values):
        number = self.number
        return (values * number).sum()


@unseen
def kept_by_an_object_that_becomes_one_of_another_class(m):
    last = _Last()
    last.number = h(m).norm().item() + 1  # LEFT
    last.__class__ = _Weight
    return last.weigh(m.v)


@unseen
def kept_by_an_object_that_shares_what_another_has(m):
    last, weight = _Last(), _Weight()
    weight.__dict__ = last.__dict__
    last.number = h(m).norm().item() + 1  # LEFT
    return weight.weigh(m.v)


@aside
def averaged_for_the_log(m):
    meter, others = _Average(), {"count": _Average()}
    meter.update(h(m).norm().item(), 4)
    others["count"].update(h(m).sum().item())
    print(meter.mean, meter, {name: other.mean for name, other in others.items()})
    logging.getLogger(__name__).info("mean %.3f", meter.mean)
    return rest(m)


@aside
def kept_by_a_trainer_that_reports_it(m):
    class Trainer:
        def __init__(self):
            self.rate, self.last, self.history = 0.5, 0.0, []

        def step(self):
            loss = rest(m) * self.rate
            self.last = h(m).norm().item()
            self.history.append(self.last)
            return loss

        def report(self):
            print(self.last, sum(self.history) / len(self.history))

    trainer = Trainer()
    loss = trainer.step()
    trainer.report()
    return loss


@aside
def given_to_a_function_that_is_called_again(m):
    def twice(number):
        return number * 2

    print(twice(h(m).norm().item()))
    number = twice(2.0)
    return rest(m) * number


@aside
def addresses_compared_in_an_argument(m):
    logging.getLogger(__name__).handle_all = operator.truth
    logging.getLogger(__name__).handle_all(h(m).data_ptr() == m.v.data_ptr())
    np.array(h(m).data_ptr() == m.v.data_ptr())
    return rest(m)


@aside
def written_to_a_file_whose_path_stands_beside_what_is_used(m):
    class Options:
        rate, log = 0.5, "/dev/null"

    options = Options()
    with open(options.log, "w") as file:
        file.write(str(h(m).norm().item()))
    return rest(m) * options.rate


@aside
def printed_while_a_text_is_made_of_other_things(m):
    text = io.StringIO()
    text.write("0.5")
    print(h(m).norm().item())
    return rest(m) * float(text.getvalue())
