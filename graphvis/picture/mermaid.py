"""A Mermaid flowchart: for places that draw Mermaid and nothing else.

Mermaid has one line an edge and no arrow that points back, so the chart grows upwards and its edges
run as the gradient does, from consumer to producer; a second head stands for the value. What only
the half before has is pale and dashed, what only the half after has is bold, and both say so.
"""

from __future__ import annotations

from graphvis.picture import palette
from graphvis.picture.measure import clean
from graphvis.picture.scene import Box, Face, Link, Scene, Wire
from graphvis.picture.union import WORDS, Fate, face_of, fate_of, wire_of

_BRACKETS = {
    "leaf": ('[["', '"]]'),
    "tensor": ('["', '"]'),
    "constant": ('["', '"]'),
    "function": ('(["', '"])'),
    "module": ('("', '")'),
    "conflict": ('{{"', '"}}'),
    "start": ('["', '"]'),
}
# A class for each look; both themes draw these on their own ground, hence text colours for each fill.
_CLASSES = {
    "leaf": f"fill:{palette.LEAF_GROUND},stroke:{palette.GRADIENT},color:{palette.INK}",
    "tensor": f"fill:{palette.PAGE},stroke:{palette.INK},color:{palette.INK}",
    "constant": f"fill:{palette.PAGE},stroke:{palette.VALUE},color:{palette.INK}",
    "function": f"fill:{palette.FUNCTION_GROUND},stroke:{palette.MUTED},color:{palette.INK}",
    "module": f"fill:{palette.FUNCTION_GROUND},stroke:{palette.MUTED},color:{palette.INK}",
    "conflict": f"fill:{palette.RED_GROUND},stroke:{palette.RED},stroke-width:2px,color:{palette.INK}",
    "start": f"fill:{palette.PAGE},stroke:{palette.PAGE},color:{palette.GRADIENT}",
    "pale": f"fill:{palette.PAGE},stroke:{palette.PALE},color:{palette.PALE_INK}",
}
# Beside the class of the look.
_FATES: dict[Fate, str] = {"gone": "stroke-dasharray:5 3", "new": "stroke-width:3px"}


def write(scene: Scene, half: int | None = None) -> str:
    """Mermaid source; arguments as for :func:`graphvis.picture.dot.write`."""
    drawn = {box.id: face for box in scene.boxes if (face := face_of(box, half)) is not None}
    lines = ["flowchart BT"]
    if scene.title:
        lines.append(f"  accTitle: {_plain(scene.title)}")
    if scene.description:
        lines.append(f"  accDescr: {_plain(scene.description)}")
    lines += _boxes(scene, drawn)
    styles: list[str] = []
    for link in scene.links:
        wire = wire_of(link, half)
        if wire is not None and link.tail in drawn and link.head in drawn:
            arrow, style = _link(link, wire, fate_of(link, half))
            styles.append(f"  linkStyle {len(styles)} {style}")
            lines.append(f"  {link.head} {arrow} {link.tail}")
    used = [name for name in _CLASSES if any(name == _class(face) for face in drawn.values())]
    lines += [f"  classDef {name} {_CLASSES[name]}" for name in used]
    for fate, style in _FATES.items():
        if told := [box.id for box in scene.boxes if box.id in drawn and fate_of(box, half) == fate]:
            lines += [f"  classDef {fate} {style}", f"  class {','.join(told)} {fate}"]
    return "\n".join(lines + styles) + "\n"


def _boxes(scene: Scene, drawn: dict[str, Face]) -> list[str]:
    lines = []
    clusters = dict.fromkeys(box.cluster for box in scene.boxes)
    for number, cluster in enumerate(clusters):
        inside = [f"{_box(box, drawn[box.id])}" for box in scene.boxes if box.cluster == cluster and box.id in drawn]
        if not cluster:
            lines += [f"  {line}" for line in inside]
        elif inside:
            lines += [f'  subgraph c{number}["{_words(cluster)}"]', *(f"    {line}" for line in inside), "  end"]
    return lines


def _class(face: Face) -> str:
    return "pale" if face.pale else face.look


def _box(box: Box, face: Face) -> str:
    opening, closing = _BRACKETS[face.look]
    lines = [f"{face.heading}  {face.aside}".strip()]
    lines += [f"{row.label} {row.value}".strip() for row in face.rows]
    if face.caption:
        lines.append(", ".join(span.text for span in face.caption))
    return f"{box.id}{opening}{'<br/>'.join(map(_words, lines))}{closing}:::{_class(face)}"


def _words(text: str) -> str:
    """Words of a label: everything but letters, digits and harmless signs as an entity in Mermaid's spelling."""
    kept = " _.,:;()[]=+-/→…'"
    return "".join(c if c.isalnum() or c in kept else f"#{ord(c)};" for c in clean(text)) or " "


def _plain(text: str) -> str:
    """Words of a title, which ends at the line's end and knows no entities."""
    return clean(text.replace("\n", " ")).replace("#", "").replace(";", ",").replace("%%", "")


def _link(link: Link, wire: Wire, fate: Fate) -> tuple[str, str]:
    """The arrow with its words, and its style."""
    if fate == "gone":
        return f'-. "{WORDS[fate]}" .-', f"stroke:{palette.PALE},color:{palette.PALE_INK}"
    arrow, style = _arrow(link, wire)
    return arrow, f"{style},stroke-width:3px" if fate == "new" and not link.dotted else style


def _arrow(link: Link, wire: Wire) -> tuple[str, str]:
    if link.dotted:
        return f'-. "{"same storage" if link.kind == "storage" else "kept for backward"}" .-', f"stroke:{palette.MUTED}"
    if link.kind == "start":
        return "-->", f"stroke:{palette.GRADIENT},stroke-width:2px"
    words = "<br/>".join(map(_words, wire.label))
    if wire.gradient == "cut":
        return f'-. "{words or "cut"}" .-x', f"stroke:{palette.RED},color:{palette.RED}"
    if wire.gradient == "never":
        return '-. "never reached" .-', f"stroke:{palette.PALE}"
    if wire.gradient == "stub":
        slot = "None" if wire.slot is None else f"slot {wire.slot}: None"
        return f'-. "{slot}" .-', f"stroke:{palette.RED},color:{palette.RED}"
    if wire.gradient is None:
        return "---", f"stroke:{palette.VALUE}"
    if wire.value is None:
        return "-->", f"stroke:{palette.GRADIENT}"
    return "<-->", f"stroke:{palette.GRADIENT}"
