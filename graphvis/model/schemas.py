"""The JSON Schema of each saved document, generated from its type and published in ``graphvis/schemas``.

``python -m graphvis.model.schemas`` writes the files again after a type has changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from graphvis.model.comparison import Comparison
from graphvis.model.diagnosis import Diagnosis
from graphvis.model.document import Document
from graphvis.model.graph import Graph
from graphvis.model.moment import Moment
from graphvis.model.run import Run
from graphvis.model.trace import Trace

FOLDER = Path(__file__).parents[1] / "schemas"
"""Where the files are."""

DOCUMENTS: tuple[type[Document], ...] = (Graph, Moment, Comparison, Trace, Diagnosis, Run)


def file_of(document: type[Document]) -> Path:
    """The published file of a document's schema: ``run-1.json`` for ``graphvis/run/1``."""
    _, name, version = str(document.__struct_config__.tag).split("/")
    return FOLDER / f"{name}-{version}.json"


def schema_of(document: type[Document]) -> str:
    """A document's JSON Schema as the text of its file."""
    schema = msgspec.json.schema(document)
    for definition in schema["$defs"].values():
        if "description" in definition:
            definition["description"] = definition["description"].partition("\n")[0]
    whole: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": str(document.__struct_config__.tag),
        **schema,
    }
    return json.dumps(whole, indent=1) + "\n"


def main() -> None:
    """Write every file."""
    FOLDER.mkdir(exist_ok=True)
    for document in DOCUMENTS:
        file_of(document).write_text(schema_of(document), encoding="utf-8")


if __name__ == "__main__":
    main()
