"""Values that leave PyTorch as Python and NumPy data: those that come back, and those that never do."""

from __future__ import annotations

import configparser
import contextlib
import ctypes
import json
import logging
import math
import statistics
import threading

import numpy as np
import torch
from torch import nn

from tests.causes.case import Case, Step, marks, weights

BACK: list[Case] = []
"""The value of `w` comes back into the loss, and a line that it left by is marked."""
ASIDE: list[Case] = []
"""The value of `w` leaves, is printed, kept or compared, and reaches no loss."""
STEERING: list[Case] = []
"""The value of `w` chooses what is computed, or seeds what is drawn: it is in no number of the loss."""
UNSEEN: list[Case] = []
"""The value of `w` comes into the loss by a way that nobody sees."""


def back(step: Step) -> Step:
    """Register a program where `w` is cut."""
    kinds = frozenset({"item", "numpy", "detach", "copy"})
    BACK.append(Case(step, weights("w", "v"), {"w": "cut", "v": "gradient"}, kinds, marks=marks(step)))
    return step


def aside(step: Step) -> Step:
    """Register a program where `w` is unused."""
    ASIDE.append(Case(step, weights("w", "v"), {"w": "unused", "v": "gradient"}))
    return step


def steering(step: Step) -> Step:
    """Register a program where `w` is unused, though the loss is another where `w` is."""
    STEERING.append(Case(step, weights("w", "v"), {"w": "unused", "v": "gradient"}))
    return step


def unseen(step: Step) -> Step:
    """Register a program where nobody can tell what becomes of `w`."""
    UNSEEN.append(Case(step, weights("w", "v"), {"w": "cut", "v": "gradient"}, marks=marks(step)))
    return step


def h(m: nn.Module) -> torch.Tensor:
    """Four numbers made of `w`."""
    return (m.w * 2).sum(0)


def rest(m: nn.Module) -> torch.Tensor:
    """A term that has nothing to do with `w`."""
    return (m.v * torch.tensor(0.5)).sin().sum()


@back
def array_of_items(m):
    t = torch.tensor(np.array([v.item() for v in h(m)]))  # CUT
    return (t * m.v).sum()


@back
def array_whose_memory_is_written_later(m):
    kept = torch.zeros(4, dtype=torch.float64)
    array = kept.numpy()
    kept.copy_(h(m).detach())  # CUT
    return (m.v * float(array[0])).sum()


@back
def stack_of_arrays(m):
    t = torch.tensor(np.stack([v.detach().numpy() for v in h(m)]))  # CUT
    return (t * m.v).sum()


@back
def constructor_of_floats(m):
    t = torch.Tensor([float(v) for v in h(m)])  # CUT
    return (t * m.v).sum()


@back
def constructor_of_items(m):
    t = torch.FloatTensor([v.item() for v in h(m)])  # CUT
    return (t * m.v).sum()


@back
def constructor_of_rows(m):
    t = torch.Tensor([[v.item(), 0.5] for v in h(m)])  # CUT
    return (t.sum(1) * m.v).sum()


@back
def sum_of_a_list(m):
    numbers = [v.item() for v in h(m)]  # CUT
    t = torch.tensor(sum(numbers) / 3)
    return (t * m.v).sum()


@back
def sum_of_a_list_in_an_operation(m):
    return (m.v * (sum([v.item() for v in h(m)]) / 3)).sum()  # CUT


@back
def mean_of_items(m):
    t = torch.ones(1) * np.mean([v.item() for v in h(m)])  # CUT
    return (t * m.v).sum()


@back
def root_of_squares(m):
    norm = math.sqrt(sum(v.item() ** 2 for v in h(m)))  # CUT
    return (m.v / norm).sum()


@back
def root_of_squares_in_place(m):
    return (m.v * math.sqrt(sum(v.item() ** 2 for v in h(m)))).sum()  # CUT


@back
def written_as_text(m):
    t = torch.tensor(float(f"{h(m).sum():.3f}"))  # CUT
    return (t * m.v).sum()


@back
def text_in_a_variable(m):
    text = f"{h(m).sum():.3f}"  # CUT
    return (m.v * float(text)).sum()


@back
def read_in_a_text_that_is_evaluated(m):
    number = h(m).norm().item()  # noqa: F841  # CUT
    return (m.v * eval("number + 1")).sum()


@back
def through_json(m):
    text = json.dumps(h(m).tolist())  # CUT
    return (torch.tensor(json.loads(text)) * m.v).sum()


@back
def rounded(m):
    return (m.v * round(h(m)[0].item(), 3)).sum()  # CUT


@back
def summed_in_a_loop(m):
    total = 0.0
    for v in h(m):
        total += v.item()  # CUT
    return (torch.tensor(total / 3) * m.v).sum()


@back
def counted_in_a_dict(m):
    sums = {}
    for name, v in zip("abcd", h(m), strict=True):
        sums[name] = v.item()  # CUT
    return (m.v * sum(sums.values())).sum()


@back
def dict_of_items(m):
    sums = {name: v.item() for name, v in zip("abcd", h(m), strict=True)}  # CUT
    return (m.v * sums["a"]).sum()


@back
def appended(m):
    numbers = []
    for v in h(m):
        numbers.append(v.item())  # noqa: PERF401  # CUT
    return (m.v * statistics.fmean(numbers)).sum()


@back
def unpacked(m):
    a, *_ = [float(v) for v in h(m)]  # CUT
    return (m.v * a * 2).sum()


@back
def kept_in_an_attribute(m):
    m.scale = float(h(m).sum()) + 1  # CUT
    return (m.v * m.scale).sum()


def _norm(values):
    return math.sqrt(sum(v.item() ** 2 for v in values))  # CUT


def _half(number):
    half = number / 2
    return half if half else 1.0


@back
def returned_by_a_function(m):
    norm = _norm(h(m))
    return (m.v / norm).sum()


@back
def through_a_function(m):
    number = _half(h(m).sum().item())  # CUT
    return (m.v * number).sum()


@back
def arrays_in_a_list(m):
    arrays = [v.detach().numpy() + 1 for v in h(m)]  # CUT
    return (torch.from_numpy(np.stack(arrays)) * m.v).sum()


@back
def filled_by_index(m):
    t = torch.empty(4)
    for i, v in enumerate(h(m)):
        t[i] = v.item() * 2  # CUT
    return (t * m.v).sum()


BACK[:] = [
    case if case.marks or case.name != "returned_by_a_function" else Case(**{**vars(case), "marks": marks(_norm)})
    for case in BACK
]


def _put(found, number):
    found.append(number)


def _put_again(found, number):
    _put(found, number)


@back
def handed_on_by_a_generator(m):
    def numbers():
        for v in h(m):
            yield v.item() + 1  # CUT

    def handed_on():
        yield from numbers()

    return (m.v * sum(handed_on())).sum()


@back
def by_a_context_manager(m):
    @contextlib.contextmanager
    def norm():
        yield h(m).norm().item() + 1  # CUT

    with norm() as number:
        return (m.v * number).sum()


@back
def matched_by_a_pattern(m):
    match {"norm": h(m).norm().item() + 1}:  # CUT
        case {"norm": number}:
            return (m.v * number).sum()


@back
def in_a_list_of_two_names(m):
    found = []
    other = found
    other.append(h(m).norm().item() + 1)  # CUT
    return (torch.tensor(found) * m.v).sum()


@back
def put_into_a_list_by_a_function(m):
    found = []
    _put(found, h(m).norm().item() + 1)  # CUT
    return (torch.tensor(found) * m.v).sum()


@back
def put_into_a_list_by_a_function_of_a_function(m):
    found = []
    _put_again(number=h(m).norm().item() + 1, found=found)  # CUT
    return (torch.tensor(found) * m.v).sum()


@back
def put_into_a_dict_by_the_function_that_took_it_out(m):
    def put(found, t):
        found["norm"] = t.norm().item() + 1  # CUT

    found = {}
    put(found, h(m))
    return (torch.tensor(found["norm"]) * m.v).sum()


@aside
def put_into_another_list_by_that_function(m):
    seen, found = [], []
    _put(seen, h(m).norm().item() + 1)
    _put(found, 1.0)
    return rest(m) + (torch.tensor(found) * m.v).sum()


@aside
def printed(m):
    print(h(m).sum().item(), f"{h(m).norm():.3f}")
    return rest(m)


@aside
def logged_through_the_library(m):
    logging.getLogger(__name__).info("norm %s", h(m).norm().item())
    return rest(m)


@aside
def appended_and_never_read(m):
    losses = []
    losses.append(h(m).sum().item())
    return rest(m)


@aside
def compared(m):
    loss = rest(m)
    if h(m).max().item() < 1e9:
        loss = loss * 2
    return loss


@aside
def items_compared(m):
    loss = rest(m)
    return loss * 2 if all(v.item() < 1e9 for v in h(m)) else loss


class _Bar:
    def set_postfix(self, **numbers):
        self.text = " ".join(f"{name}={number:.3f}" for name, number in numbers.items())


@aside
def set_on_a_progress_bar(m):
    bar = _Bar()
    bar.set_postfix(norm=h(m).norm().item())
    return rest(m)


@aside
def kept_in_a_dict_of_metrics(m):
    metrics = {"norm": h(m).norm().item(), "parts": [v.item() for v in h(m)]}
    metrics["text"] = json.dumps(metrics)
    return rest(m)


@aside
def averaged_for_a_report(m):
    report = np.mean([v.item() for v in h(m)])
    text = f"{report:.3f} {math.sqrt(report**2)}"
    assert text
    return rest(m)


@aside
def asserted(m):
    assert math.isfinite(h(m).sum().item())
    assert not np.isnan(h(m).detach().numpy()).any()
    return rest(m)


@aside
def described(m):
    words = f"{h(m)} {h(m).sum():.2f}"
    assert len(words) > 3
    return rest(m)


@aside
def given_away_for_good(m):
    shelf = configparser.ConfigParser()
    shelf.read_dict({"norm": {"w": h(m).norm().item()}})
    return rest(m)


@aside
def told_after_the_loss(m):
    loss = rest(m)
    m.apply(lambda module: str(h(m).sum().item()))
    return loss


def _double(t: torch.Tensor) -> torch.Tensor:
    return t.detach() * 2


@unseen
def scripted(m):
    return (torch.jit.script(_double)(h(m)) * m.v).sum()  # LEFT


@unseen
def traced(m):
    example = torch.zeros(4, dtype=torch.float64)
    return (torch.jit.trace(_double, example)(h(m)) * m.v).sum()  # LEFT


@unseen
def computed_in_a_thread(m):
    found = []
    thread = threading.Thread(target=lambda: found.append(h(m).detach()))
    thread.start()  # LEFT
    thread.join()
    return (found[0] * m.v).sum()


@unseen
def kept_by_an_object_of_another_library(m):
    shelf = configparser.ConfigParser()
    shelf.read_dict({"norms": {"w": h(m).norm().item()}})  # LEFT
    return (m.v * shelf.getfloat("norms", "w")).sum()


@unseen
def given_to_a_function_that_was_handed_in(m, keep=None):
    kept = {}
    keep = keep or kept.setdefault
    keep("norm", h(m).norm().item() + 1)  # LEFT
    return (m.v * kept["norm"]).sum()


@aside
def scaling_what_is_not_used_any_more(m):
    number = m.w.sum().item()
    m.w.data.mul_(number)
    torch.zeros(2, dtype=torch.float64).add_(number)
    return rest(m)


@unseen
def memory_copied_by_its_address(m):
    source = h(m)
    kept = torch.empty_like(source)
    ctypes.memmove(kept.data_ptr(), source.data_ptr(), source.nbytes)  # LEFT
    return (kept * m.v).sum()


@unseen
def memory_read_at_its_address(m):
    address = h(m).data_ptr()  # LEFT
    return (torch.tensor((ctypes.c_double * 4).from_address(address)[:]) * m.v).sum()


@unseen
def memory_read_at_the_address_of_its_storage(m):
    source, found = h(m), []
    found.append(source.untyped_storage().data_ptr())  # LEFT
    return (torch.tensor((ctypes.c_double * 4).from_address(*found)[:]) * m.v).sum()


@unseen
def address_as_a_number_of_a_tensor(m):
    source = h(m)
    addresses = torch.tensor([source.data_ptr()])  # LEFT
    read = (ctypes.c_double * 4).from_address(addresses.item())
    return (m.v * read[0]).sum()


@aside
def choosing_between_two_values(m):
    one = 1.0 if h(m).norm().item() > 0 else 2.0
    return rest(m) + (torch.tensor(one) * m.v).sum()


def _place(t):
    return t.device, t.data_ptr(), t.untyped_storage().data_ptr()


@aside
def addresses_that_are_compared_and_looked_up(m):
    names, seen = {}, set()
    for name, parameter in m.named_parameters():
        names.setdefault(_place(parameter), []).append(name)
        seen.add(parameter.data_ptr())
    source = h(m)
    print(names.get(_place(source)), sorted(seen), hex(source.data_ptr()), source.data_ptr() == m.v.data_ptr())
    return rest(m) if source.data_ptr() not in seen else source.sum()
