"""PNG and PDF, by the real renderers."""

from __future__ import annotations

import io
import sys

import pytest

from graphvis.errors import FormatError
from graphvis.picture import raster, svg
from graphvis.picture.layout import lay_out
from graphvis.picture.measure import measure
from tests.unit.picture import scenes


@pytest.fixture(scope="module")
def picture() -> str:
    scene = scenes.row_four()
    return svg.write(scene, lay_out(measure(scene)))


def test_a_png_is_drawn_at_twice_its_size_and_in_our_colours(picture: str) -> None:
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(raster.to_png(picture)))
    assert image.width == 1440
    colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24)}
    assert {(0x0B, 0x5C, 0xAD), (0xB4, 0x2F, 0x0E), (0xFF, 0xEA, 0xA7)} <= colours


def test_a_png_shows_letters(picture: str) -> None:
    without = raster.to_png(picture.replace("SigmoidBackward0", " "))
    assert without != raster.to_png(picture)


def test_a_dark_png_is_dark() -> None:
    scene = scenes.row_four()
    source = svg.write(scene, lay_out(measure(scene)), theme="dark")
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(raster.to_png(source))).convert("RGB")
    assert image.getpixel((image.width // 4, 20)) == (0x0D, 0x11, 0x17)


def test_a_pdf_holds_one_page_the_same_bytes_each_time(picture: str) -> None:
    pdf = raster.to_pdf(picture)
    assert pdf.startswith(b"%PDF-")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") == 1
    assert raster.to_pdf(picture) == pdf
    assert b"CreationDate (D:2" not in pdf


@pytest.mark.parametrize(
    ("module", "convert", "extra"), [("resvg_py", raster.to_png, "png"), ("cairosvg", raster.to_pdf, "pdf")]
)
def test_a_missing_extra_says_what_to_install(module, convert, extra, picture, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(FormatError) as caught:
        convert(picture)
    assert f"pip install graphvis[{extra}]" in caught.value.fix


def test_a_machine_without_fonts_is_told_so(picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import resvg_py

    real = resvg_py.svg_to_bytes
    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **options: real(**options, skip_system_fonts=True))
    raster._has_fonts.cache_clear()
    try:
        with pytest.raises(FormatError, match="needs a sans and a mono font"):
            raster.to_png(picture)
    finally:
        raster._has_fonts.cache_clear()
