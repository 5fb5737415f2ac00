"""Drawables as JSON, written and read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from graphvis.draw.formats import SIDES, Variant
from graphvis.errors import DocumentError
from graphvis.model import Comparison, Diagnosis, Drawable, Graph, Moment, lines
from graphvis.progress import telling


def to_json(drawable: Drawable, variant: Variant = "pair") -> Iterator[bytes]:
    """A drawable as JSON, in pieces that are made when asked for: a graph may hold a million nodes.

    Args:
        drawable: a Graph, Moment, Comparison or Diagnosis.
        variant: ``before`` or ``after`` for one half of a Comparison.
    """
    document = drawable
    if isinstance(drawable, Comparison) and variant in SIDES:
        moment = drawable.before if variant == "before" else drawable.after
        assert moment is not None
        document = moment
    with telling("writing JSON", lines.count(document)) as step:
        for text, items in lines.write(document):
            step(items)
            yield text


def read(path: str | os.PathLike[str]) -> Drawable:
    """The document that :func:`save` wrote as JSON.

    Raises:
        DocumentError: if it cannot be read, is truncated, or is no document of graphvis.
    """
    try:
        with open(path, "rb") as source, _rewindable(source) as file:
            size = os.fstat(file.fileno()).st_size
            with telling(f"reading {Path(path).name}", size) as step:
                return lines.read(file, Graph, Moment, Comparison, Diagnosis, told=step)
    except OSError as error:
        raise DocumentError(f"cannot read {os.fspath(path)}: {error.strerror}") from None
    except DocumentError as error:
        raise DocumentError(f"{os.fspath(path)}: {error.what}", error.fix) from None


@contextmanager
def _rewindable(source: BinaryIO) -> Iterator[BinaryIO]:
    """What can be read from its beginning again: the source, or of a pipe a copy on the disk."""
    if source.seekable():
        yield source
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(source, copy)
        copy.seek(0)
        yield copy
