"""What goes where on the page: halves side by side or below each other, findings at the right or below."""

from __future__ import annotations

import msgspec

from graphvis.picture.layout import Placement
from graphvis.picture.layout.placing import HALF
from graphvis.picture.layout.placing import MARGIN as AROUND
from graphvis.picture.measure import fonts, wrap
from graphvis.picture.scene import Scene
from graphvis.picture.svg import findings, key, page

ABOVE_GRAPH = 10.0
BELOW_GRAPH = 14.0
_LEAST_FINDINGS = 300.0


class HalfSheet(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn of one half, and where.

    Attributes:
        index: into the scene's halves.
        left: x of its left side.
        top: y of its upper side.
        wide: its width.
        head: its words above the graph.
        graph: the point at which the graph's own coordinates begin.
        verdict: its words below; None without a strip.
        strip: y and height of the strip.
    """

    index: int
    left: float
    top: float
    wide: float
    head: page.Head
    graph: tuple[float, float]
    verdict: page.Verdict | None
    strip: tuple[float, float]


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A whole document.

    Attributes:
        wide: its width.
        high: its height.
        title: lines of the title bar.
        marked: whether the title bar has the octagon.
        halves: what is drawn.
        cards: the findings.
        cards_at: left, top and width of the findings.
        entries: of the key.
        key_top: y of the key.
    """

    wide: float
    high: float
    title: tuple[str, ...]
    marked: bool
    halves: tuple[HalfSheet, ...]
    cards: tuple[findings.Card, ...] = ()
    cards_at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    entries: tuple[str, ...]
    key_top: float


def arrange(scene: Scene, placement: Placement, narrow: bool, half: int | None) -> Sheet:
    """The sheet for a scene; arguments as for :func:`graphvis.picture.svg.write`."""
    indices = tuple(range(len(scene.halves))) if half is None else (half,)
    need = placement.width + 2 * AROUND
    is_plain = not scene.title and all(words.strip is None for words in scene.halves)
    column = max(need, 0.0 if is_plain else HALF)
    beside = len(indices) == 2 and not narrow and need <= HALF
    at_right = bool(scene.findings) and not narrow and need + _LEAST_FINDINGS + 2 * page.MARGIN <= 2 * HALF
    broad = not narrow and ((len(indices) == 2 and not beside) or (scene.findings and not at_right))
    wide = max(column, 2 * HALF) if broad else 2 * column if beside else 2 * HALF if at_right else column
    marked = any(finding.bad for finding in scene.findings)
    room = wide - 2 * page.MARGIN - (page.BADGE if marked else 0)
    title = wrap(scene.title, room, fonts.TITLE) if scene.title else ()
    top = 21.0 + 19 * len(title) if title else 0.0
    halves, bottom = _halves(scene, placement, indices, top, need if at_right else column if beside else wide, beside)
    cards: tuple[findings.Card, ...] = ()
    at = (0.0, 0.0, 0.0)
    if scene.findings:
        left, above = (need + 8, top + 14) if at_right else (page.MARGIN, bottom)
        at = (left, above, wide - left - page.MARGIN)
        cards = findings.wrap_all(scene.findings, at[2])
        bottom = max(bottom, at[1] + findings.height(cards) + page.MARGIN)
    entries = key.occurring(scene, indices)
    return Sheet(
        wide=wide, high=bottom + key.height(entries, wide), title=title, marked=marked, halves=halves, cards=cards,
        cards_at=at, entries=entries, key_top=bottom,
    )  # fmt: skip


def _halves(
    scene: Scene, placement: Placement, indices: tuple[int, ...], top: float, wide: float, beside: bool
) -> tuple[tuple[HalfSheet, ...], float]:
    """The halves, and the y below them; side by side they share the heights of head and strip."""
    heads = [page.head(scene.halves[i], wide) for i in indices]
    verdicts = [page.verdict(strip, wide) if (strip := scene.halves[i].strip) is not None else None for i in indices]
    heights = [(head.height, verdict.height if verdict else 0.0) for head, verdict in zip(heads, verdicts, strict=True)]
    if beside:
        heights = [(max(head for head, _ in heights), max(strip for _, strip in heights))] * len(indices)
    made = []
    bottom = top
    for k, i in enumerate(indices):
        start = top if beside else bottom
        left = wide * k if beside else 0.0
        graph = (left + max(AROUND, (wide - placement.width) / 2), start + heights[k][0] + ABOVE_GRAPH)
        strip_top = graph[1] + placement.height + BELOW_GRAPH
        made.append(
            HalfSheet(
                index=i, left=left, top=start, wide=wide, head=heads[k], graph=graph, verdict=verdicts[k],
                strip=(strip_top, heights[k][1]),
            )
        )  # fmt: skip
        bottom = strip_top + heights[k][1]
    return tuple(made), bottom
