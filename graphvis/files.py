"""Writing files whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from graphvis.errors import OutputError


def write(path: str | os.PathLike[str], data: bytes | str | Iterable[bytes]) -> None:
    """Write `data` to `path`; a reader finds the old content or the new, never a part.

    The new content goes to a temporary file in the same folder, which then takes the place of the old one. An existing
    file keeps its permissions; a symbolic link stays and what it points to is replaced; a device or a pipe is written
    as it is, for nothing can take its place.

    Args:
        path: where to; its folder must exist.
        data: text is written as UTF-8, its line ends as they are; of several pieces each is written as it comes.

    Raises:
        OutputError: if it cannot be written; what stood there is then untouched.
    """
    whole = data.encode() if isinstance(data, str) else data
    pieces = (whole,) if isinstance(whole, bytes) else whole
    target = Path(os.path.realpath(path))
    try:
        mode = _mode(target)
        if mode is None:
            with target.open("wb") as file:
                file.writelines(pieces)
        else:
            _replace(target, pieces, mode)
    except OSError as error:
        raise OutputError(f"cannot write {os.fspath(path)}: {error.strerror or error}", _fix(error)) from None


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder `path`, made with its parents where it is not there.

    Raises:
        OutputError: if it cannot be made, or is a file.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if folder.is_file() else error.strerror or str(error)
        raise OutputError(f"cannot make the folder {folder}: {reason}", _fix(error)) from None
    return folder


def _mode(target: Path) -> int | None:
    """The permissions that the file shall have; None for what cannot be replaced: a device, a pipe."""
    try:
        status = target.stat()
    except FileNotFoundError:
        # The only way to read the mask is to set it. It is put back at once.
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(21, "it is a folder")
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else None


def _replace(target: Path, pieces: Iterable[bytes], mode: int) -> None:
    # The name is short whatever the target's, for a name that is just not too long must not become so.
    handle, temporary = tempfile.mkstemp(prefix=".graphvis-", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(pieces)
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:  # Ctrl-C too must leave nothing behind
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _fix(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "Choose a folder that you may write to."
    if isinstance(error, FileNotFoundError):
        return "Make its folder first, or choose another."
    return "Choose another path."
