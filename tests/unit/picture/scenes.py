"""Scenes built by hand, from figures of torch 2.13: input for the tests of measure, layout and writers."""

from __future__ import annotations

from graphvis.picture.scene import Box, Face, Half, Line, Link, Row, Scene, Span, Strip, Wire

FLOW = Wire(value="flow", gradient="flow")
NEVER = Wire(value="flow", gradient="never")
START = Wire(gradient="flow")
DOTTED = Wire()
A_SOURCE = "a = torch.tensor([1., 2., 3.], requires_grad=True)  (demo.py:1)"
OUT = "[0.7311, 0.8808, 0.9526]"
GRAD = "[0.1966, 0.1050, 0.0452]"


def both(tail: str, head: str, wire: Wire = FLOW, after: Wire | None = None, **kwargs: object) -> Link:
    return Link(tail=tail, head=head, wires=(wire, after or wire), **kwargs)  # type: ignore[arg-type]


def leaf(name: str, value: str, grad: Row, tooltip: str = "") -> Face:
    return Face(look="leaf", heading=name, aside="leaf, [3]", rows=(Row("", value), grad), tooltip=tooltip)


def row_four(effect: str = "raises") -> Scene:
    raises = effect == "raises"
    cut = "detach()" if raises else ".data"
    call = "out.detach()" if raises else "out.data"
    bad_grad = Row(".grad", "None" if raises else "[0., 0., 0.]", "bad")
    out_version = Row("_version", "0 → 1", "changed") if raises else Row("_version", "0", "bad")

    def tensor(name: str, look: str, rows: tuple[Row, ...]) -> Face:
        return Face(look=look, heading=name, aside="[3]", rows=rows, tooltip=f"{name}  (demo.py:2)")  # type: ignore[arg-type]

    plain = (Row("", OUT), Row("_version", "0"))
    zero = Row("", "[0., 0., 0.]", "changed")
    conflict = "saved version 0, out is at 1" if raises else "overwritten, still version 0"
    boxes = (
        Box(id="n0", faces=(leaf("a", "[1., 2., 3.]", Row(".grad", GRAD), A_SOURCE), leaf("a", "[1., 2., 3.]", bad_grad, A_SOURCE))),
        Box(id="n1", faces=(
            Face(look="function", heading="SigmoidBackward0", caption=(Span("saved result: version 0"),)),
            Face(look="conflict", heading="SigmoidBackward0", caption=(Span(conflict, "bad"),), badge=True),
        )),
        Box(id="n2", faces=(tensor("out", "tensor", plain), tensor("out", "tensor", (zero, out_version)))),
        Box(id="n3", faces=(Face(look="function", heading="SumBackward0"),) * 2),
        Box(id="n4", faces=(
            tensor("c", "constant", plain), tensor("c", "constant", (zero, Row("_version", "0 → 1", "changed"))),
        )),
        Box(id="n5", faces=(Face(look="start", heading=".backward()", tooltip="out.sum().backward()  (demo.py:5)"),) * 2),
    )  # fmt: skip
    error = (
        "RuntimeError: one of the variables needed for gradient computation has been modified by an inplace "
        "operation: [torch.FloatTensor [3]], which is output 0 of Sigmoid, is at version 1; expected version 0 instead."
    )
    if raises:
        bad = Strip(good=False, headline="backward() raises", lines=(Line(error, mono=True),))
    else:
        prose = (
            f"No error, and wrong: right is {GRAD}. The write raised c's version, not out's, so the version check "
            "passed: 0 saved, 0 now."
        )
        bad = Strip(good=False, headline="a.grad = [0., 0., 0.]", lines=(Line(prose),))
    return Scene(
        name="detach_zero" if raises else "data_zero",
        title="detach() shares storage and the version counter: writing to c stops backward()" if raises
        else ".data shares storage but not the version counter: the gradient is silently wrong",
        description="Before c.zero_(), backward gives a.grad. After it, backward does not.",
        halves=(
            Half(title="BEFORE", code=(f"c = {call}",), note="line 3", strip=Strip(
                good=True, headline=f"a.grad = {GRAD}", lines=(Line("c is cut off; out keeps its way back to a."),))),
            Half(title="AFTER", code=("c.zero_()",), note="line 4: an in-place write through c", strip=bad),
        ),
        boxes=boxes,
        links=(
            both("n0", "n1", FLOW, NEVER if raises else FLOW),
            both("n1", "n2"),
            both("n2", "n3"),
            both("n2", "n4", Wire(value="flow", gradient="cut", label=(cut, "demo.py:3"), tooltip=f"c = {call}  (demo.py:3)")),
            both("n2", "n4", DOTTED, kind="storage"),
            both("n3", "n5", START, kind="start"),
        ),
        metadata='{"schema": "graphvis/comparison/1"}',
    )  # fmt: skip


def row_seven() -> Scene:
    def rows(is_leaf: str, grad_fn: str, requires: str, mark: str = "plain") -> tuple[Row, ...]:
        return (
            Row("", "[2., 4., 6.]"), Row("is_leaf", is_leaf, mark), Row("grad_fn", grad_fn, mark),  # type: ignore[arg-type]
            Row("requires_grad", requires, mark),  # type: ignore[arg-type]
        )  # fmt: skip

    w = leaf("w", "[1., 1., 1.]", Row(".grad", "[2., 4., 6.]"))
    boxes = (
        Box(id="n0", faces=(leaf("x", "[1., 2., 3.]", Row(".grad", "[2., 2., 2.]")), leaf("x", "[1., 2., 3.]", Row(".grad", "None", "bad")))),
        Box(id="n1", faces=(
            Face(look="function", heading="MulBackward0"),
            Face(look="function", pale=True, heading="MulBackward0", caption=(Span("freed: nothing points here"),)),
        )),
        Box(id="n2", faces=(
            Face(look="tensor", heading="m", aside="[3]", rows=rows("False", "MulBackward0", "True")),
            Face(look="constant", heading="m", aside="[3]", rows=rows("True", "None", "False", "changed")),
        )),
        Box(id="n3", faces=(w, w)),
        Box(id="n4", faces=(
            Face(look="function", heading="MulBackward0", caption=(Span("slot 0: m"), Span("slot 1: w"))),
            Face(look="function", heading="MulBackward0", caption=(Span("slot 0: None", "bad"), Span("slot 1: w"))),
        )),
        Box(id="n5", faces=(Face(look="tensor", heading="y", aside="[3]", rows=(Row("", "[2., 4., 6.]"),)),) * 2),
        Box(id="n6", faces=(Face(look="function", heading="SumBackward0"),) * 2),
        Box(id="n7", faces=(Face(look="start", heading=".backward()"),) * 2),
    )  # fmt: skip
    return Scene(
        name="detach_", title="detach_() before y: the chain x → m → y becomes x and m → y",
        description="Before: the gradient reaches x. After m.detach_(): x.grad stays None.",
        halves=(
            Half(title="BEFORE", code=("y = m * w",), note="m still knows how it was made", strip=Strip(
                good=True, headline="x.grad = [2., 2., 2.]", lines=(Line("w.grad = [2., 4., 6.]"),))),
            Half(title="AFTER", code=("m.detach_(); y = m * w",), note="line 4, then line 5", strip=Strip(
                good=False, headline="x.grad = None", lines=(Line("No error. w.grad = [2., 4., 6.] as before."),))),
        ),
        boxes=boxes,
        links=(
            both("n0", "n1", FLOW, NEVER),
            both("n1", "n2", FLOW, Wire(value="flow", gradient="cut", label=("detach_()", "demo.py:4"))),
            both("n2", "n4", FLOW, Wire(value="flow", gradient="stub", slot=0)),
            both("n3", "n4"), both("n4", "n5"), both("n5", "n6"), both("n6", "n7", START, kind="start"),
        ),
    )  # fmt: skip
