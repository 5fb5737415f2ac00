"""A page of its own that holds the picture, wide and narrow, and needs no other file."""

from __future__ import annotations

import msgspec

from graphvis.picture import palette, svg
from graphvis.picture.layout import Placement
from graphvis.picture.measure import clean
from graphvis.picture.palette import Theme
from graphvis.picture.scene import Scene

_SWITCH = 560
"""CSS pixels below which the narrow picture is shown."""


def write(scene: Scene, placement: Placement, *, theme: Theme = "auto") -> str:
    """One HTML document; the picture stands in it as elements, so that tooltips work and text can be searched.

    Args:
        scene: what is shown.
        placement: where.
        theme: ``auto`` follows the reader's colour scheme.
    """
    wide = svg.write(scene, placement, theme=theme)
    shown = [("wide", wide)]
    if len(scene.halves) > 1 or scene.title:
        # Ids must not occur twice in one page.
        named = msgspec.structs.replace(scene, name=f"{scene.name}-narrow", metadata="")
        shown.append(("narrow", svg.write(named, placement, theme=theme, narrow=True)))
    figures = "\n".join(f'<figure class="{name}">\n{picture}</figure>' for name, picture in shown)
    title = clean(scene.title or scene.name).replace("&", "&amp;").replace("<", "&lt;")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_style(theme, len(shown) > 1)}</style>\n</head>\n"
        f"<body>\n{figures}\n</body>\n</html>\n"
    )


def _style(theme: Theme, has_narrow: bool) -> str:
    light, dark = palette.PAGE, palette.DARK[palette.PAGE]
    ground = dark if theme == "dark" else light
    scheme = {"auto": "light dark"}.get(theme, theme)
    rules = [
        f":root{{color-scheme:{scheme}}}",
        f"body{{margin:0;padding:16px;background:{ground}}}",
        "figure{margin:0 auto;width:fit-content;max-width:100%;overflow-x:auto}",
        "figure svg{display:block}",
    ]
    if theme == "auto":
        rules.append(f"@media (prefers-color-scheme:dark){{body{{background:{dark}}}}}")
    if has_narrow:
        rules += [".narrow{display:none}", ".narrow svg{max-width:100%;height:auto}"]
        rules.append(f"@media (max-width:{_SWITCH}px){{.wide{{display:none}}.narrow{{display:block}}}}")
    return "\n".join(rules)
