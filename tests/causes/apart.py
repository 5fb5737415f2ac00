"""Numbers that one file is given and hands out again, to the same or to another."""

from __future__ import annotations

import types

from tests.causes.elsewhere import reader, store
from tests.causes.elsewhere.shelf import Meter, Shelf, shared
from tests.causes.elsewhere.store import doubled, kept
from tests.causes.elsewhere.store import put as keep
from tests.causes.leaving import aside, back, h, rest, unseen


@back
def doubled_by_another_file(m):
    number = doubled(h(m).norm().item())  # CUT
    return (m.v * number).sum()


@back
def lifted_from_the_shelf_of_another_file(m):
    shelf = Shelf()
    shelf.lay(h(m).norm().item() + 1)  # CUT
    number = shelf.number
    return (m.v * number).sum()


@back
def used_by_a_method_of_another_file(m):
    shelf = Shelf()
    shelf.lay(h(m).norm().item() + 1)  # CUT
    return shelf.scale(m.v)


@back
def noted_by_another_file(m):
    store.note(h(m).norm().item())  # CUT
    return (m.v * store.latest).sum()


@unseen
def put_into_another_file(m):
    store.put(h(m).norm().item() + 1)  # LEFT
    return (m.v * store.take()).sum()


@unseen
def put_by_a_name_of_its_own(m):
    keep(h(m).norm().item() + 1)  # LEFT
    number = store.take()
    return (m.v * number).sum()


@unseen
def put_into_the_list_of_another_file(m):
    kept.append(h(m).norm().item() + 1)  # LEFT
    number = store.take()
    return (m.v * number).sum()


@unseen
def taken_by_a_third_file(m):
    store.put(h(m).norm().item() + 1)  # LEFT
    return reader.scaled_by_what_is_kept(m.v)


@unseen
def set_as_an_attribute_of_another_file(m):
    store.latest = h(m).norm().item() + 1  # LEFT
    number = store.current()
    return (m.v * number).sum()


@unseen
def handed_out_by_the_getattr_of_another_file(m):
    store.name("norm", h(m).norm().item() + 1)  # LEFT
    return (m.v * store.norm).sum()


@unseen
def lifted_from_a_shared_shelf_by_a_third_file(m):
    shared.lay(h(m).norm().item() + 1)  # LEFT
    return reader.scaled_by_what_is_shared(m.v)


@aside
def shown_by_another_file(m):
    store.show(h(m).norm().item())
    return rest(m) * store.rate


@aside
def averaged_by_another_file_for_the_log(m):
    meter = Meter()
    meter.add(h(m).norm().item(), 4)
    print(meter, meter.average)
    return rest(m)


@aside
def kept_beside_an_option_that_another_file_reads(m):
    options = types.SimpleNamespace(width=0.5)
    options.norm = h(m).norm().item()
    return reader.scaled_by_width(options, m.v)


_here = []


def _put_here(number):
    _here.append(number)


def _taken_from_here():
    return _here[-1]


def _scaled_by_what_is_here(values):
    number = _taken_from_here()
    return (values * number).sum()


@unseen
def taken_by_a_function_that_was_given_nothing(m):
    _put_here(h(m).norm().item() + 1)  # LEFT
    return _scaled_by_what_is_here(m.v)


class _Handed:
    """Hands out what the file has, by whatever way it is asked."""

    def __getitem__(self, word):
        return _by_word[word]

    def __getattr__(self, word):
        return _by_word[word]

    def __call__(self):
        return _by_word["norm"]

    def __float__(self):
        return _by_word["norm"]

    def __iter__(self):
        yield from _by_word.values()

    def __enter__(self):
        return _by_word["norm"]

    def __exit__(self, *error):
        pass


_by_word = {}


@unseen
def handed_out_by_index(m):
    _by_word["norm"] = h(m).norm().item() + 1  # LEFT
    number = _Handed()["norm"]
    return (m.v * number).sum()


@unseen
def handed_out_as_an_attribute_that_nobody_set(m):
    _by_word["norm"] = h(m).norm().item() + 1  # LEFT
    handed = _Handed()
    number = handed.norm
    return (m.v * number).sum()


@unseen
def handed_out_by_a_call(m):
    _by_word["norm"] = h(m).norm().item() + 1  # LEFT
    handed = _Handed()
    number = handed()
    return (m.v * number).sum()


@unseen
def handed_out_as_a_number(m):
    _by_word["norm"] = h(m).norm().item() + 1  # LEFT
    number = float(_Handed())
    return (m.v * number).sum()


@unseen
def handed_out_one_by_one(m):
    _by_word["norm"] = h(m).norm().item() + 1  # LEFT
    total = 0.0
    for number in _Handed():
        total = total + number
    return (m.v * total).sum()


@unseen
def handed_out_for_a_while(m):
    _by_word["norm"] = h(m).norm().item() + 1  # LEFT
    with _Handed() as number:
        return (m.v * number).sum()


class _Row(list):
    def scale(self, values):
        return (values * self[0]).sum()


@unseen
def kept_by_an_object_that_is_a_list(m):
    row = _Row()
    row.append(h(m).norm().item() + 1)  # LEFT
    return row.scale(m.v)


def _class_for(number):
    class Scale:
        factor = number

        def scale(self, values):
            return (values * self.factor).sum()

    return Scale


@unseen
def kept_by_a_class_that_is_made_for_it(m):
    kind = _class_for(h(m).norm().item() + 1)  # LEFT
    return kind().scale(m.v)


@unseen
def put_by_what_stands_in_the_place_of_a_method(m):
    shelf = Shelf()
    shelf.lay = keep
    shelf.lay(h(m).norm().item() + 1)  # LEFT
    return (m.v * store.take()).sum()


@aside
def trained_by_a_trainer_of_another_file(m):
    class Trainer:
        def __init__(self, path):
            self.meter, self.path, self.best, self.rate = Meter(), path, 1e9, 0.5

        def fit(self):
            loss = rest(m) * self.rate
            self.meter.add(h(m).norm().item(), 4)
            self.best = min(self.best, self.meter.average)
            with open(self.path, "a") as file:
                file.write(f"{self.meter} {self.best}\n")
            return loss

    return Trainer("/dev/null").fit()


@aside
def stopped_by_an_object_that_is_called(m):
    class Stop:
        def __init__(self):
            self.best, self.stop = 1e9, False

        def __call__(self, number):
            self.stop, self.best = number > self.best, min(number, self.best)

    loss, stop = rest(m), Stop()
    stop(h(m).norm().item())
    return loss if not stop.stop else loss * 2
