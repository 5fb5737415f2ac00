"""The report, from hand-built diagnoses: what is marked, what is grouped, what is quiet."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from graphvis.model import Cut, Location
from graphvis.model.diagnosis import Conflict, Diagnosis, Finding
from graphvis.picture.report import spans, write
from graphvis.picture.report.frames import clean

SOURCE = """\
class MLP:
    def forward(self, x):
        h = self.proj(F.gelu(self.fc(x)))
        if self.probe:
            h = h.detach()
        return h
"""


@pytest.fixture
def model_file(tmp_path: Path) -> str:
    """A file with a detach on line 5."""
    path = tmp_path / "model.py"
    path.write_text(SOURCE)
    return str(path)


def cut(file: str, line: int = 5, kind: str = "detach", text: str = "h = h.detach()", **rest: object) -> Cut:
    """A cut at a line."""
    return msgspec.convert(
        {"kind": kind, "location": {"file": file, "line": line, "function": "MLP.forward", "text": text}, "tensor": "h",
         **rest}, Cut)  # fmt: skip


def diagnosis(file: str, **rest: object) -> Diagnosis:
    """Two of three parameters cut at one line."""
    values: dict[str, object] = {
        "backward": Location(file="/elsewhere/train.py", line=13, function="<module>", text="loss.backward()"),
        "findings": (
            Finding(parameter="fc.weight", status="cut", cuts=(0,), shape=(3, 4), numel=12),
            Finding(parameter="fc.bias", status="cut", cuts=(0,), shape=(3,), numel=3),
            Finding(parameter="head.weight", status="gradient", cuts=(), shape=(5,), numel=5),
        ),
        "cuts": (cut(file, parameters=("fc.weight", "fc.bias")),),
    }
    return Diagnosis(**{**values, **rest})  # type: ignore[arg-type]


def test_a_cut_is_told_whole(model_file: str, tmp_path: Path) -> None:
    """The report, line for line."""
    assert (
        write(diagnosis(model_file), cwd=str(tmp_path), command="train.py")
        == """\
error[cut]: 2 of 3 parameters get no gradient from loss.backward()
 --> model.py:5 in MLP.forward
  |
3 |         h = self.proj(F.gelu(self.fc(x)))
4 |         if self.probe:
5 |             h = h.detach()
  |                 ^^^^^^^^^^ detach: the value goes on, its gradient stops here
  |
   = tensor: h
   = lost:   fc.weight    [3, 4]
             fc.bias      [3]
             15 of 20 numbers
   = help:   if these parameters should learn, drop the detach(); if not,
             requires_grad_(False) says so, and graphvis counts them as frozen
   = check:  graphvis run --without model.py:5 train.py

backward at /elsewhere/train.py:13: loss.backward()
    1 gradient   2 cut   0 zero   0 unused   0 frozen     1 cut, 0 conflicts
"""
    )


def test_an_edited_file_is_not_quoted(model_file: str, tmp_path: Path) -> None:
    """Where the file no longer says what was recorded, the recorded text stands alone under its number."""
    Path(model_file).write_text("# a new first line\n" + SOURCE)
    text = write(diagnosis(model_file), cwd=str(tmp_path))
    assert "5 | h = h.detach()\n  |     ^^^^^^^^^^ detach" in text
    assert "self.probe" not in text


def test_many_cuts_at_one_line_are_told_once(model_file: str, tmp_path: Path) -> None:
    """A loop that detaches at each turn is one thing to tell."""
    told = diagnosis(
        model_file,
        cuts=tuple(cut(model_file, call=i) for i in range(4)),
        findings=tuple(Finding(parameter=f"blocks.{i}.weight", status="cut", cuts=(i,), numel=1) for i in range(4)),
    )
    text = write(told, cwd=str(tmp_path))
    assert text.count("error[cut]") == 1
    assert "4 of 4 parameters" in text


def test_two_cuts_that_sever_together_are_one_finding(model_file: str, tmp_path: Path) -> None:
    """Both lines are shown, the error is one."""
    told = diagnosis(
        model_file,
        cuts=(cut(model_file), cut(model_file, line=6, kind="no_grad", text="return h")),
        findings=(Finding(parameter="w", status="cut", cuts=(0, 1), numel=1),),
    )
    text = write(told, cwd=str(tmp_path))
    assert text.count("error[cut]") == 1
    assert "w gets no gradient" in text
    assert "drop the detach(); and compute this with grad mode on" in " ".join(text.split())


def test_intended_cuts_take_one_quiet_line(model_file: str, tmp_path: Path) -> None:
    """No error, no excerpt."""
    text = write(diagnosis(model_file), cwd=str(tmp_path), quiet=dict.fromkeys(("fc.weight", "fc.bias"), "as intended"))
    assert "error" not in text
    assert "note: detach at model.py:5 keeps the gradient from 2 parameters, as intended" in text


def test_two_cuts_that_are_intended_together_are_a_plural(model_file: str, tmp_path: Path) -> None:
    """A target network whose policy detaches within no_grad: both keep the gradient away."""
    told = diagnosis(
        model_file,
        cuts=(cut(model_file), cut(model_file, line=6, kind="no_grad", text="return h")),
        findings=(Finding(parameter="w", status="cut", cuts=(0, 1), numel=1),),
    )
    text = write(told, cwd=str(tmp_path), quiet={"w": "as intended"})
    assert (
        "note: detach at model.py:5 and no_grad at model.py:6 keep the gradient from 1 parameter, as intended" in text
    )


def test_without_a_trace_one_line_says_how_to_record(model_file: str) -> None:
    """After the fact nothing is known of the reason."""
    told = diagnosis(
        model_file, traced=False, cuts=(), findings=(Finding(parameter="w", status="unreached", cuts=(), numel=1),)
    )
    text = write(told)
    assert "error[unreached]: w gets no gradient" in text
    assert "with graphvis.record() as trace" in " ".join(text.split())


def test_a_conflict_shows_who_wrote_and_who_saved(model_file: str, tmp_path: Path) -> None:
    """PyTorch names the victim only; we name the line that wrote first."""
    wrote = Location(file=model_file, line=5, function="MLP.forward", text="h = h.detach()")
    saved = Location(file=model_file, line=3, function="MLP.forward", text="h = self.proj(F.gelu(self.fc(x)))")
    conflict = Conflict(effect="raises", node="GeluBackward0", saved="self", saved_at=saved, modified_at=wrote,
                        expected_version=0, version=1, function="Tensor.zero_")  # fmt: skip
    text = write(diagnosis(model_file, findings=(), cuts=(), conflicts=(conflict,)), cwd=str(tmp_path))
    assert text.index("model.py:5") < text.index("model.py:3")
    assert "written here: version 0 became 1" in text
    assert "GeluBackward0 saved it here" in text


def test_all_that_one_line_overwrote_is_one_finding(model_file: str, tmp_path: Path) -> None:
    """An optimizer's step between forward and backward overwrites every weight."""
    wrote = Location(file=model_file, line=5, function="train", text="optimizer.step()")
    found = tuple(
        Conflict(effect="raises", node="AddmmBackward0", saved="mat2", modified_at=wrote, expected_version=0, version=1,
                 saved_at=Location(file=model_file, line=3, text=f"h = f{i}(h)"), function="torch._foreach_add_")
        for i in range(30)
    )  # fmt: skip
    text = write(diagnosis(model_file, findings=(), cuts=(), conflicts=found), cwd=str(tmp_path))
    assert text.count("error[conflict]") == 1
    assert "30 saved tensors were overwritten" in text
    assert text.count("saved it here") == 4
    assert "before the optimizer's step" in text


def test_what_a_layer_overwrote_on_the_line_of_a_step_was_not_the_optimizer(model_file: str, tmp_path: Path) -> None:
    wrote = Location(file=model_file, line=5, function="train", text="net(x).sum().backward(); optimizer.step()")
    conflict = Conflict(effect="raises", node="SigmoidBackward0", saved="result", modified_at=wrote, saved_at=wrote,
                        expected_version=0, version=1, function="torch.nn.functional.relu")  # fmt: skip
    text = write(diagnosis(model_file, findings=(), cuts=(), conflicts=(conflict,)), cwd=str(tmp_path))
    assert "optimizer's step" not in text
    assert "write out of place" in text


@pytest.mark.parametrize(
    ("text", "kind", "marked"),
    [
        ("h = h.detach()", "detach", "h.detach()"),
        ("return f(x + h.sin().detach() * 2)", "detach", "h.sin().detach()"),
        ("y = torch.detach(x)", "detach", "torch.detach(x)"),
        ("y = x.data + 1  # .data", "data", "x.data"),
        ("total += loss.item()", "item", "loss.item()"),
        ("if float(x) > 0:", "item", "float(x)"),
        ("elif x.item():", "item", "x.item()"),
        ("a = h.detach().numpy()", "numpy", "h.detach().numpy()"),
        ("h = self.fc(x)", "no_grad", "self.fc(x)"),
        ("return self.fc(x)", "inference_mode", "self.fc(x)"),
        ("mask = x > 0", "non_differentiable", "x > 0"),
        ("self.w = nn.Parameter(h / 2)", "rewrap", "nn.Parameter(h / 2)"),
        ("g = w.grad", "grad", "w.grad"),
        (").detach()", "detach", ".detach()"),
        ("变量 = 隐藏.detach()", "detach", "隐藏.detach()"),
    ],
)
def test_the_mark_is_under_the_expression(text: str, kind: str, marked: str) -> None:
    """The smallest expression that cuts."""
    start, stop = spans.span_of_cut(text, kind)
    assert text[start:stop] == marked


def test_carets_stand_under_wide_characters(tmp_path: Path) -> None:
    """A CJK character takes two columns."""
    text = write(diagnosis("<stdin>", cuts=(cut("<stdin>", text="变量 = 隐藏.detach()"),)), cwd=str(tmp_path))
    line, under = re.search(r"\n5 \| (.*)\n  \| ( *\^+)", text).groups()  # type: ignore[union-attr]
    assert spans.display_width(line) == spans.display_width(under)


def test_names_cannot_drive_the_terminal() -> None:
    """Control characters of a hostile name do not reach it."""
    assert "\x1b" not in clean("a\x1b[2Jb")
    text = write(Diagnosis(findings=(Finding(parameter="\x1b[2Jw", status="unused", cuts=(), numel=1),)))
    assert "\x1b" not in text


def test_colour_changes_no_word(model_file: str, tmp_path: Path) -> None:
    """The same text without the escapes."""
    plain, coloured = (write(diagnosis(model_file), cwd=str(tmp_path), color=color) for color in (False, True))
    assert plain != coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_a_long_list_is_folded_by_module(model_file: str, tmp_path: Path) -> None:
    """148 names are no report."""
    findings = tuple(
        Finding(parameter=f"encoder.{i}.fc.{j}", status="unused", cuts=(), numel=1) for i in range(5) for j in "ab"
    )
    text = write(Diagnosis(findings=findings))
    assert "encoder.3.fc.*    2 parameters" in text
    assert len(text.splitlines()) < 20


def test_all_that_one_no_grad_cuts_is_one_error_at_its_line() -> None:
    since = Location("/nowhere/train.py", 5, "step", "with torch.no_grad():")
    under = [Location("/nowhere/train.py", line, "step", f"h = layer{line}(h)") for line in (6, 7)]
    cuts = tuple(Cut(kind="no_grad", location=at, since=since, parameters=(f"p{i}",)) for i, at in enumerate(under))
    findings = tuple(Finding(parameter=f"p{i}", status="cut", cuts=(i,), shape=(2,), numel=2) for i in range(2))
    text = write(Diagnosis(findings=findings, cuts=cuts), cwd="/nowhere")
    assert text.count("error[cut]") == 1
    assert "2 of 2 parameters get no gradient" in text
    assert "--> train.py:5 in step" in text
    assert "grad mode off from here on" in text


def test_a_block_under_no_grad_is_tried_by_its_own_line() -> None:
    since = Location("/nowhere/train.py", 5, "step", "with torch.no_grad():")
    called = Location("/nowhere/train.py", 9, "step", "y = encode(h)")
    cuts = (
        Cut(kind="no_grad", location=Location("/nowhere/train.py", 6, "step", "h = f(h)"), since=since),
        Cut(kind="no_grad", location=Location("/nowhere/model.py", 3, "encode", "return f(h)"), since=called),
    )
    told = Diagnosis(findings=(Finding(parameter="w", status="cut", cuts=(0, 1), numel=2),), cuts=cuts)
    text = write(told, cwd="/nowhere", command="train.py")
    assert "= check:  graphvis run --without train.py:5 --without train.py:9 train.py\n" in text
    assert "encode(h)\n  |     ^^^^^^^^^ runs with grad mode off" in text
    words = " ".join(text.split())
    assert "compute it outside of the no_grad; and call it so that grad mode stays on" in words
    assert "tensor:" not in text


def test_a_backward_on_the_line_of_a_loop_is_named_alone() -> None:
    where = Location(
        "/nowhere/t.py", 4, "<module>", "for _ in range(3): loss = f(h.detach()); loss.backward(); o.step()"
    )
    told = Diagnosis(
        backward=where,
        findings=(Finding(parameter="w", status="cut", cuts=(0,), numel=1),),
        cuts=(Cut(kind="detach", location=where),),
    )
    text = write(told, cwd="/nowhere")
    assert "w gets no gradient from loss.backward()\n" in text
    assert "backward at t.py:4: loss.backward()\n" in text


def test_words_that_do_not_fit_stand_under_the_carets(tmp_path: Path) -> None:
    text = "loss = criterion(network(all_the_inputs_of_the_batch).detach(), targets_of_the_same_batch, weights)"
    lines = write(diagnosis("<stdin>", cuts=(cut("<stdin>", text=text),)), cwd=str(tmp_path)).splitlines()
    at = next(i for i, line in enumerate(lines) if "^^^" in line)
    assert lines[at].endswith("^")
    assert lines[at + 1].strip(" |").startswith("detach: the value goes on")
    assert len(lines[at + 1]) <= 88 < len(lines[at - 1])


def test_a_way_out_is_told_once() -> None:
    cuts = tuple(
        Cut(kind="non_differentiable", location=Location("/nowhere/t.py", line, "f", f"i{line} = h.argmax()"))
        for line in (3, 4)
    )
    findings = tuple(Finding(parameter=f"w{i}", status="cut", cuts=(i,), numel=1) for i in range(2))
    text = write(Diagnosis(findings=findings, cuts=cuts), cwd="/nowhere")
    assert text.count("softmax for an") == 1
    assert "= help:   as above" in text


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("a = h.detach().numpy()", "detach", "compute it with torch instead of NumPy"),
        ("a = h.data.tolist()", "data", "keep the tensor"),
        ("s = model.state_dict()", "detach", "keep_vars=True"),
        ("h = h.detach()", "detach", "drop the detach()"),
    ],
)
def test_the_way_out_is_one_that_runs(text: str, kind: str, says: str) -> None:
    """Without its detach() the numpy() behind it would raise."""
    told = diagnosis("<stdin>", cuts=(cut("<stdin>", text=text, kind=kind),))
    assert says in " ".join(write(told, cwd="/").split())


@pytest.mark.parametrize(
    ("text", "kind", "subject"),
    [
        ("h = checkpoint(block, x, use_reentrant=True)", "checkpoint", "x"),
        ("h = Round.apply(z)", "function", "z"),
        ("(g,) = torch.autograd.grad(loss, [w])", "grad", "loss"),
        ("s = m.state_dict()", "detach", ""),
        ("g = w.grad", "grad", "w"),
        ("h = self.hidden.detach()", "detach", "self.hidden"),
    ],
)
def test_what_a_line_cuts(text: str, kind: str, subject: str) -> None:
    assert spans.subject_of_cut(text, kind) == subject


def freed(**rest: object) -> Conflict:
    """A state that a second backward reaches through."""
    at = {
        name: Location("/nowhere/t.py", line, "<module>", text)
        for name, line, text in (
            ("saved_at", 6, "h = cell(x, h)"),
            ("carried_at", 6, "h = cell(x, h)"),
            ("modified_at", 8, "loss.backward()"),
        )
    }
    values = {"effect": "raises", "node": "TanhBackward0", "function": "Tensor.backward", "carrier": "h", **at, **rest}
    return Conflict(**values)  # type: ignore[arg-type]


def test_a_second_backward_names_the_state() -> None:
    text = write(Diagnosis(conflicts=(freed(),)), cwd="/nowhere")
    assert "error[freed]: backward goes a second time through a graph that was freed, by way of h\n" in text
    assert text.index("t.py:6") < text.index("t.py:8")
    assert "6 | h = cell(x, h)\n  |             ^ h takes the graph" in text
    assert "detach what is carried over (h = h.detach())" in " ".join(text.split())


def test_a_second_backward_of_the_same_loss() -> None:
    text = write(Diagnosis(conflicts=(freed(carrier="loss", carried_at=None),)), cwd="/nowhere")
    assert "by way of" not in text
    assert "compute the loss again before each backward()" in " ".join(text.split())


def test_numpy_is_told_in_words() -> None:
    conflict = Conflict(
        effect="wrong gradient", certain=False, node="MmBackward0", saved="self", function="torch.from_numpy",
        modified_at=Location("/nowhere/t.py", 3, "f", "x = torch.from_numpy(obs)"),
    )  # fmt: skip
    text = write(Diagnosis(conflicts=(conflict,)), cwd="/nowhere")
    assert "the self that MmBackward0 saved has changed in memory that NumPy shares" in text
    assert "write into a copy" in text
    assert "overwritten" not in text


@pytest.mark.parametrize(
    ("text", "node", "slot", "marked"),
    [
        ("return x + self.mlp(self.ln(x))", "AddBackward0", 1, "self.mlp(self.ln(x))"),
        ("return x + self.mlp(self.ln(x))", "AddBackward0", 0, "x"),
        ("y = (h @ w).sum()", "MmBackward0", 0, "h"),
        ("y = a + b + c", "AddBackward0", 1, "a + b + c"),
        ("y = f(x)", "AddmmBackward0", 1, "f(x)"),
        ("y = a * b", "AddBackward0", 1, "a * b"),
        ("y = a * b", "MulBackward0", None, "a * b"),
    ],
)
def test_the_operand_of_a_slot(text: str, node: str, slot: int | None, marked: str) -> None:
    """Only where the line leaves no doubt."""
    start, stop = spans.span_of_operand(text, node, slot)
    assert text[start:stop] == marked
