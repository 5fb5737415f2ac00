"""Drawables to files: what is asked for wrongly is refused before anything is laid out or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphvis import draw
from graphvis.errors import FormatError
from graphvis.model import Graph
from graphvis.picture import palette

GRAPH = Graph(kinds=("function",), names=("SinBackward0",), roots=(0,))


@pytest.mark.parametrize("suffix", draw.FORMATS)
def test_a_theme_that_is_none_is_refused_in_every_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix}"
    with pytest.raises(FormatError, match="no theme is named 'pink'") as caught:
        GRAPH.save(path, theme="pink")  # type: ignore[arg-type]
    assert "auto, light, dark" in caught.value.fix
    assert not path.exists()


def test_to_svg_refuses_it_too() -> None:
    with pytest.raises(FormatError, match="no theme is named 'pink'"):
        GRAPH.to_svg(theme="pink")  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_a_picture_has_the_theme_that_was_asked_for(suffix: str) -> None:
    light, dark, auto = (draw.render(GRAPH, suffix, theme=theme).decode() for theme in ("light", "dark", "auto"))
    ground = palette.DARK[palette.PAGE]
    assert (ground in light, ground in dark, ground in auto) == (False, True, True)
    assert ("prefers-color-scheme" in dark, "prefers-color-scheme" in auto) == (False, True)
