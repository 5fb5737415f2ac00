"""Which scenarios there are: found and read without running them, and loaded when one is to run."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from graphvis.errors import ScenarioError

SHAPE = "A scenario defines program() or program(cut), which yields before(...) and after(...)."


@dataclass(frozen=True)
class Scenario:
    """A scenario as its source tells it.

    Attributes:
        name: the file's name without its suffix; fit for file names and ids.
        path: the file, absolute.
        title: the finding, from the docstring's first paragraph, in one line.
        description: the rest of the docstring: the caption and the lesson.
        source: the whole text of the file.
        takes_cut: whether the program is ``program(cut)``, which is run twice.
        order: its place among others of its folder, from a module constant ``ORDER``.
    """

    name: str
    path: Path
    title: str
    description: str
    source: str
    takes_cut: bool = False
    order: float = float("inf")


def find_scenarios(folder: str | os.PathLike[str] | None = None) -> tuple[Scenario, ...]:
    """The scenarios of a folder, by their ``ORDER``, then by name; files that begin with ``_`` are left out.

    Args:
        folder: None for the built-in ones.

    Raises:
        ScenarioError: if the folder cannot be read, or a file in it is no scenario.
    """
    where = _builtin_folder() if folder is None else Path(folder)
    try:
        paths = [path for path in where.iterdir() if path.suffix == ".py" and not path.name.startswith("_")]
    except OSError as error:
        raise ScenarioError(f"cannot read the folder {where}: {error.strerror}") from None
    return tuple(sorted(map(_read, paths), key=lambda scenario: (scenario.order, scenario.name)))


def find(name_or_path: str | os.PathLike[str]) -> Scenario:
    """The built-in scenario of that name, or the one in that file.

    Raises:
        ScenarioError: if there is none, or the file is no scenario.
    """
    wanted = os.fspath(name_or_path)
    if wanted.endswith(".py") or os.sep in wanted or (os.altsep and os.altsep in wanted):
        return _read(Path(wanted))
    builtin = _builtin_folder() / f"{wanted}.py"
    if wanted and not wanted.startswith("_") and os.path.isfile(builtin):  # False for a name too long, or with a NUL
        return _read(builtin)
    raise _unknown(wanted)


def load(scenario: Scenario) -> Callable[..., Iterator[Any]]:
    """Import a scenario's module and return its ``program``.

    The module is made from :attr:`Scenario.source` under a private name that follows from its path,
    so that a file called ``random.py`` shadows nothing. It stays in ``sys.modules`` under that name:
    dataclasses and pickle look their module up while the program runs. While it is imported, its
    folder stands at the end of ``sys.path``, so that it can import its neighbours.

    Raises:
        ScenarioError: if importing it raises; the message names the line.
    """
    digest = hashlib.sha256(os.fsencode(scenario.path)).hexdigest()[:12]
    module = ModuleType(f"_graphvis_scenario_{scenario.name}_{digest}", scenario.title)
    module.__file__ = str(scenario.path)
    sys.modules[module.__name__] = module
    try:
        with _neighbours_of(scenario.path), warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            exec(compile(scenario.source, str(scenario.path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise blame(scenario, error) from error
    program: Callable[..., Iterator[Any]] = module.__dict__["program"]
    return program


def blame(scenario: Scenario, error: BaseException) -> ScenarioError:
    """What to tell the scenario's author of an exception that their code raised: their own line, not ours."""
    line, traceback = 0, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(scenario.path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    where = f"{scenario.path}:{line}" if line else str(scenario.path)
    message = str(error).strip().partition("\n")[0]
    text = scenario.source.split("\n")[line - 1].strip() if line else ""
    return ScenarioError(
        f"{where}: {type(error).__name__}{': ' if message else ''}{message}", f"The line reads: {text}" if text else ""
    )


def _builtin_folder() -> Path:
    """The wheel carries the scenarios inside the package; a checkout has them beside it."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "scenarios"
    return inside if inside.is_dir() else package.parent / "scenarios"


def _unknown(wanted: str) -> ScenarioError:
    if wanted and os.path.exists(wanted):
        kind = "a directory" if os.path.isdir(wanted) else "a file that does not end in .py"
        return ScenarioError(
            f"{wanted!r} is {kind}, not a scenario",
            "Give the path of one .py file, or a name that graphvis list shows.",
        )
    from difflib import get_close_matches

    names = [path.stem for path in _builtin_folder().glob("[!_]*.py")]
    near = get_close_matches(wanted, sorted(names), n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return ScenarioError(
        f"no scenario is named {wanted!r}",
        f"{hint}graphvis list shows them all; a scenario of your own is given by its path.",
    )


def _read(path: Path) -> Scenario:
    source = _text_of(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            module = ast.parse(source, str(path))
    except SyntaxError as error:
        raise ScenarioError(f"{path}:{error.lineno or 1}: not Python: {error.msg}", SHAPE) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ScenarioError(f"{path}: not Python: {error or type(error).__name__}", SHAPE) from None
    takes_cut = _check_program(path, module)
    docstring = ast.get_docstring(module)
    if not docstring:
        raise ScenarioError(
            f"{path}: no docstring",
            "The docstring of the module is the picture's title and caption: begin the file with one.",
        )
    title, _, description = docstring.partition("\n\n")
    return Scenario(
        path.stem, path.absolute(), " ".join(title.split()), description.strip(), source, takes_cut, _order_of(module)
    )


def _text_of(path: Path) -> str:
    if "\0" in str(path):
        raise ScenarioError(f"no such file: {str(path)!r}", "A path holds no NUL.")
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):
            what = "a directory" if stat.S_ISDIR(kind) else "not a regular file"
            raise ScenarioError(f"{path} is {what}", "Give the path of one .py file.")
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ScenarioError(f"no such file: {path}", "graphvis list shows the scenarios that are built in.") from None
    except OSError as error:
        raise ScenarioError(f"cannot read {path}: {error.strerror}") from None
    if b"\0" in raw:
        raise ScenarioError(f"{path}: not Python: it holds binary data", SHAPE)
    try:
        return importlib.util.decode_source(raw)
    except (UnicodeDecodeError, SyntaxError) as error:
        raise ScenarioError(f"{path}: not Python: {error}", SHAPE) from None


def _check_program(path: Path, module: ast.Module) -> bool:
    """Whether ``program`` takes ``cut``; raises where it is missing or of no known shape."""
    programs = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "program"]
    if not programs:
        raise ScenarioError(f"{path}: no function named program", SHAPE)
    program = programs[-1]
    given = program.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args)]
    if names not in ([], ["cut"]) or given.vararg or given.kwarg or given.kwonlyargs:
        raise ScenarioError(f"{path}:{program.lineno}: program takes other arguments than cut", SHAPE)
    if not any(isinstance(node, ast.Yield) for node in own_nodes(program)):
        raise ScenarioError(f"{path}:{program.lineno}: program yields nothing", SHAPE)
    return names == ["cut"]


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function's own body, without those of functions and classes inside it."""
    stack = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))


def _order_of(module: ast.Module) -> float:
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="ORDER")], value=ast.Constant(value=int() | float() as order)):
                return float(order)
    return float("inf")


@contextmanager
def _neighbours_of(path: Path) -> Iterator[None]:
    folder = str(path.parent)
    if folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
