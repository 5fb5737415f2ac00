"""Numbers that go out into a file, a pipe or what is shown, and are read again; and that others hand over."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import io
import logging
import operator
import os
import pickle
import random
import sys
from pathlib import Path

import numpy as np
import torch

from tests.causes.leaving import aside, h, rest, steering, unseen

_FOLDER = Path(os.environ.get("TMPDIR", "/tmp"))


class _Shelf:
    def put(self, number):
        self.number = number


@dataclasses.dataclass
class _Options:
    norm: float = 1.0
    rate: float = 0.5

    def scale(self, values):
        return (values * self.norm).sum()


class _Heard:
    def __init__(self):
        self.texts = []

    def write(self, text):
        self.texts.append(text)

    def flush(self):
        pass


class _Handler(logging.Handler):
    def __init__(self):
        super().__init__()
        self.told = []

    def emit(self, entry):
        self.told.append(entry.getMessage())


@unseen
def put_by_a_method_called_by_its_name(m):
    shelf = _Shelf()
    operator.methodcaller("put", h(m).norm().item() + 1)(shelf)  # LEFT
    return (m.v * shelf.number).sum()


@unseen
def put_by_a_method_that_waits_for_its_call(m):
    shelf = _Shelf()
    functools.partial(shelf.put, h(m).norm().item() + 1)()  # LEFT
    return (m.v * shelf.number).sum()


@unseen
def put_by_a_method_for_each_of_many(m):
    shelf = _Shelf()
    list(map(shelf.put, [h(m).norm().item() + 1]))  # LEFT
    return (m.v * shelf.number).sum()


@unseen
def put_by_a_function_without_a_name(m):
    found = []
    any(map(lambda number: found.append(number * 2), [h(m).norm().item() + 1]))  # noqa: C417  # LEFT
    return (m.v * found[0]).sum()


@unseen
def replaced_in_what_a_method_reads(m):
    options = dataclasses.replace(_Options(), norm=h(m).norm().item() + 1)  # LEFT
    return options.scale(m.v)


@unseen
def given_by_place_to_what_a_method_reads(m):
    return _Options(h(m).norm().item() + 1).scale(m.v)  # LEFT


@unseen
def put_into_the_environment(m):
    os.environ.update(GRAPHVIS_NORM=str(h(m).norm().item() + 1))  # LEFT
    number = float(os.environ["GRAPHVIS_NORM"])
    return (m.v * number).sum()


def _save(number):
    with open(f"{_FOLDER}/graphvis.norm", "w") as file:
        file.write(str(number))


def _scaled_by_what_was_saved(values):
    with open(f"{_FOLDER}/graphvis.norm") as file:
        number = float(file.read())
    return (values * number).sum()


@unseen
def saved_by_one_function_and_read_by_another(m):
    _save(h(m).norm().item() + 1)  # LEFT
    return _scaled_by_what_was_saved(m.v)


@unseen
def pickled_into_a_file(m):
    with open(_FOLDER / "graphvis.pickle", "wb") as file:
        pickle.dump(h(m).norm().item() + 1, file)  # LEFT
    with open(_FOLDER / "graphvis.pickle", "rb") as other:
        number = pickle.load(other)
    return (m.v * number).sum()


@unseen
def written_by_its_path(m):
    (_FOLDER / "graphvis.txt").write_text(str(h(m).norm().item() + 1))  # LEFT
    number = float((_FOLDER / "graphvis.txt").read_text())
    return (m.v * number).sum()


@unseen
def saved_by_numpy(m):
    np.save(_FOLDER / "graphvis.npy", h(m).norm().item() + 1)  # LEFT
    number = np.load(_FOLDER / "graphvis.npy")
    return (m.v * float(number)).sum()


@unseen
def saved_by_pytorch(m):
    torch.save({"norm": h(m).norm().item() + 1}, _FOLDER / "graphvis.pt")  # LEFT
    number = torch.load(_FOLDER / "graphvis.pt")["norm"]
    return (m.v * number).sum()


@unseen
def sent_through_a_pipe(m):
    out, into = os.pipe()
    os.write(into, str(h(m).norm().item() + 1).encode())  # LEFT
    number = float(os.read(out, 100))
    os.close(into)
    os.close(out)
    return (m.v * number).sum()


@unseen
def printed_into_a_text(m):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        print(h(m).norm().item() + 1)  # LEFT
    return (m.v * float(text.getvalue())).sum()


@unseen
def printed_to_an_object_in_the_place_of_the_terminal(m):
    heard, before = _Heard(), sys.stdout
    sys.stdout = heard
    print(h(m).norm().item() + 1)  # LEFT
    sys.stdout = before
    return (m.v * float(heard.texts[0])).sum()


@unseen
def logged_into_a_text(m):
    text, logger = io.StringIO(), logging.getLogger("graphvis.text")
    handler = logging.StreamHandler(text)
    logger.addHandler(handler)
    logger.error("%s", h(m).norm().item() + 1)  # LEFT
    logger.removeHandler(handler)
    return (m.v * float(text.getvalue())).sum()


@unseen
def logged_to_a_handler_that_keeps_it(m):
    handler, logger = _Handler(), logging.getLogger("graphvis.kept")
    logger.addHandler(handler)
    logger.error("%s", h(m).norm().item() + 1)  # LEFT
    logger.removeHandler(handler)
    return (m.v * float(handler.told[0])).sum()


@aside
def logged_into_a_file(m):
    logger, handler = logging.getLogger("graphvis.file"), logging.FileHandler("/dev/null")
    logger.addHandler(handler)
    logger.error("%s", h(m).norm().item())
    logger.removeHandler(handler)
    return rest(m) * float("0.5")


@aside
def written_as_a_row_of_a_table(m):
    options = _Options()
    with open("/dev/null", "a") as file:
        csv.writer(file).writerow([h(m).norm().item()])
    return rest(m) * options.rate


@steering
def seeding_what_is_drawn(m):
    torch.manual_seed(int(h(m).norm().item()))
    np.random.seed(int(h(m).norm().item()))
    random.seed(int(h(m).norm().item()))
    noise = torch.rand(4, dtype=torch.float64) * np.random.rand() * random.random()
    return (m.v * noise).sum()


@steering
def telling_how_often_to_repeat(m):
    loss = rest(m)
    for _ in range(int(h(m).norm().item())):
        loss = loss + rest(m)
    return loss
