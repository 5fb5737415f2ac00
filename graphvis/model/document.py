"""Saved documents: every one names its schema, and a foreign or broken one is a clear error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, TypeVar, Union

import msgspec

from graphvis.errors import DocumentError


class Document(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", omit_defaults=True):
    """A frozen value that goes to JSON and comes back equal.

    Subclasses give their versioned name as ``tag``, e.g. ``"graphvis/graph/1"``; it stands under
    ``schema`` in the JSON. A change that old readers cannot follow takes a new number.
    """

    def to_json(self) -> str:
        """This value as one JSON document (UTF-8 text, keys in a fixed order, no line breaks)."""
        return ENCODER.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The value that :meth:`to_json` wrote.

        Raises:
            DocumentError: if the text is truncated, is not JSON, is of another schema or version,
                or refers to nodes that it does not hold.
        """
        return parse(text, cls)

    def check(self) -> None:
        """Raise DocumentError where parts of the document contradict each other."""


def _plain(value: object) -> object:
    """What a mapping or sequence that makes its items when asked for stands for."""
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} has no place in a document")


ENCODER = msgspec.json.Encoder(enc_hook=_plain)
"""Writes the JSON of a document, or of a part of one."""

_Kind = TypeVar("_Kind", bound=Document)


def parse(text: str | bytes, *kinds: type[_Kind]) -> _Kind:
    """Read a document that is one of `kinds`, told apart by its ``schema``.

    Raises:
        DocumentError: see :meth:`Document.from_json`.
    """
    wanted = kinds[0] if len(kinds) == 1 else Union[kinds]  # noqa: UP007  (a tuple known only now)
    try:
        if len(kinds) == 1 and not _opens_with_schema(text):
            msgspec.json.decode(text, type=_Named)  # one kind alone would be taken without a name too
        document: _Kind = msgspec.json.decode(text, type=wanted)
    except msgspec.ValidationError as error:
        raise DocumentError(f"not a document that graphvis can read: {error}", _expected(kinds)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DocumentError(f"not a whole JSON document: {error}", _expected(kinds)) from None
    document.check()
    return document


class _Named(msgspec.Struct):
    """What every document says of itself."""

    schema: str


def _opens_with_schema(text: str | bytes) -> bool:
    """Whether it begins as :meth:`Document.to_json` begins, so that a large one need not be read twice."""
    start = text[:64]
    return '"schema"' in (start if isinstance(start, str) else start.decode(errors="replace"))


def _expected(kinds: tuple[type[_Kind], ...]) -> str:
    schemas = ", ".join(str(kind.__struct_config__.tag) for kind in kinds)
    return f"Expected a document whose schema is {schemas}, as graphvis writes it with to_json or -f json."
