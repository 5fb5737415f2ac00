import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graphvis.errors import ScenarioError
from graphvis.scenario import blame, find, find_scenarios, load

GOOD = '''"""A finding.

A caption.
"""

from graphvis.scenario import after


def program():
    yield after(None)
'''


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def told(path):
    """What is said of a scenario that cannot be read, in one string."""
    with pytest.raises(ScenarioError) as caught:
        find(path)
    return str(caught.value)


# What a scenario is.


def test_a_file_is_read(write):
    scenario = find(write(GOOD))
    assert (scenario.name, scenario.title, scenario.description) == ("mine", "A finding.", "A caption.")
    assert (scenario.takes_cut, scenario.source) == (False, GOOD)
    assert scenario.path.is_absolute()


def test_a_title_that_runs_over_two_lines_is_one_line(write):
    assert find(write(GOOD.replace("A finding.", "A finding\nof some length."))).title == "A finding of some length."


def test_takes_cut(write):
    assert find(write(GOOD.replace("program()", "program(cut)"))).takes_cut


def test_a_relative_path_becomes_absolute(write, monkeypatch):
    monkeypatch.chdir(write(GOOD).parent)
    assert find("mine.py").path == Path.cwd() / "mine.py"


def test_an_encoding_cookie_is_heeded(write):
    text = "# -*- coding: gbk -*-\n" + GOOD.replace("A finding.", "断开梯度")
    assert find(write(text.encode("gbk"))).title == "断开梯度"


def test_crlf_is_read_as_line_breaks(write):
    assert find(write(GOOD.replace("\n", "\r\n"))).source == GOOD


# The built-in ones.


def test_builtin_names_are_unique_and_found_again():
    found = find_scenarios()
    assert len({scenario.name for scenario in found}) == len(found) > 30
    assert all(find(scenario.name) == scenario for scenario in found)


def test_builtin_order_is_the_article_first():
    assert [scenario.name for scenario in find_scenarios()][:4] == [
        "plain", "detach_alone", "detach_backward", "detach_zero",
    ]  # fmt: skip


@pytest.mark.parametrize("scenario", find_scenarios(), ids=lambda scenario: scenario.name)
def test_a_title_fits_the_picture(scenario):
    """690 px in the title bar's type."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    assert stringWidth(scenario.title, "Helvetica-Bold", 15) <= 690
    assert scenario.description


@pytest.mark.parametrize("scenario", find_scenarios(), ids=lambda scenario: scenario.name)
def test_every_moment_says_what_backward_must_give(scenario):
    """A picture is checked at every render only where its scenario claims something."""
    program = load(scenario)
    for arguments in ((False,), (True,)) if scenario.takes_cut else ((),):
        for moment in program(*arguments):
            assert moment.expectation.grads or moment.expectation.error


def test_a_scenario_that_sends_the_reader_to_another_names_one_that_exists():
    names = {scenario.name for scenario in find_scenarios()}
    sent = [name for scenario in find_scenarios() for name in re.findall(r"\b[Ss]ee (\w+)", scenario.description)]
    assert sent
    assert set(sent) <= names


# A folder of one's own.


def test_a_folder_by_order_then_name(tmp_path):
    for name, order in (("b", 1), ("a", 1), ("c", 0.5)):
        (tmp_path / f"{name}.py").write_text(f"{GOOD}\n\nORDER = {order}\n")
    for name in ("z", "y"):
        (tmp_path / f"{name}.py").write_text(GOOD)
    (tmp_path / "_private.py").write_text("")
    (tmp_path / "notes.txt").write_text("")
    assert [scenario.name for scenario in find_scenarios(tmp_path)] == ["c", "a", "b", "y", "z"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ScenarioError, match="cannot read the folder"):
        find_scenarios(tmp_path / "nowhere")


# What is no scenario.


def test_an_unknown_name_offers_near_ones():
    message = told("detach_zeros")
    assert message.startswith("no scenario is named 'detach_zeros'")
    assert "Did you mean detach_zero" in message
    assert "graphvis list" in message


@pytest.mark.parametrize("name", ["", "_", "..", "nul\0"])
def test_a_name_that_names_nothing(name):
    assert "scenario" in told(name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "def (:\n", ":11: not Python: invalid syntax"),
        (GOOD + "x = '\n", ":11: not Python: unterminated string literal"),
        (GOOD.replace('"""', "'''", 1), "not Python"),
        (b"\x7fELF\0\0", "it holds binary data"),
        (b"\xff\xfe", "not Python"),
        (b"# coding: klingon\n", "not Python: unknown encoding"),
        ("", "no function named program"),
        ("import torch\n", "no function named program"),
        ("def program():\n    yield 1\n", "no docstring"),
        (GOOD.replace("program()", "program(cut, more)"), ":9: program takes other arguments than cut"),
        (GOOD.replace("program()", "program(*, cut)"), ":9: program takes other arguments than cut"),
        (GOOD.replace("program()", "program(**cut)"), ":9: program takes other arguments than cut"),
        (GOOD.replace("yield after", "return after"), ":9: program yields nothing"),
        (GOOD.replace("yield after(None)", "return lambda: (yield)"), ":9: program yields nothing"),
        (GOOD.replace("def program", "async def program"), "no function named program"),
        ("(" * 5000 + ")" * 5000, "not Python"),
    ],
)
def test_a_file_that_is_no_scenario_is_told_by_line(write, text, says):
    message = told(write(text))
    assert says in message
    assert "mine.py" in message
    assert len(message.splitlines()) <= 3


def test_a_missing_file(tmp_path):
    assert told(tmp_path / "nowhere.py").startswith(f"no such file: {tmp_path / 'nowhere.py'}")


def test_a_directory(tmp_path):
    assert f"{tmp_path} is a directory" in told(tmp_path)


def test_a_directory_by_a_bare_name(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "'pictures' is a directory" in told("pictures")


def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    assert "not a regular file" in told(tmp_path / "pipe.py")


def test_a_path_that_the_system_refuses(tmp_path):
    assert "File name too long" in told(tmp_path / f"{'a' * 300}.py")


def test_a_path_with_a_nul():
    assert "no such file" in told("a\0b.py")


# Loading.


def test_loading_returns_the_program(write):
    moment = next(load(find(write(GOOD)))())
    assert moment.side == "after"


def test_dataclasses_work_in_a_scenario(write):
    text = GOOD.replace("from graphvis", "from __future__ import annotations\n\nimport dataclasses\n\nfrom graphvis")
    text = text.replace("    yield", "    @dataclasses.dataclass\n    class Pair:\n        a: int = 3\n\n    yield")
    text = text.replace("None", "Pair()")
    assert dataclasses.asdict(next(load(find(write(text)))()).outputs) == {"a": 3}


def test_a_file_shadows_no_module(write):
    import random

    load(find(write(GOOD, "random.py")))
    assert sys.modules["random"] is random
    assert "mine" not in sys.modules


def test_a_neighbour_can_be_imported_and_the_path_is_as_before(write):
    write("VALUE = 41\n", "neighbour_of_mine.py")
    path = write(
        GOOD.replace("from graphvis", "from neighbour_of_mine import VALUE\nfrom graphvis").replace("None", "VALUE")
    )
    before = list(sys.path)
    try:
        assert next(load(find(path))()).outputs == 41
        assert sys.path == before
    finally:
        sys.modules.pop("neighbour_of_mine", None)


def test_what_was_read_is_what_runs(write):
    """A file that is edited while it is drawn must not give a picture whose code is another's."""
    path = write(GOOD)
    scenario = find(path)
    path.write_text("raise SystemExit")
    assert next(load(scenario)()).side == "after"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "ValueError: two"),
        ("assert False", "AssertionError"),
    ],
)
def test_an_exception_while_loading_names_the_users_own_line(write, line, says):
    path = write(GOOD.replace("from graphvis", f"{line}\nfrom graphvis"))
    scenario = find(path)
    before = set(sys.modules)
    with pytest.raises(ScenarioError) as caught:
        load(scenario)
    assert caught.value.what == f"{path}:6: {says}"
    assert caught.value.fix == f"The line reads: {line}"
    assert set(sys.modules) == before


def test_an_interrupt_while_loading_is_an_interrupt(write):
    with pytest.raises(KeyboardInterrupt):
        load(find(write(GOOD + "\n\nraise KeyboardInterrupt\n")))


def test_blame_finds_the_innermost_line_of_the_scenario(write):
    path = write(
        GOOD.replace("yield after(None)", "yield after(helper())") + "\n\ndef helper():\n    return int('no')\n"
    )
    scenario = find(path)
    program = load(scenario)
    with pytest.raises(ValueError, match="invalid literal") as caught:
        next(program())
    error = blame(scenario, caught.value)
    assert error.what.startswith(f"{path}:14: ValueError: invalid literal")
    assert error.fix == "The line reads: return int('no')"


def test_finding_and_telling_imports_no_torch():
    code = (
        "import sys; from graphvis.scenario import find_scenarios, halves_of, plain_source;"
        "[(halves_of(s), plain_source(s, 'after')) for s in find_scenarios()];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
