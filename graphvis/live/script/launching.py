"""Running a script or a module as ``__main__``, with everything as Python itself would have it."""

from __future__ import annotations

import builtins
import importlib.util
import io
import linecache
import os
import runpy
import sys
import tokenize
import zipfile
from importlib.machinery import SourceFileLoader
from types import ModuleType

from graphvis.errors import ScriptError

_STDIN = "<stdin>"


class Program:
    """What is to be run.

    Args:
        target: path of a script (or of a folder or zip file with a ``__main__.py``), ``-`` for one that comes by
            standard input, or a module's name.
        arguments: what the program finds in ``sys.argv[1:]``.
        module: whether `target` is a module's name.

    Raises:
        ScriptError: if there is no such script or module.
    """

    def __init__(self, target: str, arguments: list[str], *, module: bool) -> None:
        self.target, self.arguments, self.module = target, arguments, module
        self._from_stdin = target == "-" and not module
        if self._from_stdin:
            return
        if not module and not os.path.exists(target):
            raise ScriptError(
                f"there is no script {target}", "Give the path of a Python file, or -m and a module's name."
            )
        if not module and os.path.isdir(target) and not os.path.exists(os.path.join(target, "__main__.py")):
            raise ScriptError(f"the folder {target} holds no __main__.py", "Give the path of a Python file.")
        if module:
            self._enter()
            self._check_module()

    @property
    def words(self) -> str:
        """As it was typed: ``train.py --lr 1`` or ``-m package``."""
        return " ".join([*(["-m"] if self.module else []), self.target, *self.arguments])

    def run(self) -> None:
        """Run it to its end; what it raises comes through, ``SystemExit`` included."""
        self._enter()
        sys.argv[:] = [self.target, *self.arguments]
        if self._from_stdin:
            _run_stdin()
        elif self.module:
            runpy.run_module(self.target, run_name="__main__", alter_sys=True)
        elif os.path.isdir(self.target) or _is_archive(self.target):
            runpy.run_path(self.target, run_name="__main__")
        else:
            _run_file(self.target)

    def _enter(self) -> None:
        """``sys.path[0]`` is the script's folder, or the working directory for a module; nothing in safe-path mode."""
        if sys.flags.safe_path or getattr(self, "_entered", False):
            return
        self._entered = True
        if self._from_stdin:
            sys.path[0:1] = [""]
        elif self.module:
            sys.path[0:1] = [os.getcwd()]
        elif os.path.isfile(self.target):
            sys.path[0:1] = [os.path.dirname(os.path.realpath(self.target))]

    def _check_module(self) -> None:
        try:
            spec = importlib.util.find_spec(self.target)
        except (ImportError, ValueError, AttributeError):
            spec = None
        if spec is None:
            raise ScriptError(f"there is no module {self.target}", "Give a name that `python -m` takes.")
        if spec.submodule_search_locations is not None and importlib.util.find_spec(f"{self.target}.__main__") is None:
            raise ScriptError(f"the package {self.target} holds no __main__", "Name one of its modules.")


def _is_archive(path: str) -> bool:
    return not path.endswith((".py", ".pyw")) and zipfile.is_zipfile(path)


def _run_file(path: str) -> None:
    """What ``python path`` does: the file's code in a fresh ``__main__``."""
    file = os.path.abspath(path)
    with io.open_code(file) as source:
        code = compile(source.read(), file, "exec", dont_inherit=True)
    main = _main()
    main.__file__ = file
    main.__loader__ = SourceFileLoader("__main__", file)
    main.__dict__.update(__cached__=None)
    exec(code, main.__dict__)


def _run_stdin() -> None:
    """What ``python -`` does; the lines are kept, for nobody can read them there again."""
    source = sys.stdin.buffer.read()
    code = compile(source, _STDIN, "exec", dont_inherit=True)
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    text = io.TextIOWrapper(io.BytesIO(source), encoding).read()
    linecache.cache[_STDIN] = (len(text), None, text.splitlines(keepends=True), _STDIN)
    main = _main()
    main.__file__ = _STDIN
    main.__dict__.update(__cached__=None)
    exec(code, main.__dict__)


def _main() -> ModuleType:
    """A fresh ``__main__``, in its place: what the script registers with atexit, and its pickles, look it up there."""
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __annotations__={})
    sys.modules["__main__"] = main
    return main
