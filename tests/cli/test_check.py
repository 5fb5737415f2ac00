"""graphvis check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graphvis.cli import gallery
from graphvis.cli.committed import differences, provenance_in
from graphvis.scenario import find_scenarios
from tests.cli.conftest import Result, lines_of

Call = Callable[..., Result]


@pytest.fixture
def drawn(call: Call) -> Call:
    """In a folder whose out/ holds two scenarios as they are drawn today."""
    assert call("render", "detach_zero", "plain", "-f", "svg,dot,json").code == 0
    return call


def replace_in(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def test_pictures_of_today_are_good(drawn: Call) -> None:
    result = drawn("check", "detach_zero", "plain")
    assert (result.code, result.out) == (0, "")
    assert "2 scenarios" in result.err


def test_missing_picture(drawn: Call) -> None:
    Path("out/plain.narrow.svg").unlink()
    result = drawn("check", "detach_zero", "plain")
    assert (result.code, result.out) == (1, "out/plain.narrow.svg: missing\n")


def test_other_formats_are_checked_only_where_they_are(drawn: Call) -> None:
    Path("out/plain.dot").unlink()
    assert drawn("check", "plain").code == 0
    replace_in("out/detach_zero.dot", "Sigmoid", "Tanh")
    result = drawn("check", "detach_zero")
    assert (result.code, result.out) == (1, "out/detach_zero.dot: not what is drawn today\n")


def test_changed_drawing_of_the_same_graph(drawn: Call) -> None:
    replace_in("out/plain.svg", "#ffffff", "#fffffe")
    result = drawn("check", "plain")
    assert result.code == 1
    assert result.out.startswith("out/plain.svg: the graph is the same, the drawing differs")


def test_changed_words_in_the_drawing_of_the_same_graph(drawn: Call) -> None:
    replace_in("out/plain.svg", "SumBackward0</text>", "MeanBackward0</text>")
    result = drawn("check", "plain")
    assert (result.code, result.out) == (
        1, "out/plain.svg: the graph is the same; 'MeanBackward0' is 'SumBackward0' now\n",
    )  # fmt: skip


def test_changed_graph_is_told_in_words(drawn: Call) -> None:
    """The picture of another program under this name."""
    for path in Path("out").glob("plain.*"):
        path.unlink()
    for path in Path("out").glob("detach_zero*.svg"):
        path.rename(path.with_name(path.name.replace("detach_zero", "plain")))
    result = drawn("check", "plain")
    assert result.code == 1
    assert "tensor c is gone" in result.out
    assert "value lane" in result.out


def test_one_line_for_all_files_with_the_same_to_say(drawn: Call) -> None:
    for variant in ("", ".before", ".after", ".narrow"):
        replace_in(f"out/detach_zero{variant}.svg", "#ffffff", "#fffffe")
    result = drawn("check", "detach_zero")
    assert result.out.startswith("out/detach_zero.svg, .narrow.svg, .before.svg, .after.svg: ")
    assert result.out.count("\n") == 1


def test_another_patch_version_is_the_same(drawn: Call) -> None:
    kept = provenance_in(Path("out/plain.svg").read_text())
    replace_in("out/plain.svg", kept["torch"], ".".join(kept["torch"].split(".")[:2]) + ".9+cu999")
    assert drawn("check", "plain").code == 0


def test_another_minor_version_compares_the_graph(drawn: Call) -> None:
    kept = provenance_in(Path("out/plain.svg").read_text())
    replace_in("out/plain.svg", kept["torch"], "2.9.0")
    replace_in("out/plain.svg", "#ffffff", "#fffffe")
    result = drawn("check", "plain")
    assert (result.code, result.out) == (0, "")
    assert "note: out/plain.svg: drawn under PyTorch 2.9" in result.err
    replace_in("out/plain.svg", "SumBackward0", "MeanBackward0")
    result = drawn("check", "plain")
    assert result.code == 1
    assert "function MeanBackward0 is gone" in result.out


@pytest.mark.parametrize(
    "content", ["", "<svg/>", "<svg><metadata>{</metadata></svg>", "<svg><metadata>[]</metadata>", "\0"]
)
def test_file_of_somebody_else(drawn: Call, content: str) -> None:
    Path("out/plain.svg").write_text(content)
    result = drawn("check", "plain")
    assert (result.code, result.out) == (1, "out/plain.svg: not a picture that graphvis drew, or not whole\n")


def test_theme_of_the_committed_picture_is_kept(call: Call) -> None:
    assert call("render", "plain", "-f", "svg", "--theme", "dark").code == 0
    assert call("check", "plain").code == 0


def test_scenario_that_is_not_true_any_more(call: Call) -> None:
    Path("mine.py").write_text(
        '"""T."""\nimport torch\nfrom graphvis.scenario import after, expect\ndef program():\n'
        "    x = torch.ones(2, requires_grad=True)\n    yield after(x.sum(), expect(grads={'x': [1.0, 1.0]}))\n"
    )
    assert call("render", "mine.py", "-f", "svg").code == 0
    assert call("check", "mine.py").code == 0
    replace_in("mine.py", "[1.0, 1.0]", "[2.0, 2.0]")
    result = call("check", "mine.py")
    assert result.code == 1
    assert "mine.py: cannot be drawn any more" in result.out


def test_all_with_a_picture_too_many_and_an_old_gallery(call: Call) -> None:
    Path("README.md").write_text(f"{gallery.BEGIN}\n{gallery.END}\n")
    assert call("render", "--all", "-f", "svg").code == 0
    assert call("snippet", "--all", "--into", "README.md").code == 0
    result = call("check")
    assert (result.code, result.out) == (0, "")
    assert f"{len(find_scenarios())} scenarios" in result.err
    Path("out/gone.svg").write_text(Path("out/plain.svg").read_text())
    Path("out/photo.svg").write_text("<svg/>")
    replace_in("README.md", "out/plain.svg", "out/other.svg")
    result = call("check")
    assert result.code == 1
    assert result.out.splitlines() == [
        "out/gone.svg: no scenario draws it; remove it",
        "README.md: its gallery is not today's: graphvis snippet --all --into README.md",
    ]


def test_unknown_name(call: Call) -> None:
    assert "nope" in lines_of(call("check", "nope"))[0]


def test_differences_are_counted_not_only_named() -> None:
    """Two nodes of one name, of which one is lost."""
    two = {"nodes": [["function", "Mul", "kept"]] * 2, "edges": [["gradient", 0, 0, 1, "kept"]]}
    one = {"nodes": [["function", "Mul", "kept"]], "edges": []}
    severed = {"nodes": [["function", "Mul", "kept"], ["function", "Mul", "severed"]], "edges": two["edges"]}
    assert list(differences(two, two)) == []
    edge = "the edge Mul (slot 0) to Mul, gradient lane"
    assert list(differences(two, one)) == ["function Mul is gone", f"{edge} is gone"]
    assert list(differences(one, two)) == ["function Mul is new", f"{edge} is new"]
    assert list(differences(two, severed)) == ["function Mul was kept and is severed"]
