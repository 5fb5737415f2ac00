"""Elements and their attributes: the thin layer over ElementTree that all parts share."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from graphvis.picture import palette
from graphvis.picture.curves import number
from graphvis.picture.measure import Font
from graphvis.picture.palette import Theme

Element = ElementTree.Element

# The first name is one that every renderer without style sheets can look up.
SANS = "Helvetica,Arial,Liberation Sans,sans-serif"
MONO = "Courier,Liberation Mono,DejaVu Sans Mono,monospace"
ROOT_CLASS = "gv"

_BROWSER_MONO = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace'
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def child(parent: Element, tag: str, /, **attributes: str | float | None) -> Element:
    """Add an element; ``stroke_width=1.2`` becomes ``stroke-width="1.2"``, None is left out."""
    made = ElementTree.SubElement(parent, tag)
    for key, value in attributes.items():
        if value is not None:
            name = key.rstrip("_").replace("_", "-")
            made.set(name, value if isinstance(value, str) else number(value))
    return made


def group(parent: Element, classes: str, tooltip: str = "", **attributes: str | float | None) -> Element:
    """Add a group on lines of its own, with its tooltip as first child."""
    made = child(parent, "g", **attributes)
    made.set("class", classes)
    made.tail = "\n"
    if tooltip:
        child(made, "title").text = legal(tooltip)
    return made


def text(
    parent: Element, x: float, y: float, words: str, font: Font, colour: str, anchor: str | None = None
) -> Element:
    """Add one line of text with its baseline at `y`."""
    made = child(
        parent, "text", x=x, y=y, font_family=MONO if font.mono else None, font_size=f"{font.size:g}",
        font_weight="bold" if font.bold else None, text_anchor=anchor, fill=colour,
    )  # fmt: skip
    made.text = legal(words)
    if words.startswith(" ") or "  " in words:
        # Indented code; the style sheet says it to browsers only.
        made.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return made


def legal(words: str) -> str:
    """The words without what XML cannot hold."""
    return _UNFIT.sub("�", words)


def legal_json(document: str) -> str:
    """The same JSON without what XML cannot hold: its own escapes say it as well."""
    return _UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def style_sheet(theme: Theme) -> str:
    """The style sheet: browsers' own mono, and for ``auto`` the dark partner of every colour.

    All of it stands in media blocks: a renderer that knows none shows the attributes' light theme.
    """
    fonts = (
        f'@media screen,print{{.{ROOT_CLASS} text{{font-family:Helvetica,Arial,"Liberation Sans",sans-serif;'
        f"font-style:normal;letter-spacing:normal;word-spacing:normal;white-space:pre}}"
        f".{ROOT_CLASS} [font-family^=Courier]{{font-family:{_BROWSER_MONO}}}}}"
    )
    if theme != "auto":
        return fonts
    rules = "".join(
        f'.{ROOT_CLASS} [{paint}="{light}"]{{{paint}:{dark}}}'
        for light, dark in palette.DARK.items()
        for paint in ("fill", "stroke")
    )
    return f"{fonts}@media screen and (prefers-color-scheme:dark){{{rules}}}"


def serialise(root: Element, theme: Theme) -> str:
    """The document; for the dark theme with the dark values in the attributes."""
    if theme == "dark":
        for element in root.iter():
            for paint in ("fill", "stroke"):
                if (light := element.get(paint)) is not None:
                    element.set(paint, palette.DARK.get(light, light))
    return ElementTree.tostring(root, encoding="unicode") + "\n"
