"""What graphvis says of values that leave PyTorch, and what PyTorch says to it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from graphvis.picture.report import write
from tests.causes import apart, called, elements, kept, objects, outside  # noqa: F401 - they add their programs to the lists
from tests.causes.asking import ask
from tests.causes.case import Case, measure
from tests.causes.leaving import ASIDE, BACK, STEERING, UNSEEN

NAME = {"ids": lambda case: case.name}


@pytest.mark.parametrize("case", [*BACK, *ASIDE, *UNSEEN], **NAME)
def test_the_claims_of_a_program_are_pytorchs(case: Case) -> None:
    assert measure(case) == dict(case.verdicts)


@pytest.mark.parametrize("case", BACK, **NAME)
def test_a_value_that_came_back_is_cut_where_it_left(case: Case) -> None:
    diagnosis = ask(case.step, case.build)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    cuts = diagnosis.verdicts["w"].cuts
    assert {(cut.location.file, cut.location.line) for cut in cuts} == {
        (inspect.getfile(case.step), line) for line in case.marks["CUT"]
    }
    assert {cut.kind for cut in cuts} <= case.kinds
    assert not diagnosis.verdicts["v"].cuts


@pytest.mark.parametrize("case", STEERING, **NAME)
def test_a_value_that_only_chooses_or_seeds_is_unused(case: Case) -> None:
    assert measure(case)["w"] == "cut"  # the loss changes with it, and yet no number of it goes in
    diagnosis = ask(case.step, case.build)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    assert not diagnosis.cuts
    assert diagnosis.verdicts["w"].certain


@pytest.mark.parametrize("case", ASIDE, **NAME)
def test_a_value_that_is_only_printed_or_kept_is_no_cut(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    diagnosis = ask(case.step, case.build)
    assert {name: verdict.status for name, verdict in diagnosis.verdicts.items()} == dict(case.verdicts)
    assert not diagnosis.cuts
    assert diagnosis.verdicts["w"].certain


@pytest.mark.parametrize("case", UNSEEN, **NAME)
def test_what_cannot_be_seen_is_said_and_never_called_unused(case: Case) -> None:
    diagnosis = ask(case.step, case.build)
    verdict = diagnosis.verdicts["w"]
    assert (verdict.status, verdict.certain, verdict.cuts) == ("unreached", False, ())
    assert diagnosis.verdicts["v"].status == "gradient"
    for line in case.marks.get("LEFT", ()):
        assert any(f"{Path(inspect.getfile(case.step)).name}:{line}" in note for note in diagnosis.notes)
    assert diagnosis.notes
    report = write(diagnosis)
    assert "warning[unreached]: w gets no gradient" in report
    assert "nothing that this backward starts from" not in report


_TWO_FILES = """
import types

import reads
import sets
import torch

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record

w, v = (torch.rand(3, requires_grad=True) for _ in range(2))
options = types.SimpleNamespace(width=3)
with record() as trace:
    sets.put(options, w)
    loss = reads.use(options, v)
diagnosis = diagnose(loss, trace, parameters={"w": w, "v": v})
verdict = diagnosis.verdicts["w"]
print(verdict.status, verdict.certain, any("sets.py:2" in note for note in diagnosis.notes))
"""


@pytest.mark.parametrize(("read", "told"), [("scale", "unreached False True"), ("width", "unused True False")])
def test_what_an_attribute_holds_another_file_may_read(read: str, told: str, tmp_path: Path) -> None:
    texts = {
        "sets": "def put(options, w):\n    options.scale = w.sum().item()\n",
        "reads": f"def use(options, v):\n    s = options.{read}\n    t = 2 * s\n    return (v * t).sum()\n",
        "both": _TWO_FILES,
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    done = subprocess.run([sys.executable, tmp_path / "both.py"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == told
