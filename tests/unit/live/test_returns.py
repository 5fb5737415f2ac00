"""Many values that leave PyTorch in one function: all are told, and each costs no more than when it is alone."""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from graphvis.live.recorder.following import files
from graphvis.live.recorder.recording import Recording

# A line of the function, many times over, and what it ends with.
SHAPES = {
    "added up": ("s = s + float(h[{i}].item())", "torch.tensor(s)"),
    "by a name of their own": ("v_{i} = h[{i}].item() * 2", "torch.tensor([{names}])"),
    "in attributes": ("kept.v_{i} = h[{i}].item() * 2", "torch.tensor([kept.v_0, kept.v_1]).sum()"),
    "in an array": ("array[{i}] = h[{i}].item()", "torch.tensor(array)"),
    "in a list": ("found.append(h[{i}].item() * 2)", "torch.tensor(found)"),
    "through a function": ("found.append(double(h[{i}].item()))", "torch.tensor(found)"),
    "on a shelf": ("shelf.put(h[{i}].item() * 2)", "torch.tensor(shelf.all())"),
    "by a function of a module": ("heapq.heappush(found, h[{i}].item() * 2)", "torch.tensor(found)"),
    "given to somebody": ("somebody.note(h[{i}].item())", "torch.tensor(somebody.heard)"),
}
_HEAD = """
import heapq

import numpy as np
import torch

class Kept: pass

class Shelf:
    def __init__(self):
        self.put_there = []

    def put(self, number):
        self.put_there.append(number)

    def all(self):
        return self.put_there

class Somebody:
    heard = 1.0

    def __init__(self):
        self.note = [].append

def double(number):
    return number * 2

def step(w):
    h, s, kept, array, found, somebody, shelf = w * 2, 0.0, Kept(), np.zeros({count}), [], Somebody(), Shelf()
"""


def recorded(folder: Path, shape: str, count: int) -> tuple[Recording, torch.Tensor, torch.Tensor]:
    """A run with so many such lines: its recording, its weight and its loss."""
    line, end = SHAPES[shape]
    names = ", ".join(f"v_{i}" for i in range(count))
    lines = [f"    {line.format(i=i)}\n" for i in range(count)]
    file = folder / f"{shape}_{count}.py"
    file.write_text(_HEAD.format(count=count) + "".join(lines) + f"    return {end.format(names=names)}.sum()\n")
    step: Callable[[Any], Any] = runpy.run_path(str(file))["step"]
    w = torch.ones(count, requires_grad=True)
    with record() as trace:
        loss = step(w)
    return trace, w, loss


def work_of(run: Callable[[], object]) -> int:
    """How many lines of Python a call executes, loops counted as often as they go round."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("shape", SHAPES)
def test_four_times_the_lines_are_four_times_the_work(shape: str, tmp_path: Path) -> None:
    few, many = (work_of(recorded(tmp_path, shape, count)[0].freeze) for count in (60, 240))
    assert many < 4.4 * few


@pytest.mark.parametrize(
    "shape", sorted(SHAPES.keys() - {"in attributes", "by a function of a module", "given to somebody"})
)
def test_each_of_many_lines_is_a_cut(shape: str, tmp_path: Path) -> None:
    trace, w, loss = recorded(tmp_path, shape, 100)
    found = diagnose(loss, trace, {"w": w})
    assert not loss.requires_grad
    assert found.verdicts["w"].status == "cut"
    assert len({cut.location.line for cut in found.cuts}) == 100


_CLASS = """
class Shelf_{i}:
    def __init__(self):
        self.kept = []
        self.last_{i} = 0.0

    def put(self, number):
        self.kept.append(number)
        self.last_{i} = number

    def take(self):
        return self.kept[-1]
"""


def recorded_in_files(folder: Path, files: int, classes: int, lines: int) -> tuple[Recording, Any, torch.Tensor]:
    """A run of so many files, each with so many classes whose methods are called alike, and so many calls of these."""
    names = [f"files_{files}_{classes}_{lines}_{i}" for i in range(files)]
    for name in names:
        text = "".join(_CLASS.format(i=i) for i in range(classes))
        text += "\nshelf = Shelf_0()\n\ndef step(h, shelf):\n"
        text += "".join(f"    shelf.put(h[{i}].item() * 2)\n" for i in range(lines)) + "    number = shelf.take()\n"
        (folder / f"{name}.py").write_text(text + "    return h * number\n")
    modules = [importlib.import_module(name) for name in names]
    w = torch.ones(lines, requires_grad=True)
    with record() as trace:
        loss = sum(module.step(w * 2, module.shelf).sum() for module in modules)
    return trace, w, loss


@pytest.mark.parametrize(("few", "many"), [((4, 4, 4), (16, 4, 4)), ((2, 4, 4), (2, 16, 16)), ((2, 2, 16), (8, 8, 16))])
def test_calls_and_methods_of_one_name_in_many_files_are_as_much_work_as_they_are_many(
    few: tuple[int, int, int], many: tuple[int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    work = [work_of(recorded_in_files(tmp_path, *size)[0].freeze) for size in (few, many)]
    lines = [files * (11 * classes + calls) for files, classes, calls in (few, many)]
    assert work[1] / work[0] < 1.15 * lines[1] / lines[0]


def test_a_program_of_more_files_than_are_remembered_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MOST_FILES", 4)
    monkeypatch.syspath_prepend(tmp_path)
    names = [f"one_of_many_{i}" for i in range(12)]
    for name in names:
        text = "kept = []\n\ndef put(number):\n    kept.append(number)\n"
        (tmp_path / f"{name}.py").write_text(text)
    lines = [f"import {name}\n" for name in names]
    lines += ["\ndef step(w, v):\n", f"    {names[0]}.put((w * 2).sum().item() * 3)\n"]
    lines += [f"    {name}.kept.append(0.5)\n" for name in names]
    lines += [f"    number = {names[0]}.kept[0]\n", "    return (v * number).sum()\n"]
    (tmp_path / "reads_one_of_many.py").write_text("".join(lines))
    step = importlib.import_module("reads_one_of_many").step
    w, v = (torch.ones(3, requires_grad=True) for _ in range(2))
    with record() as trace:
        loss = step(w, v)
    verdict = diagnose(loss, trace, {"w": w, "v": v}).verdicts["w"]
    assert (verdict.status, verdict.certain) != ("unused", True)
