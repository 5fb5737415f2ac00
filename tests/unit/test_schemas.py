"""The published schemas are those of the types, and they hold what is saved."""

from __future__ import annotations

import json

import jsonschema
import pytest

from graphvis.errors import DocumentError
from graphvis.model import Document, Location
from graphvis.model.diagnosis import Diagnosis, Finding
from graphvis.model.run import Issue, Run
from graphvis.model.schemas import DOCUMENTS, file_of, schema_of


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.__name__)
def test_a_published_schema_is_that_of_its_type(document: type[Document]) -> None:
    """`python -m graphvis.model.schemas` writes them again."""
    assert file_of(document).read_text(encoding="utf-8") == schema_of(document)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.__name__)
@pytest.mark.parametrize("text", ["{}", "[]", "3", '{"schema": "graphvis/graph/99"}', '{"a": 1, "schema": "else"}'])
def test_a_document_names_its_schema(document: type[Document], text: str) -> None:
    with pytest.raises(DocumentError):
        document.from_json(text)


def test_a_run_is_valid_and_a_broken_one_is_not() -> None:
    """The schema demands what the design promises."""
    where = Location("train.py", 1)
    diagnosis = Diagnosis(backward=where, findings=(Finding(parameter="w", status="unused", cuts=()),))
    problems = (Issue(kind="parameter", parameter="w", status="unused"),)
    run = json.loads(Run(ok=False, diagnoses=(diagnosis,), problems=problems, warnings=()).to_json())
    schema = json.loads(file_of(Run).read_text(encoding="utf-8"))
    jsonschema.validate(run, schema)
    assert list(run) == ["schema", "ok", "diagnoses", "problems", "warnings"]
    assert "graph" not in run["diagnoses"][0]
    for key in list(run):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({other: value for other, value in run.items() if other != key}, schema)
    assert Run.from_json(json.dumps(run)).diagnoses == (diagnosis,)
