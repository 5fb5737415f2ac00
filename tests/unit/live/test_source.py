"""What is known of a file's source."""

from __future__ import annotations

import linecache
from types import CodeType

import pytest

from graphvis.live.recorder.following import codes, files, source


def write(file: str, text: str) -> CodeType:
    """The code of a function of a file that lies in linecache alone."""
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space: dict[str, object] = {}
    exec(compile(text, file, "exec"), space)
    return space["f"].__code__  # type: ignore[attr-defined]


def test_what_is_known_of_a_file_is_of_one_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_files", {})
    names = [f"/of/one/tree_{i}.py" for i in range(files._MOST_FILES + 2)]
    compiled = {file: write(file, "def f(x):\n    y = x\n    return y\n") for file in names}
    for file in (*names, names[0], names[-1], names[0]):
        if file == names[-1]:
            files.forget_oldest()  # the first, too
        (function,) = source.functions_of(file)["f"]
        assert codes.scope_of(compiled[file]) is function
        assert source.owner_of("y", function, file) is function
    files.forget_oldest()
    assert len(files._files) == files._MOST_FILES


def test_a_file_that_was_written_anew_is_read_anew() -> None:
    old = write("/written/anew.py", "def f(x):\n    return x\n")
    assert codes.scope_of(old) is source.functions_of("/written/anew.py")["f"][0]
    new = write("/written/anew.py", "def g(x):\n    return x\n\ndef f(x):\n    return x + 1\n")
    assert list(source.functions_of("/written/anew.py")) == ["g", "f"]
    assert codes.scope_of(new) is source.functions_of("/written/anew.py")["f"][0]


def test_a_file_that_cannot_be_read_is_looked_for_once() -> None:
    space: dict[str, object] = {}
    exec(compile("def f(x):\n    return x\n", "/not/there.py", "exec"), space)
    code: CodeType = space["f"].__code__  # type: ignore[attr-defined]
    assert codes.scope_of(code) is None
    assert codes._table(code) is codes._table(code)
