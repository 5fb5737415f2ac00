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
