"""Running a script or a module as ``__main__``, with everything as Python itself would have it."""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import runpy
import sys
import traceback
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from graphvis.errors import ScriptError

_OURS = str(Path(__file__).parents[2]) + os.sep
_LAUNCHERS = (runpy.__file__, "<frozen runpy>")


class Program:
    """What is to be run.

    Args:
        target: path of a script (or of a folder or zip file with a ``__main__.py``), or a module's name.
        arguments: what the program finds in ``sys.argv[1:]``.
        module: whether `target` is a module's name.

    Raises:
        ScriptError: if there is no such script or module.
    """

    def __init__(self, target: str, arguments: list[str], *, module: bool) -> None:
        self.target, self.arguments, self.module = target, arguments, module
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
        if self.module:
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
        folder = os.getcwd() if self.module else os.path.dirname(os.path.realpath(self.target))
        if self.module or os.path.isfile(self.target):
            sys.path[0:1] = [folder]

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
    main = ModuleType("__main__")
    main.__file__ = file
    main.__loader__ = SourceFileLoader("__main__", file)
    main.__dict__.update(__builtins__=builtins, __annotations__={}, __cached__=None)
    with io.open_code(file) as source:
        code = compile(source.read(), file, "exec", dont_inherit=True)
    # It stays in place afterwards: what the script registered with atexit, and its pickles, look it up there.
    sys.modules["__main__"] = main
    exec(code, main.__dict__)


def own_traceback(error: BaseException) -> str:
    """The traceback as the script alone would have printed it, without our frames."""
    told = traceback.TracebackException.from_exception(error)
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        part = waiting.pop()
        if part is None:
            continue
        part.stack = traceback.StackSummary.from_list(
            [frame for frame in part.stack if not frame.filename.startswith(_OURS) and frame.filename not in _LAUNCHERS]
        )
        waiting += [part.__cause__, part.__context__, *(part.exceptions or ())]
    return "".join(told.format())
