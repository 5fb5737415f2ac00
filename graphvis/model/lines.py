"""Documents as files of JSON that are written and read piece by piece, so that none is twice in memory.

The text is JSON like any other, in lines: each field of a document begins one; so does each object in an array, and
each entry of a mapping; and of an array of numbers or words, so many as :data:`WORDS`. JSON has no raw line breaks in
strings, therefore lines are what a text can be cut at without being parsed. A file whose lines are others, since
another program or an earlier version wrote it, is read in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import IO, Any, TypeVar, get_args, get_origin

import msgspec

from graphvis.errors import DocumentError
from graphvis.model.document import ENCODER, Document, parse

WORDS = 10_000
"""How many numbers or words of an array stand in one line."""
_OBJECTS = 1_000
_ENOUGH = 1 << 18  # bytes of lines that are decoded together

_Kind = TypeVar("_Kind", bound=Document)
_Told = Callable[[int], None]


def write(document: Document) -> Iterator[tuple[bytes, int]]:
    """The text of a document in pieces, each with how many of its items (see :func:`count`) it holds."""
    yield from _write_document(document)
    yield b"\n", 0


def count(document: Document) -> int:
    """How many items there are in the arrays and mappings of a document, and of those in it."""
    found = 0
    for _, value in _fields(document):
        if isinstance(value, Document):
            found += count(value)
        elif isinstance(value, (tuple, Mapping)):
            found += len(value)
    return found


def _fields(document: Document) -> Iterator[tuple[str, object]]:
    """The fields that are written, by their names in JSON, the schema first."""
    config = document.__struct_config__
    yield str(config.tag_field), config.tag
    for field in msgspec.structs.fields(document):
        value = getattr(document, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if not config.omit_defaults or type(value) is not type(default) or value != default:
            yield field.encode_name, value


def _write_document(document: Document) -> Iterator[tuple[bytes, int]]:
    before = b"{"
    for name, value in _fields(document):
        yield b'%b\n"%b":' % (before, name.encode()), 0
        if isinstance(value, Document):
            yield from _write_document(value)
        elif isinstance(value, tuple) and value:
            yield from _write_array(value)
        elif isinstance(value, Mapping) and value and isinstance(next(iter(value)), int):
            yield from _write_mapping(value)
        else:
            yield ENCODER.encode(value), len(value) if isinstance(value, (tuple, Mapping)) else 0
        before = b","
    yield b"\n}", 0


def _write_array(values: tuple[object, ...]) -> Iterator[tuple[bytes, int]]:
    simple = isinstance(values[0], (int, str))
    if simple and len(values) <= WORDS:
        yield ENCODER.encode(values), len(values)
        return
    before = b"[\n"
    for part in _parts(iter(values), WORDS if simple else _OBJECTS):
        # In lines of objects there is no line break but between them.
        text = ENCODER.encode(part)[1:-1] if simple else ENCODER.encode_lines(part)[:-1].replace(b"\n", b",\n")
        yield before + text, len(part)
        before = b",\n"
    yield b"\n]", 0


def _write_mapping(values: Mapping[int, object]) -> Iterator[tuple[bytes, int]]:
    before = b"{\n"
    for part in _parts(iter(values.items()), _OBJECTS):
        lines = ENCODER.encode_lines([value for _, value in part])[:-1].split(b"\n")
        entries = [b'"%d":%b' % (key, line) for (key, _), line in zip(part, lines, strict=True)]
        yield before + b",\n".join(entries), len(part)
        before = b",\n"
    yield b"\n}", 0


def _parts(values: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while part := list(islice(values, size)):
        yield part


def read(file: IO[bytes], *kinds: type[_Kind], told: _Told = lambda _: None) -> _Kind:
    """The document that a file holds, which is one of `kinds`.

    Args:
        file: open for reading, and able to go back to its beginning.
        kinds: what it may be, told apart by its ``schema``.
        told: called with the number of bytes that were read, again and again.

    Raises:
        DocumentError: see :meth:`Document.from_json`.
    """
    try:
        document = _Reader(file, told).read(kinds)
    except (_OtherwiseError, msgspec.MsgspecError, UnicodeDecodeError):
        # Other lines than write() makes, or something wrong in them, which is told better of the whole.
        file.seek(0)
        return parse(file.read(), *kinds)
    document.check()
    return document


class _OtherwiseError(Exception):
    """The lines are not those that :func:`write` makes."""


class _Reader:
    """Reads a document line by line."""

    def __init__(self, file: IO[bytes], told: _Told) -> None:
        self._file = file
        self._told = told
        self._last = b""
        self._words: dict[str, str] = {}  # each once, for a million nodes have a few dozen names

    def read(self, kinds: tuple[type[_Kind], ...]) -> _Kind:
        """The document, and nothing behind it."""
        if self._file.readline(2) != b"{\n":  # no more than that: the whole text may be one line
            raise _OtherwiseError
        document, more = self._document(kinds)
        if more or self._file.read(1):
            raise _OtherwiseError
        return document

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\n") and not (line or self._last).rstrip().endswith(b"}"):
            # The end of the file, and a whole document ends with a brace, whatever its lines.
            raise DocumentError(
                "not a whole JSON document: it ends too early",
                "The file was cut off: save it again, or copy it again from where it was written.",
            )
        if not line:
            raise _OtherwiseError
        self._last = line
        self._told(len(line))
        return line

    def _document(self, kinds: tuple[type[_Kind], ...]) -> tuple[_Kind, bool]:
        """What stands behind an opening brace; and whether something follows it."""
        name, text, more = self._field()
        tag = msgspec.json.decode(text)
        kind = next((kind for kind in kinds if kind.__struct_config__.tag == tag), None)
        if kind is None or name != kind.__struct_config__.tag_field:
            raise _OtherwiseError
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        values: dict[str, Any] = {}
        while more:
            name, text, more = self._field()
            if name not in fields:
                raise _OtherwiseError
            wanted = fields[name].type
            if text == b"[":
                values[fields[name].name], more = self._array(wanted)
            elif text == b"{":
                values[fields[name].name], more = self._object(wanted)
            else:
                values[fields[name].name] = msgspec.json.decode(text, type=wanted)
        if any(field.required and field.name not in values for field in fields.values()):
            raise _OtherwiseError
        return kind(**values), self._closed(b"}", self._line())

    def _field(self) -> tuple[str, bytes, bool]:
        """The name and the text of the field in the next line; and whether another follows."""
        name, colon, text = self._line().rstrip(b"\n").partition(b'":')
        if not colon or not name.startswith(b'"'):
            raise _OtherwiseError
        if text in (b"[", b"{"):
            return name[1:].decode(), text, True
        if text in (b"[,", b"{,"):
            raise _OtherwiseError
        return name[1:].decode(), text.removesuffix(b","), text.endswith(b",")

    def _closed(self, bracket: bytes, line: bytes) -> bool:
        """Whether a comma follows the bracket that a line must hold."""
        if line.rstrip(b"\n") not in (bracket, bracket + b","):
            raise _OtherwiseError
        return line.endswith(b",\n")

    def _object(self, wanted: Any) -> tuple[Any, bool]:
        documents = tuple(kind for kind in (wanted, *get_args(wanted)) if _is_document(kind))
        if documents:
            return self._document(documents)
        if get_origin(wanted) not in (dict, Mapping) or get_args(wanted)[0] is not int:
            raise _OtherwiseError
        kind = get_args(wanted)[1]
        found: dict[int, Any] = {}
        more = self._chunks(b"{%b}", msgspec.json.Decoder(dict[int, kind]), found.update)  # type: ignore[valid-type]
        return found, more

    def _array(self, wanted: Any) -> tuple[tuple[Any, ...], bool]:
        if get_origin(wanted) is not tuple:
            raise _OtherwiseError
        kind = get_args(wanted)[0]
        found: list[Any] = []
        add = (lambda part: found.extend(map(self._words.setdefault, part, part))) if kind is str else found.extend
        more = self._chunks(b"[%b]", msgspec.json.Decoder(list[kind]), add)  # type: ignore[valid-type]
        return tuple(found), more

    def _chunks(self, around: bytes, decoder: msgspec.json.Decoder[Any], add: Callable[[Any], None]) -> bool:
        """Decode the lines up to the closing bracket, some at a time; whether something follows it."""
        bracket = around[-1:]
        lines: list[bytes] = []
        size = 0
        following = False  # whether a comma says that something follows
        while not (line := self._line()).startswith(bracket):
            lines.append(line)
            size += len(line)
            following = line.endswith(b",\n")
            if not line.strip(b" \t\r\n,"):
                raise _OtherwiseError
            if following and size >= _ENOUGH:
                add(decoder.decode(around % b"".join(lines).removesuffix(b",\n")))
                lines, size = [], 0
        if following:
            raise _OtherwiseError
        if lines:
            add(decoder.decode(around % b"".join(lines)))
        return self._closed(bracket, line)


def _is_document(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Document)
