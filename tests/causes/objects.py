"""Numbers kept by objects of one class, while objects of another have attributes and methods called alike."""

from __future__ import annotations

import dataclasses
import types

import torch
from torch import nn

from tests.causes.leaving import aside, back, h, rest, unseen


class _Log:
    def __init__(self):
        self.total, self.rows = 0.0, []

    def jot(self, number):
        self.total += number
        self.rows.append(number)

    def latest_row(self):
        return self.rows[-1]


class _Weight:
    def __init__(self):
        self.total = 2.0

    def latest_row(self):
        return self.total

    def __call__(self, values):
        number = self.total
        return (values * number).sum()

    def weigh(self, values):
        number = self.total
        return (values * number).sum()


class _Scaled(_Log):
    def scale(self, values):
        number = self.total
        return (values * number).sum()


class _Scaling:
    def scale(self, values):
        number = self.total
        return (values * number).sum()


class _Both(_Log, _Scaling):
    pass


class _Net(nn.Module):
    def __init__(self, values):
        super().__init__()
        self.values, self.total = values, 2.0

    def forward(self):
        number = self.total
        return (self.values * number).sum()


_log, _weight = _Log(), _Weight()


@aside
def kept_by_a_log_beside_what_weighs(m):
    log, weight = _Log(), _Weight()
    log.jot(h(m).norm().item())
    return weight(m.v)


@aside
def kept_by_a_log_beside_what_weighs_by_a_method(m):
    log, weight = _Log(), _Weight()
    log.jot(h(m).norm().item())
    number = weight.latest_row()
    return weight.weigh(m.v) * number


@aside
def kept_by_a_log_of_the_file(m):
    _log.jot(h(m).norm().item())
    return _weight.weigh(m.v)


@aside
def kept_by_a_log_beside_a_module(m):
    log, net = _Log(), _Net(m.v)
    log.jot(h(m).norm().item())
    return net()


@aside
def kept_by_a_log_that_a_function_is_given(m):
    def run(log, weight):
        log.jot(h(m).norm().item())
        return weight.weigh(m.v)

    return run(_Log(), _Weight())


@aside
def kept_by_a_log_that_a_trainer_is_given(m):
    class Trainer:
        def __init__(self, log, weight):
            self.log, self.weight = log, weight

        def step(self):
            self.log.jot(h(m).norm().item())
            return self.weight.weigh(m.v)

    return Trainer(_Log(), _Weight()).step()


@aside
def set_on_a_log_beside_what_weighs(m):
    log, weight = _Log(), _Weight()
    log.total = h(m).norm().item()
    return weight.weigh(m.v)


@back
def read_by_a_method_of_a_class_that_inherits(m):
    scaled = _Scaled()
    scaled.jot(h(m).norm().item() + 1)  # CUT
    return scaled.scale(m.v)


@back
def read_by_a_method_of_another_base(m):
    both = _Both()
    both.jot(h(m).norm().item() + 1)  # CUT
    return both.scale(m.v)


@back
def read_of_an_object_that_a_function_makes(m):
    def make():
        return _Log()

    log = make()
    log.jot(h(m).norm().item() + 1)  # CUT
    number = log.total
    return (m.v * number).sum()


@unseen
def handed_out_by_an_object_around_it(m):
    class Around:
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

    log = _Log()
    log.jot(h(m).norm().item() + 1)  # LEFT
    around = Around(log)
    number = around.total
    return (m.v * number).sum()


@unseen
def put_into_the_attributes_of_another_object(m):
    log, weight = _Log(), _Weight()
    log.jot(h(m).norm().item() + 1)  # LEFT
    weight.__dict__.update(log.__dict__)
    return weight.weigh(m.v)


@unseen
def set_on_each_module_by_whatever_it_is(m):
    net = _Net(m.v)
    for module in nn.Sequential(net, nn.Identity()):
        module.total = h(m).norm().item() + 1  # LEFT
    return net()


@unseen
def kept_in_a_dict_that_an_object_is_made_with(m):
    kept = {"number": 1.0}
    thing = types.SimpleNamespace(kept=kept)
    thing.kept["number"] = h(m).norm().item() + 1  # LEFT
    return (m.v * kept["number"]).sum()


@unseen
def swapped_for_another_log(m):
    class Trainer:
        def __init__(self):
            self.weight = _Weight()

    trainer, log = Trainer(), _Log()
    log.jot(h(m).norm().item() + 1)  # LEFT
    trainer.weight = log
    number = trainer.weight.total
    return (m.v * number).sum()


@dataclasses.dataclass
class _Row:
    total: float = 0.0


@aside
def kept_in_a_row_for_the_log(m):
    row, weight = _Row(), _Weight()
    row.total = h(m).norm().item()
    print(row)
    return rest(m) * weight.total * torch.ones(())
