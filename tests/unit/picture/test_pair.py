"""What a scenario's halves say, from programs that really ran."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from graphvis import api
from graphvis.picture.scene import Face, Scene
from graphvis.picture.style import scene_of
from graphvis.scenario import find

HEAD = '''"""A title

A lesson.
"""
import torch
from graphvis.scenario import after, before, expect

class Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, given):
        ctx.save_for_backward(x, w)
        ctx.given = given
        return x * w + b
    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return *(one if name in ctx.given else None for name, one in zip("xwb", (g * w, g * x, g))), None

'''


def scene(folder: Path, program: str) -> Scene:
    path = folder / "told.py"
    path.write_text(HEAD + textwrap.dedent(program))
    return scene_of(api.compare_scenario(find(path)))


def faces(drawn: Scene, half: int) -> dict[str, Face]:
    return {face.heading: face for box in drawn.boxes if (face := box.faces[half]) is not None}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("xwb", []),
        ("xb", ["slot 1: returns None for w"]),
        ("x", ["slot 1: returns None for w", "slot 2: returns None for b"]),
        ("", ["returns None"]),
    ],
)
def test_a_function_says_which_gradients_it_does_not_give(tmp_path: Path, given: str, words: list[str]) -> None:
    grads = {name: value if name in given else None for name, value in (("x", 3.0), ("w", 2.0), ("b", 1.0))}
    drawn = scene(
        tmp_path,
        f"""
        def program():
            x, w, b = (torch.tensor(v, requires_grad=True) for v in (2.0, 3.0, 4.0))
            yield after(Mix.apply(x, w, b, "{given}"), expect(grads={grads}))
        """,
    )
    face = faces(drawn, 0)["MixBackward"]
    assert [span.text for span in face.caption if span.mark == "bad"] == words
    assert (face.look, face.badge) == (("conflict", True) if words else ("function", False))


def test_a_function_is_not_blamed_where_no_leaf_asks(tmp_path: Path) -> None:
    drawn = scene(
        tmp_path,
        """
        def program():
            x = torch.tensor([1.0, 2.0], requires_grad=True)
            table = torch.arange(4.0).view(2, 2).requires_grad_()
            row = table[0]
            with torch.no_grad():
                table[0, 0] = 5.0
            yield after((row + x).sum(), expect(grads={"x": [1, 1]}))
        """,
    )
    shown = faces(drawn, 0)
    assert "AsStridedBackward0" in shown  # made anew, it leads nowhere
    assert shown["AddBackward0"].look == "function"


def test_both_halves_tell_of_the_leaves_in_one_order_the_lost_first(tmp_path: Path) -> None:
    drawn = scene(
        tmp_path,
        """
        def program(cut):
            x, w, b = (torch.tensor(v, requires_grad=True) for v in (2.0, 3.0, 4.0))
            y = Mix.apply(x, w, b, "xb" if cut else "xwb")
            yield after(y, expect(grads={"x": 3})) if cut else before(y, expect(grads={"x": 3}))
        """,
    )
    told = [half.strip for half in drawn.halves]
    assert [strip.headline for strip in told if strip] == ["w.grad = 2.", "w.grad = None"]
    assert len({strip.lines[0].text for strip in told if strip}) == 1
    assert "w.grad = 2. " in drawn.description


def test_what_made_a_leaf_from_nothing_is_not_drawn(tmp_path: Path) -> None:
    drawn = scene(
        tmp_path,
        """
        def program():
            start = torch.ones(2)
            seen = start * 2
            table = torch.arange(4.0).view(2, 2).mul(2).requires_grad_()
            yield after((table[0] + seen).sum(), expect(grads={"table": [[1, 1], [0, 0]]}))
        """,
    )
    shown = faces(drawn, 0)
    assert {"view", "Mul"}.isdisjoint(shown)
    assert "mul" in shown  # of `start`, which has a name
    assert sum(face.heading == "mul" for box in drawn.boxes if (face := box.faces[0]) is not None) == 1
