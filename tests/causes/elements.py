"""Numbers that lie under one key of a dict, or at one place of a tuple, while another is used."""

from __future__ import annotations

import collections
import dataclasses
import os
import subprocess
from typing import NamedTuple

from tests.causes.leaving import aside, back, h, rest, unseen


@aside
def under_another_key(m):
    state = {"weight": 2.0}
    state["norm"] = h(m).norm().item()
    return rest(m) * state["weight"]


@aside
def written_under_another_key(m):
    state = {"weight": 2.0, "norm": h(m).norm().item()}
    return rest(m) * state["weight"] * state.get("weight", 1.0)


@aside
def given_by_another_word(m):
    state = dict(weight=2.0, norm=h(m).norm().item())  # noqa: C408
    state.update(maximum=h(m).max().item())
    return rest(m) * state["weight"]


@aside
def under_another_key_of_a_part(m):
    state = {"seen": {"number": 1.0}, "used": {"number": 2.0}}
    state["seen"]["number"] = h(m).norm().item()
    return rest(m) * state["used"]["number"]


@aside
def appended_to_another_list_of_a_history(m):
    history = collections.defaultdict(list)
    history["norm"].append(h(m).norm().item())
    history["rate"].append(0.5)
    return rest(m) * history["rate"][-1]


@aside
def under_another_key_of_an_attribute(m):
    class Trainer:
        def __init__(self):
            self.facts = {"norms": [], "weight": 2.0}

        def keep(self):
            self.facts["norms"].append(h(m).norm().item())

        def loss(self):
            weight = self.facts["weight"]
            return rest(m) * weight

    trainer = Trainer()
    trainer.keep()
    return trainer.loss()


@aside
def another_variable_of_the_environment(m):
    os.environ["GRAPHVIS_SEEN"] = str(h(m).norm().item())
    return rest(m) * float(os.environ.get("GRAPHVIS_USED", "2.0")) * float(os.getenv("GRAPHVIS_ELSE", "2.0"))


@aside
def at_another_place_of_a_pair(m):
    pair = (h(m).norm().item(), 2.0)
    _, weight = pair
    return rest(m) * weight * pair[1]


@aside
def returned_beside_the_loss(m):
    def step():
        return rest(m), h(m).norm().item()

    loss, norm = step()
    print(norm)
    return loss * 2


@aside
def returned_under_another_key_than_the_loss(m):
    def step():
        return {"loss": rest(m), "log": {"norm": h(m).norm().item()}}

    out = step()
    print(out["log"])
    return out["loss"] * 2


@aside
def returned_in_a_dict_that_was_filled(m):
    def step():
        out = {}
        out["loss"] = rest(m)
        out["norm"] = h(m).norm().item()
        return out

    return step()["loss"] * 2


class _Facts(NamedTuple):
    weight: float
    norm: float


@dataclasses.dataclass
class _Row:
    factor: float = 1.0
    size: float = 1.0

    def scale(self, values):
        size = self.size
        return (values * size).sum()


@aside
def in_another_field_of_a_tuple(m):
    facts = _Facts(2.0, h(m).norm().item())
    return rest(m) * facts.weight


@aside
def in_another_field_of_a_row(m):
    row = _Row(2.0, h(m).norm().item())
    return rest(m) * row.factor


@aside
def logged_by_a_function_out_of_a_dict(m):
    calls = {"log": lambda number: print(number), "weight": lambda number: number * 2}
    calls["log"](h(m).norm().item())
    weight = calls["weight"](2.0)
    return rest(m) * weight


@aside
def shown_by_a_function_out_of_a_dict(m):
    kept = []
    calls = {"log": print, "keep": kept.append}
    calls["log"](h(m).norm().item())
    calls["keep"](2.0)
    return rest(m) * kept[0]


@back
def kept_by_a_function_out_of_a_dict(m):
    kept = []
    calls = {"log": print, "keep": kept.append}
    calls["keep"](h(m).norm().item() + 1)  # CUT
    return (m.v * kept[0]).sum()


@unseen
def kept_by_a_function_that_was_put_into_a_dict(m):
    kept = []
    calls = {"log": print}
    calls["log"] = kept.append
    calls["log"](h(m).norm().item() + 1)  # LEFT
    return (m.v * kept[0]).sum()


@back
def under_the_same_key(m):
    state = {"weight": 2.0, "norm": 1.0}
    state["norm"] = h(m).norm().item() + 1  # CUT
    return (m.v * state["norm"]).sum()


@back
def under_a_key_that_is_gone_over(m):
    state = {"weight": 2.0, "norm": h(m).norm().item() + 1}  # CUT
    total = 0.0
    for key in state:
        total = total + state[key]
    return (m.v * total).sum()


@back
def moved_to_another_key(m):
    state = {"norm": h(m).norm().item() + 1}  # CUT
    state["used"] = state.pop("norm")
    return (m.v * state["used"]).sum()


@back
def swapped_between_keys(m):
    state = {"one": h(m).norm().item() + 1, "two": 1.0}  # CUT
    state["one"], state["two"] = state["two"], state["one"]
    return (m.v * state["two"]).sum()


@back
def copied_with_its_keys(m):
    state = {"norm": h(m).norm().item() + 1, "weight": 2.0}  # CUT
    copied = {**state, "rate": 0.5}
    return (m.v * copied["norm"]).sum()


@back
def turned_round(m):
    pair = (h(m).norm().item() + 1, 1.0)  # CUT
    pair = pair[::-1]
    return (m.v * pair[1]).sum()


@back
def returned_within_a_pair_of_pairs(m):
    def step():
        return 1.0, (2.0, h(m).norm().item() + 1)  # CUT

    _, (_, number) = step()
    return (m.v * number).sum()


@back
def returned_and_handed_on(m):
    def inner():
        return 1.0, h(m).norm().item() + 1  # CUT

    def outer():
        return inner()

    _, number = outer()
    return (m.v * number).sum()


@back
def yielded_in_pairs(m):
    def pairs():
        for _ in range(2):
            yield 1.0, h(m).norm().item() + 1  # CUT

    total = 0.0
    for _, number in pairs():
        total = total + number
    return (m.v * total).sum()


@back
def yielded_and_spread(m):
    def numbers():
        yield h(m).norm().item() + 1  # CUT
        yield 1.0

    number, _ = numbers()
    return (m.v * number).sum()


@unseen
def put_into_a_list_that_lies_under_a_key(m):
    state = {"norms": [1.0]}
    norms = state["norms"]
    norms.append(h(m).norm().item() + 1)  # LEFT
    return (m.v * state["norms"][-1]).sum()


@unseen
def set_by_the_method_of_a_dict(m):
    state = {"norm": 1.0}
    put = state.__setitem__
    put("norm", h(m).norm().item() + 1)  # LEFT
    return (m.v * state["norm"]).sum()


@unseen
def read_by_a_method_of_a_row(m):
    return _Row(1.0, h(m).norm().item() + 1).scale(m.v)  # LEFT


@back
def told_to_another_process(m):
    os.environ["GRAPHVIS_TOLD"] = repr(h(m).norm().item() + 1)  # CUT
    told = subprocess.run(["printenv", "GRAPHVIS_TOLD"], capture_output=True, text=True, check=True).stdout
    return (m.v * float(told)).sum()
