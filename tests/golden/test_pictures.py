"""The bytes of scenes built by hand: a change of look, of the engine or of the order of things shows here.

``GRAPHVIS_WRITE_GOLDEN=1 pytest tests/golden`` writes them anew; look at them before they are committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphvis.picture import dot, mermaid, svg
from graphvis.picture.layout import lay_out
from graphvis.picture.measure import measure
from tests.unit.picture import scenes

HERE = Path(__file__).parent / "pictures"
NAMES = ("detach_zero", "data_zero", "detach_", "diagnosis", "plain")


def written(name: str) -> dict[str, str]:
    scene = scenes.EVERY[name]()
    placement = lay_out(measure(scene))
    return {
        f"{name}.svg": svg.write(scene, placement),
        f"{name}.narrow.svg": svg.write(scene, placement, narrow=True),
        f"{name}.dot": dot.write(scene),
        f"{name}.mmd": mermaid.write(scene),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_what_it_was(name: str) -> None:
    for file, text in written(name).items():
        path = HERE / file
        if os.environ.get("GRAPHVIS_WRITE_GOLDEN"):
            HERE.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text, file


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in HERE.iterdir()} == {file for name in NAMES for file in written(name)}
