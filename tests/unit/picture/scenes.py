"""Scenes built by hand, from figures of torch 2.13: input for the tests of measure, layout and writers."""

from __future__ import annotations

from graphvis.picture.scene import Box, Entry, Face, Finding, Half, Line, Link, Row, Scene, Span, Strip, Wire

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
        Box(
            id="n0",
            faces=(
                leaf("a", "[1., 2., 3.]", Row(".grad", GRAD), A_SOURCE),
                leaf("a", "[1., 2., 3.]", bad_grad, A_SOURCE),
            ),
        ),
        Box(
            id="n1",
            faces=(
                Face(look="function", heading="SigmoidBackward0", caption=(Span("saved result: version 0"),)),
                Face(look="conflict", heading="SigmoidBackward0", caption=(Span(conflict, "bad"),), badge=True),
            ),
        ),
        Box(id="n2", faces=(tensor("out", "tensor", plain), tensor("out", "tensor", (zero, out_version)))),
        Box(id="n3", faces=(Face(look="function", heading="SumBackward0"),) * 2),
        Box(
            id="n4",
            faces=(
                tensor("c", "constant", plain),
                tensor("c", "constant", (zero, Row("_version", "0 → 1", "changed"))),
            ),
        ),
        Box(
            id="n5", faces=(Face(look="start", heading=".backward()", tooltip="out.sum().backward()  (demo.py:5)"),) * 2
        ),
    )
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
        title="detach() shares storage and the version counter: writing to c stops backward()"
        if raises
        else ".data shares storage but not the version counter: the gradient is silently wrong",
        description="Before c.zero_(), backward gives a.grad. After it, backward does not.",
        halves=(
            Half(
                title="BEFORE",
                code=(f"c = {call}",),
                note="line 3",
                strip=Strip(
                    good=True, headline=f"a.grad = {GRAD}", lines=(Line("c is cut off; out keeps its way back to a."),)
                ),
            ),
            Half(title="AFTER", code=("c.zero_()",), note="line 4: an in-place write through c", strip=bad),
        ),
        boxes=boxes,
        links=(
            both("n0", "n1", FLOW, NEVER if raises else FLOW),
            both("n1", "n2"),
            both("n2", "n3"),
            both(
                "n2",
                "n4",
                Wire(value="flow", gradient="cut", label=(cut, "demo.py:3"), tooltip=f"c = {call}  (demo.py:3)"),
            ),
            both("n2", "n4", DOTTED, kind="storage"),
            both("n3", "n5", START, kind="start"),
        ),
        metadata='{"schema": "graphvis/comparison/1"}',
    )


def row_seven() -> Scene:
    def rows(is_leaf: str, grad_fn: str, requires: str, mark: str = "plain") -> tuple[Row, ...]:
        return (
            Row("", "[2., 4., 6.]"),
            Row("is_leaf", is_leaf, mark),
            Row("grad_fn", grad_fn, mark),  # type: ignore[arg-type]
            Row("requires_grad", requires, mark),  # type: ignore[arg-type]
        )

    w = leaf("w", "[1., 1., 1.]", Row(".grad", "[2., 4., 6.]"))
    boxes = (
        Box(
            id="n0",
            faces=(
                leaf("x", "[1., 2., 3.]", Row(".grad", "[2., 2., 2.]")),
                leaf("x", "[1., 2., 3.]", Row(".grad", "None", "bad")),
            ),
        ),
        Box(
            id="n1",
            faces=(
                Face(look="function", heading="MulBackward0"),
                Face(look="function", pale=True, heading="MulBackward0", caption=(Span("freed: nothing points here"),)),
            ),
        ),
        Box(
            id="n2",
            faces=(
                Face(look="tensor", heading="m", aside="[3]", rows=rows("False", "MulBackward0", "True")),
                Face(look="constant", heading="m", aside="[3]", rows=rows("True", "None", "False", "changed")),
            ),
        ),
        Box(id="n3", faces=(w, w)),
        Box(
            id="n4",
            faces=(
                Face(look="function", heading="MulBackward0", caption=(Span("slot 0: m"), Span("slot 1: w"))),
                Face(look="function", heading="MulBackward0", caption=(Span("slot 0: None", "bad"), Span("slot 1: w"))),
            ),
        ),
        Box(id="n5", faces=(Face(look="tensor", heading="y", aside="[3]", rows=(Row("", "[2., 4., 6.]"),)),) * 2),
        Box(id="n6", faces=(Face(look="function", heading="SumBackward0"),) * 2),
        Box(id="n7", faces=(Face(look="start", heading=".backward()"),) * 2),
    )
    return Scene(
        name="detach_",
        title="detach_() before y: the chain x → m → y becomes x and m → y",
        description="Before: the gradient reaches x. After m.detach_(): x.grad stays None.",
        halves=(
            Half(
                title="BEFORE",
                code=("y = m * w",),
                note="m still knows how it was made",
                strip=Strip(good=True, headline="x.grad = [2., 2., 2.]", lines=(Line("w.grad = [2., 4., 6.]"),)),
            ),
            Half(
                title="AFTER",
                code=("m.detach_(); y = m * w",),
                note="line 4, then line 5",
                strip=Strip(
                    good=False, headline="x.grad = None", lines=(Line("No error. w.grad = [2., 4., 6.] as before."),)
                ),
            ),
        ),
        boxes=boxes,
        links=(
            both("n0", "n1", FLOW, NEVER),
            both("n1", "n2", FLOW, Wire(value="flow", gradient="cut", label=("detach_()", "demo.py:4"))),
            both("n2", "n4", FLOW, Wire(value="flow", gradient="stub", slot=0)),
            both("n3", "n4"),
            both("n4", "n5"),
            both("n5", "n6"),
            both("n6", "n7", START, kind="start"),
        ),
    )


def diagnosis() -> Scene:
    """A whole model folded around one cut, with its findings."""

    def module(box: str, heading: str, caption: str, *, cluster: str = "", sheets: int = 0, pale: bool = False) -> Box:
        spans = (Span(caption),) if caption else ()
        face = Face(look="module", heading=heading, caption=spans, pale=pale, tooltip=f"{heading}  (model.py:55)")
        return Box(id=box, faces=(face,), cluster=cluster, sheets=sheets)

    def plus(box: str) -> Box:
        return Box(id=box, faces=(Face(look="function", heading="+", tooltip="AddBackward0"),), cluster=BLOCK)

    lost = "2 parameters: no gradient"
    boxes = (
        module("n0", "wte + wpe", "2 parameters"),
        module("n1", "blocks 0–4", "5 blocks, 60 parameters", sheets=2),
        module("n2", "ln_1, attn", "6 parameters", cluster=BLOCK),
        plus("n3"),
        module("n4", "ln_2", lost, cluster=BLOCK, pale=True),
        module("n5", "mlp.fc", lost, cluster=BLOCK, pale=True),
        module("n6", "gelu", "", cluster=BLOCK, pale=True),
        module("n7", "mlp.proj", lost, cluster=BLOCK, pale=True),
        plus("n8"),
        module("n9", "blocks 6–11", "6 blocks, 72 parameters", sheets=2),
        module("n10", "ln_f, head, cross_entropy", "2 parameters, head tied to wte"),
        Box(id="n11", faces=(Face(look="start", heading="loss.backward()"),)),
    )
    cut = Wire(value="flow", gradient="cut", label=("detach()", "model.py:42"), tooltip="h = h.detach()  (model.py:42)")

    def link(tail: int, head: int, wire: Wire = FLOW, kind: str = "lanes") -> Link:
        return Link(tail=f"n{tail}", head=f"n{head}", wires=(wire,), kind=kind)  # type: ignore[arg-type]

    shapes = {
        "ln_2.weight": "[768]",
        "ln_2.bias": "[768]",
        "mlp.fc.weight": "[3072, 768]",
        "mlp.fc.bias": "[3072]",
        "mlp.proj.weight": "[768, 3072]",
        "mlp.proj.bias": "[768]",
    }
    return Scene(
        name="gpt2",
        title="6 of 148 parameters get no gradient: detach() at model.py:42",
        description="detach() at model.py:42 cuts six parameters of encoder.blocks.5 off.",
        halves=(Half(),),
        boxes=boxes,
        links=(
            link(0, 1),
            link(1, 2),
            link(1, 3),
            link(2, 3),
            link(3, 4, NEVER),
            link(4, 5, NEVER),
            link(5, 6, NEVER),
            link(6, 7, NEVER),
            link(7, 8, cut),
            link(3, 8),
            link(8, 9),
            link(9, 10),
            link(10, 11, START, "start"),
        ),
        findings=(
            Finding(
                heading="The cut: model.py:42, in MLP.forward",
                bad=True,
                entries=(
                    Entry(kind="code", aside="40", text="h = self.proj(F.gelu(self.fc(x)))"),
                    Entry(kind="code", aside="41", text="if self.probe:"),
                    Entry(kind="code", aside="42", text="    h = h.detach()", span=(8, 18)),
                    Entry(kind="note", text="called by Block.forward at model.py:56, in encoder.blocks.5"),
                ),
            ),
            Finding(
                heading="What it cost",
                entries=(
                    Entry(kind="group", text=BLOCK),
                    *(Entry(kind="item", text=name, aside=shape) for name, shape in shapes.items()),
                    Entry(kind="note", text="4,723,968 of 124,439,808 numbers"),
                ),
            ),
            Finding(
                heading="What still learns",
                entries=(
                    Entry(text="The other 142 parameters: the residual path goes around the MLP, so training runs on."),
                ),
            ),
            Finding(
                heading="Way out",
                entries=(Entry(text="Build blocks.5 with probe=False, or detach a copy that only the probe reads."),),
            ),
        ),
    )


BLOCK = "encoder.blocks.5"

HOSTILE = (
    '"><script>alert(1)</script>',
    "a\nb\tc",
    "R&D &amp; <b>",
    "x" * 200,
    "\x1b[31mred\x00",
    "abc\u202edef",
    "\ud800\uffff",
    "中文张量的名字很长很长很长很长",
    "שלום עולם",
    "مرحبا بالعالم",
    "日本語テンソル",
    "한국어 텐서",
    "e\u0301\u0302 é",
    "🔥🔥 loss",
    "{{a|b}} %% --> ;",
    "`code` #quot;",
    "\\N \\l \\G",
    "<<TABLE>>",
    "--",
    "",
)


def hostile() -> Scene:
    """Names that break out of markup, turn text around, or are wider than they look, in every place for a name."""
    boxes = []
    links = []
    for i, name in enumerate(HOSTILE):
        look = ("leaf", "tensor", "constant", "function", "conflict", "module")[i % 6]
        caption = (Span(name), Span(f"slot 1: {name}", "bad")) if i % 6 > 2 else ()
        rows = (Row("", name), Row("grad_fn", name, "changed"), Row(name, "None", "bad")) if i % 6 < 3 else ()
        face = Face(
            look=look, heading=name, aside=name, rows=rows, caption=caption, badge=i % 6 == 4, tooltip=f"{name}\nline 2"
        )  # type: ignore[arg-type]
        boxes.append(Box(id=f"n{i}", faces=(face, face), cluster=HOSTILE[0] + "\\" if i in (1, 2) else ""))
        if i:
            cut = Wire(value="flow", gradient="cut", label=(name, name), tooltip=name)
            links.append(both(f"n{(i - 1) // 2}", f"n{i}", FLOW, cut))
    strip = Strip(
        good=False, headline=HOSTILE[3], lines=tuple(Line(name, mono=bool(i % 2)) for i, name in enumerate(HOSTILE))
    )
    half = Half(title="BEFORE", code=HOSTILE[:8], note=" ".join(HOSTILE[:6]), strip=strip)
    return Scene(
        name=HOSTILE[0],
        title=" ".join(HOSTILE),
        description="\n".join(HOSTILE),
        halves=(half, half),
        boxes=tuple(boxes),
        links=tuple(links),
        metadata='{"name": "</metadata>\ufffe"}',
    )


def plain(nodes: int, width: int = 3) -> Scene:
    """A graph as a walk gives it: the gradient lane alone, no words around it."""
    boxes = [
        Box(id=f"n{i}", faces=(Face(look="function" if i % 7 else "leaf", heading=f"AddBackward{i}"),))
        for i in range(nodes)
    ]
    wire = (Wire(gradient="flow"),)
    links = [Link(tail=f"n{i}", head=f"n{i + 1}", wires=wire) for i in range(nodes - 1)]
    links += [Link(tail=f"n{i}", head=f"n{i + width}", wires=wire) for i in range(0, nodes - width, width)]
    return Scene(name="plain", halves=(Half(),), boxes=tuple(boxes), links=tuple(links))


EVERY = {
    "detach_zero": row_four,
    "data_zero": lambda: row_four("silent"),
    "detach_": row_seven,
    "diagnosis": diagnosis,
    "hostile": hostile,
    "plain": lambda: plain(12),
}
"""Each scene by name, made when asked for."""
