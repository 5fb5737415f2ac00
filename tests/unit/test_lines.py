"""Documents written and read piece by piece."""

import io
import json
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphvis.errors import DocumentError
from graphvis.model import (
    Comparison,
    Cut,
    Diagnosis,
    Drawable,
    Finding,
    Graph,
    Location,
    Moment,
    Outcome,
    Pair,
    PairEdge,
    Saved,
    TensorInfo,
    ValueEdge,
    lines,
)
from graphvis.model.document import parse

KINDS = (Graph, Moment, Comparison, Diagnosis)


def graph_of(size: int) -> Graph:
    """A chain, with something in most fields, and names that a careless reader stumbles over."""
    names = ["]", "}", '",\n"', "a\\", "ü", "[", "{", '"names":[']
    functions = size // 2
    return Graph(
        torch="2.13.0",
        kinds=("function",) * functions + ("leaf",) * (size - functions),
        names=tuple(names[i % len(names)] for i in range(size)),
        sources=tuple(range(functions)),
        slots=(0,) * functions,
        targets=tuple(i + 1 if i + 1 < size else -1 for i in range(functions)),
        output_nrs=(0,) * functions,
        roots=(0,) if size else (),
        tensors={i: TensorInfo(name=names[i % 8], shape=(i, 2), storage=i) for i in range(functions, size)},
        saved={i: (Saved(name="result", nbytes=i), Saved(name="}")) for i in range(0, functions, 3)},
        values=tuple(ValueEdge(source=i, target=i) for i in range(size // 4)),
        modules={i: names[i % 8] for i in range(functions)},
    )


LOCATION = Location(file="model.py", line=3, function="f", text='x = {"]": [')
GRAPH = graph_of(23)
MOMENT = Moment(graph=GRAPH, code="}\n]", outcome=Outcome(grads={"a": "[1.]", "b": None}), shows={"a": ("is_leaf",)})
DOCUMENTS: dict[str, Drawable] = {
    "empty": Graph(),
    "graph": GRAPH,
    "moment": MOMENT,
    "half": Comparison(after=MOMENT, matching="single"),
    "comparison": Comparison(
        before=Moment(graph=graph_of(9)),
        after=MOMENT,
        nodes=tuple(Pair(before=i, after=i, state="kept") for i in range(9)),
        edges=(PairEdge(lane="gradient", before=0, after=0, state="severed"),),
    ),
    "diagnosis": Diagnosis(
        graph=GRAPH,
        cuts=(Cut(kind="detach", location=LOCATION),),
        findings=tuple(Finding(parameter=f"p{i}", status="cut", cuts=(0,)) for i in range(5)),
        notes=("one", "two"),
    ),
    "diagnosis without graph": Diagnosis(),
}


@pytest.fixture(autouse=True, scope="module")
def _small_pieces() -> Iterator[None]:
    """Then a document of a page has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "WORDS", 4)
        patch.setattr(lines, "_OBJECTS", 3)
        patch.setattr(lines, "_ENOUGH", 20)
        yield


def text_of(document: Drawable) -> bytes:
    return b"".join(text for text, _ in lines.write(document))


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_is_written_is_what_to_json_says(document: Drawable) -> None:
    assert json.loads(text_of(document)) == json.loads(document.to_json())


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_it_comes_back_equal_and_not_by_the_way_round(document: Drawable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(lines, "parse")  # which would read it in one piece
    assert lines.read(io.BytesIO(text_of(document)), *KINDS) == document


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_all_items_and_all_bytes_are_told_of(document: Drawable) -> None:
    assert sum(items for _, items in lines.write(document)) == lines.count(document)
    text, read = text_of(document), [0]
    lines.read(io.BytesIO(text), *KINDS, told=read.append)
    assert sum(read) == len(text) - len(b"{\n")


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
@pytest.mark.parametrize("indent", [-1, 0, 1, 2])
def test_other_lines_are_read_too(document: Drawable, indent: int) -> None:
    assert lines.read(io.BytesIO(text_of(document).rstrip()), *KINDS) == document
    text = msgspec.json.format(document.to_json().encode(), indent=indent)
    assert lines.read(io.BytesIO(text), *KINDS) == document


@pytest.mark.parametrize("document", [DOCUMENTS["half"], DOCUMENTS["diagnosis"]], ids=["half", "diagnosis"])
def test_cut_off_anywhere_it_is_an_error(document: Drawable) -> None:
    text = text_of(document)
    for length in range(len(text) - 1):  # the last is a line break
        with pytest.raises(DocumentError, match="not a whole JSON document"):
            lines.read(io.BytesIO(text[:length]), *KINDS)


DAMAGE = (b"", b",", b"\n", b"]", b"}", b"[", b'"', b"0", b",\n")


def outcome(read: object) -> object:
    """The document, or that there is none."""
    try:
        return read()  # type: ignore[operator]
    except DocumentError:
        return None


@given(st.data())
def test_what_is_damaged_is_read_as_all_at_once(data: st.DataObject) -> None:
    text = bytearray(text_of(data.draw(st.sampled_from([*DOCUMENTS.values()]))))
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.sampled_from([place, place + 1, text.find(b"\n", place) + 1]))
        text[place : max(end, place)] = data.draw(st.sampled_from(DAMAGE))
    content = bytes(text)
    assert outcome(lambda: lines.read(io.BytesIO(content), *KINDS)) == outcome(lambda: parse(content, *KINDS))
