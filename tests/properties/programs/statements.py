"""The statements that a random program is made of; each writes one idea and books what it does.

A statement that finds no fitting value writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.properties.programs.generator import HEAD, LAYERS, PARAMETERS, Writer
from tests.properties.programs.values import Group, Value, join

Statement = Callable[[Writer], None]
STATEMENTS: list[Statement] = []
GIVING: list[Statement] = []  # those that give a value to a parameter

NO_GRAD = ("with torch.no_grad():", "with torch.set_grad_enabled(False):", "with torch.autograd.grad_mode.no_grad():")

# Elementwise calls of one value, bounded so that long chains stay finite, smooth so that every change shows: what
# saturates is given a sine.
UNARY = (
    "torch.sin({a})", "{a}.cos()", "{a}.sin().tanh()", "torch.sigmoid({a}.cos())", "F.softplus({a}.sin())",
    "F.gelu({a}.sin())", "{a}.atan()", "({a} * {a} + 1).sqrt()", "({a}.square() + 1).log()", "torch.exp(-{a}.sin())",
    "1.25 * {a}.neg()", "{a} + 0.5", "1.5 * {a}", "{a}.clone()", "F.silu({a}.sin())", "F.elu({a}.cos())",
    "{a}.sinc()", "{a}.sin().erf()", "F.leaky_relu({a}, 0.3)", "F.dropout({a}, 0.5, training=False) * 1.0",
    "{a}.sin().pow(3).tanh()", "F.hardtanh({a}.sin() * 0.5) * 50",
)  # fmt: skip
BINARY = (
    "{a} + {b}", "{a} - 0.7 * {b}", "{a} * {b}", "torch.add({a}, {b}, alpha=0.5)", "{a} / ({b}.square() + 1)",
    "torch.lerp({a}, {b}, 0.25)", "torch.addcmul({a}, {a}, {b})", "torch.hypot({a} + 2, {b})",
    "torch.logaddexp({a}.sin(), {b}.cos())", "torch.atan2({a}, {b}.square() + 1)",
)  # fmt: skip
# Calls that mix the last axis of two axes, or all: shape in, shape out.
MIXING = (
    ("{a}.sin().softmax(-1).square()", (2, 4), (2, 4)),
    ("F.log_softmax({a}, -1)", (2, 4), (2, 4)),
    ("{a}.cumsum(-1)", (2, 4), (2, 4)),
    ("F.layer_norm({a}, (4,)).exp().sqrt()", (2, 4), (2, 4)),
    ("{a}.sin().logsumexp(-1)", (2, 4), (2,)),
    ("{a}.mean(0)", (2, 4), (4,)),
    ("torch.linalg.vector_norm({a}, dim=0)", (2, 4), (4,)),
    ("{a}.flip(0)", (4,), (4,)),
    ("torch.roll({a}, 1)", (4,), (4,)),
    ("torch.outer({a}, {a})", (4,), (4, 4)),
    ("{a}.sum(-1)", (4, 4), (4,)),
    ("torch.einsum('ij,kj->ik', {a}, {a}) * 1", (2, 4), (2, 2)),
    ("{a}.repeat(2, 1)", (4,), (2, 4)),
    ("F.normalize({a}, dim=-1)", (4, 4), (4, 4)),
    ("{a}.square().mean(0)", (4, 4), (4,)),
    ("{a}.sin().prod(-1).tanh()", (2, 4), (2,)),
)  # fmt: skip
TO_SCALAR = (
    "{a}.sum()",
    "{a}.mean()",
    "{a}.norm()",
    "{a}.square().sum()",
    "torch.logsumexp({a}.sin().flatten(), 0)",
    "({a}.square().mean() + 1).sqrt()",
)


def statement(weight: int = 1, among: list[Statement] = STATEMENTS) -> Callable[[Statement], Statement]:
    """Register a statement, `weight` times as likely as others."""

    def register(function: Statement) -> Statement:
        among.extend([function] * weight)
        return function

    return register


def helper_line(text: str) -> int:
    """The line of the head that holds `text`."""
    return 1 + next(number for number, line in enumerate(HEAD.splitlines()) if text in line)


def one_of(w: Writer, texts: tuple[str, ...]) -> str:
    return texts[w.choose(len(texts))]


def unary(w: Writer) -> Value | None:
    if a := w.find():
        return w.call(one_of(w, UNARY).format(a=a.name), [a], a.shape, aligned=True)
    return None


@statement(4)
def elementwise(w: Writer) -> None:
    unary(w)


@statement(5)
def two_values(w: Writer) -> None:
    if (a := w.find()) and (b := w.find(a.shape, (), *([(4,)] if a.shape[1:] == (4,) else []))):
        w.call(one_of(w, BINARY).format(a=a.name, b=b.name), [a, b], a.shape, aligned=True)


@statement(2)
def mixing(w: Writer) -> None:
    text, takes, gives = MIXING[w.choose(len(MIXING))]
    if (a := w.find(takes)) and not a.patchy and a.uniform:
        w.call(text.format(a=a.name), [a], gives)


@statement()
def transposed(w: Writer) -> None:
    """A copy in another order: the same elements, at other places."""
    a = w.find((2, 4), (4, 4), whole=True, plain=True)
    if a is not None and w.grad:
        text, shape = (
            (".t().contiguous()", a.shape[::-1]),
            (".transpose(0, 1).clone(memory_format=torch.contiguous_format)", a.shape[::-1]),
            (".t().reshape(-1).reshape(4, -1)", (4, a.shape[0])),
            (".t().sin()", a.shape[::-1]),
        )[w.choose(4)]
        made = w.call(a.name + text, [a], shape, mixes=True)
        made.states = [a.states[row * 4 + column] for column in range(4) for row in range(a.shape[0])]


@statement()
def scalar(w: Writer) -> None:
    if a := w.find((2, 4), (4, 4), (4,)):
        w.call(one_of(w, TO_SCALAR).format(a=a.name), [a], (), mixes=True)


@statement(2)
def matrix_product(w: Writer) -> None:
    if (a := w.find((2, 4), (4, 4))) and (b := w.find((4, 4))):
        text = one_of(w, ("{a} @ {b}", "torch.mm({a}, {b})", "F.linear({a}, {b})", "{a}.matmul({b})"))
        w.call(f"torch.atan({text.format(a=a.name, b=b.name)})", [a, b], a.shape)


@statement()
def where(w: Writer) -> None:
    if (a := w.find((2, 4), whole=True)) and (b := w.find((2, 4), whole=True)):
        w.exact = w.exact and a.uniform and b.uniform  # what was written to the columns that are left out is gone
        w.call(
            f"torch.where(torch.tensor([True, False, True, False]), {a.name}, {b.name})", [a, b], (2, 4)
        ).patchy = True


@statement()
def layer(w: Writer) -> None:
    name = ("linear", "norm")[w.choose(2)]
    if a := w.find((2, 4), (4, 4)):
        # A normalised constant is zero: then the scale flows and changes nothing.
        w.exact = w.exact and name != "norm"
        w.call(f"m.{name}({a.name})", [a, *map(w.parameter, LAYERS[name])], a.shape)


# views


@statement(2)
def view(w: Writer) -> None:
    if not (a := w.find((2, 4), (4, 4), whole=True)):
        return
    rows, columns = a.shape
    size = rows * columns
    choices = (
        ("[0]", list(range(columns)), (columns,)),
        (".select(0, 1)", list(range(columns, 2 * columns)), (columns,)),
        ("[:, 1:3]", [r * columns + c for r in range(rows) for c in (1, 2)], (rows, 2)),
        (".narrow(1, 0, 2)", [r * columns + c for r in range(rows) for c in (0, 1)], (rows, 2)),
        ("[:, 2]", [r * columns + 2 for r in range(rows)], (rows,)),
        (".t()", [r * columns + c for c in range(columns) for r in range(rows)], (columns, rows)),
        (".transpose(0, 1)", [r * columns + c for c in range(columns) for r in range(rows)], (columns, rows)),
        (".unsqueeze(0).squeeze(0)", list(range(size)), a.shape),
        (".diagonal()", [i * columns + i for i in range(min(rows, columns))], (min(rows, columns),)),
        ("[0:2]", list(range(2 * columns)), (2, columns)),
    )
    text, cells, shape = choices[w.choose(len(choices))]
    w.view(a.name + text, a, cells, shape)


@statement()
def unbound(w: Writer) -> None:
    a = w.find((2, 4), whole=True)
    if a is None or not w.grad:
        return
    first, second = w.name(), w.name()
    line = w.emit(f"{first}, {second} = {a.name}" + one_of(w, (".unbind(0)", ".chunk(2, 1)", ".split(2, 1)")))
    rows = w.lines[-1].endswith("unbind(0)")
    parts = ([0, 1, 2, 3], [4, 5, 6, 7]) if rows else ([0, 1, 4, 5], [2, 3, 6, 7])
    for name, cells in zip((first, second), parts, strict=True):
        w.alias(name, a, cells, (4,) if rows else (2, 2), line, (), writable=False).shared = True


@statement()
def concatenation(w: Writer) -> None:
    if (a := w.find((4,))) and (b := w.find((4,))):
        text = one_of(
            w, ("torch.stack([{a}, {b}])", "torch.cat([{a}, {b}]).view(2, 4).clone()", "torch.vstack(({a}, {b}))")
        )
        w.call(text.format(a=a.name, b=b.name), [a, b], (2, 4), joined=True)


@statement()
def concatenation_of_rows(w: Writer) -> None:
    if (a := w.find((2, 4))) and (b := w.find((2, 4))):
        w.call(f"torch.cat(({a.name}, {b.name}), dim=0)", [a, b], (4, 4), joined=True)


@statement()
def expanded(w: Writer) -> None:
    if a := w.find((4,), whole=True):
        w.view(f"{a.name}.expand(2, 4)", a, [0, 1, 2, 3] * 2, (2, 4), writable=False)


# indexing


@statement()
def indexing(w: Writer) -> None:
    if a := w.find((4, 4), whole=True):
        if not a.uniform:
            return
        text = one_of(
            w,
            (
                "{a}[torch.tensor([2, 0])]",
                "{a}.index_select(0, torch.tensor([1, 1]))",
                "{a}.gather(0, torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]]))",
                "{a}.take(torch.tensor([[0, 1, 2, 3], [9, 8, 7, 6]]))",
                "F.embedding(torch.tensor([3, 0]), {a})",
                "{a}[torch.tensor([True, False, False, True])]",
            ),
        )
        w.call(text.format(a=a.name), [a], (2, 4))


@statement()
def index_add(w: Writer) -> None:
    if (a := w.find((4, 4), whole=True)) and (b := w.find((2, 4), whole=True)):
        w.exact = w.exact and a.uniform  # what was written to the rows that are copied over is gone
        text = one_of(w, ("index_add(0, torch.tensor([0, 2]), {b})", "index_copy(0, torch.tensor([1, 3]), {b})"))
        w.call(f"{a.name}." + text.format(b=b.name), [a, b], (4, 4)).patchy = True


# writes


@statement(2)
def in_place_arithmetic(w: Writer) -> None:
    if not (a := w.find(writable=True)):
        return
    b = w.find(a.shape, ())
    if b is None or a.patchy or not w.may_write(a, [b], aligned=True):
        return
    text = one_of(
        w, ("{a}.add_({b})", "{a} += {b}", "{a}.mul_({b})", "{a}.sub_({b}, alpha=0.5)", "{a}.addcmul_({b}, {b})")
    )
    w.write(text.format(a=a.name, b=b.name), a, list(range(len(a.cells))), [b], over=False, aligned=True)


@statement()
def in_place_function(w: Writer) -> None:
    a = w.find(writable=True)
    if a is None or a.patchy or not w.may_write(a, []):
        return
    text = one_of(
        w,
        (
            "{a}.sin_().tanh_()",
            "{a}.sin_()",
            "{a}.mul_(1.5)",
            "{a} *= 0.5",
            "F.elu({a}.cos_(), inplace=True)",
            "torch._foreach_add_([{a}], 0.1)",
        ),
    )
    w.write(text.format(a=a.name), a, list(range(len(a.cells))), [], over=False)


@statement(2)
def overwriting(w: Writer) -> None:
    if not (a := w.find(writable=True)):
        return
    b = w.find(a.shape)
    text = one_of(w, ("{a}.copy_({b})", "{a}[...] = {b}", "torch.Tensor.copy_({a}, {b})"))
    aligned = "copy_" in text
    if b is None or not w.may_write(a, [b], aligned=aligned):
        return
    w.write(text.format(a=a.name, b=b.name), a, list(range(len(a.cells))), [b], over=True, aligned=aligned)


@statement(2)
def writing_a_row(w: Writer) -> None:
    a = w.find((2, 4), (4, 4), writable=True)
    if a is None or a.patchy:
        return
    b = w.find((4,))
    if b is None or not w.may_write(a, [b]):
        return
    row = w.choose(a.shape[0])
    text = one_of(
        w, ("{a}[{row}] = {b}", "{a}[{row}].copy_({b})", "{a}.select(0, {row}).copy_({b})", "{a}[{row}, :] = {b}")
    )
    w.write(text.format(a=a.name, row=row, b=b.name), a, list(range(4 * row, 4 * row + 4)), [b], over=True)


@statement()
def constant_over(w: Writer) -> None:
    a = w.find(writable=True)
    if a is None or not w.may_write(a, []):
        return
    text = one_of(w, ("{a}.fill_(0.25)", "{a}[...] = 0.75", "{a}.copy_(torch.full({shape}, 0.5, dtype=torch.float64))"))
    w.write(text.format(a=a.name, shape=a.shape), a, list(range(len(a.cells))), [], over=True)


@statement(2)
def fresh_buffer(w: Writer) -> None:
    shape = ((2, 4), (4, 4), (4,))[w.choose(3)]
    name = w.name()
    w.emit(f"{name} = torch.full({shape}, 0.3, dtype=torch.float64)")
    w.add(name, shape, "float", {}, Group())


@statement()
def like(w: Writer) -> None:
    if a := w.find((2, 4), (4, 4), (4,)):
        name = w.name()
        text = one_of(w, ("torch.ones_like({a})", "{a}.new_ones({a}.shape) * {a}.dim()", "torch.full_like({a}, 0.5)"))
        w.emit(f"{name} = " + text.format(a=a.name))
        w.add(name, a.shape, "float", {}, Group())


@statement()
def out_argument(w: Writer) -> None:
    a = w.find()
    if a is None or a.patchy or not w.grad:
        return
    target = w.find(a.shape, writable=True)
    if target is None or target.group.live or len({len(target.cells), len(set(target.cells))}) > 1:
        return
    if not w.may_write(target, [a], aligned=True) or len(target.group.members) > 1:
        return
    with w.block("with torch.no_grad():", grad=False):
        text = f"torch.cos({a.name}, out={target.name})"
        w.write(text, target, list(range(len(target.cells))), [a], over=True, aligned=True)


@statement(2)
def writing_under_no_grad(w: Writer) -> None:
    with w.block(one_of(w, NO_GRAD), grad=False):
        before = len(w.lines)
        (in_place_arithmetic, overwriting, writing_a_row)[w.choose(3)](w)
        if len(w.lines) == before:
            w.emit("pass")


@statement()
def data_write(w: Writer) -> None:
    a = w.find(writable=True)
    if a is None or a.patchy:
        return
    b = w.find(a.shape)
    if b is None or b.group.live or b.patchy or b.storage == a.storage:
        return
    w.uncounted.add(w.line)
    grad, w.grad = w.grad, False
    w.write(f"{a.name}.data.copy_({b.name})", a, list(range(len(a.cells))), [b], over=True, aligned=True)
    w.grad = grad


# parameters that are given a value


def _parameter_and_another_value(w: Writer) -> tuple[Value, Value] | None:
    """A parameter, and a live value of its shape that was not computed from it; None where there are none."""
    target = w.target()
    made = None if target is None else w.find(target.shape, plain=True)
    if target is None or made is None or not made.group.live or made.graded:
        return None
    if target.name.removeprefix("m.") in made.state:
        return None
    return target, made


@statement(2, GIVING)
def assignment(w: Writer) -> None:
    """What was computed from others for this: a cut."""
    found = _parameter_and_another_value(w)
    if found is None:
        return
    target, made = found
    text, kind = (
        ("{p}.data = torch.sin({v})", "data"),
        ("{p}.data.copy_({v}.tanh() + 1)", "data"),
        ("{p}.data[...] = 2 * {v}.cos()", "data"),
        ("{p}.data = torch.sin({v}).detach()", "detach"),
        ("{p}.data.copy_(torch.sin({v}).detach().clone())", "detach"),
        ("{p}.detach().copy_({v}.cos())", "detach"),
    )[w.choose(6)]
    line = w.emit(text.format(p=target.name, v=made.name))
    (w.writes if ".detach().copy_" in text and ".data" not in text else w.uncounted).add(line)
    w.give(target, list(range(len(target.cells))), w.through(made.state, made.group, line, (kind,), explicit=True))


@statement(1, GIVING)
def assignment_under_no_grad(w: Writer) -> None:
    found = _parameter_and_another_value(w)
    if found is None:
        return
    target, made = found
    made = w.call(f"torch.sin({made.name})", [made], made.shape)
    with w.block(one_of(w, NO_GRAD), grad=False):
        line = w.emit(one_of(w, ("{p}.copy_({v})", "{p}[...] = {v}")).format(p=target.name, v=made.name))
    w.writes.add(line)
    w.give(
        target, list(range(len(target.cells))), w.through(made.state, made.group, line, ("no_grad",), explicit=False)
    )


@statement(1, GIVING)
def assignment_of_a_row(w: Writer) -> None:
    target, row = w.target(), w.choose(2)
    if target is None or len(target.shape) == 1:
        return
    made = w.find((4,), plain=True)
    if made is None or not made.group.live or made.graded or target.name.removeprefix("m.") in made.state:
        return
    w.uncounted.add(w.line)
    text = one_of(
        w, ("{p}.data[{r}] = {v}.sin()", "{p}.data[{r}].copy_({v}.sin())", "{p}.data.select(0, {r}).copy_({v}.sin())")
    )
    line = w.emit(text.format(p=target.name, r=row, v=made.name))
    w.give(target, list(range(4 * row, 4 * row + 4)), w.through(made.state, made.group, line, ("data",), explicit=True))


def _to_mix(w: Writer, target: Value) -> Value | None:
    """A value of the shape of a parameter, to be mixed into it."""
    value = w.find(target.shape, whole=True, plain=True)
    if value is None or not value.uniform or value.storage == target.storage or value.graded:
        return None  # what comes by a gradient is no way into a parameter
    return value


@statement(2, GIVING)
def update(w: Writer) -> None:
    """What is added to a parameter: whose it is flows into it, and what it was given before stays."""
    if not (target := w.target()) or not (b := _to_mix(w, target)):
        return
    text = one_of(w, ("{p}.data.add_({v}, alpha=0.1)", "{p}.data -= 0.1 * {v}.sin()", "{p}.data.lerp_({v}, 0.2)",
                      "{p}.data.mul_(0.9).add_({v} * 0.2)", "{p}.detach().addcmul_({v}, {v})"))  # fmt: skip
    line = w.emit(text.format(p=target.name, v=b.name))
    (w.writes if ".detach" in text else w.uncounted).add(line)
    kind = "detach" if ".detach" in text else "data"
    incoming = w.through(b.state, b.group, line, (kind,), explicit=False)
    w.give(target, list(range(len(target.cells))), incoming, over=False)


@statement(2, GIVING)
def update_under_no_grad(w: Writer) -> None:
    if not (target := w.target()) or not (b := _to_mix(w, target)):
        return
    text = one_of(w, ("{p}.add_({v}, alpha=0.1)", "{p} -= 0.1 * {v}", "{p}.lerp_({v}, 0.2)", "{p}.mul_(0.9).add_({v})",
                      "torch._foreach_add_([{p}], [{v}])", "{p}.copy_(0.9 * {p} + 0.1 * {v})"))  # fmt: skip
    if "copy_" in text and not target.uniform:
        return
    name = target.name
    with w.block(one_of(w, NO_GRAD), grad=False):
        text = text.replace("{p} -=", "p = {p}; p -=") if text.startswith("{p} -=") else text
        line = w.emit(text.format(p=name, v=b.name))
    w.writes.add(line)
    incoming = w.through(b.state, b.group, line, ("no_grad",), explicit=False)
    w.give(target, list(range(len(target.cells))), incoming, over=False)


@statement(2, GIVING)
def update_to_other_memory(w: Writer) -> None:
    """The same, computed from what the parameter holds: with a gradient of the parameter itself, at times."""
    if not (target := w.target()) or not target.uniform or not (b := _to_mix(w, target)):
        return
    text, kind = (
        ("{p}.data = {p} - 0.1 * {v}", "data"),
        ("{p}.data.copy_(0.9 * {p} + 0.1 * {v})", "data"),
        ("{p}.data = 0.9 * {p}.data + 0.1 * {v}.detach()", "detach"),
    )[w.choose(3)]
    line = w.emit(text.format(p=target.name, v=b.name))
    w.uncounted.add(line)
    group = b.group if kind == "detach" else target.group
    incoming = w.through(b.state, group, line, (kind,), explicit=True)
    w.give(target, list(range(len(target.cells))), incoming, over=False)


@statement(1, GIVING)
def update_by_a_number(w: Writer) -> None:
    if not (target := w.target()) or not (s := w.find(kind="number")) or s.graded:
        return
    text = one_of(w, ("{p}.data.mul_({s})", "{p}.data.add_({s})", "nn.init.constant_({p}, {s})", "{p}.data.fill_({s})"))
    line = w.emit(text.format(p=target.name, s=s.name))
    (w.writes if ".data" not in text else w.uncounted).add(line)
    over = "fill_" in text or "constant_" in text
    w.give(target, list(range(len(target.cells))), s.state, over=over)


@statement(2, GIVING)
def step(w: Writer) -> None:
    """Along a gradient: nothing flows, whatever the gradient was computed from."""
    if not (target := w.target()):
        return
    other = w.values[w.choose(len(PARAMETERS))]
    text = one_of(
        w,
        (
            "{p}.data.mul_(0.9)",
            "{p}.data.sub_(torch.autograd.grad({p}.sin().sum() * {q}.cos().sum(), {p}, create_graph=True)[0])",
            "{p}.data = {p}.data - 0.1 * torch.autograd.grad({p}.sin().sum() * {q}.cos().sum(), {p})[0].tanh()",
            "step({p}, {q})",
            "step({p}, {q}, foreach=True, weight_decay=0.1)",
            "step({p}, {q}, fused=True)",
        ),
    )
    line = w.emit(text.format(p=target.name, q=other.name))
    if "step(" in text:
        w.writes.add(helper_line("optimizer.step()"))
        w.uncounted.add(helper_line("optimizer.step()"))
    w.uncounted.add(line)
    w.exact = False
    w.unfollowed |= set(PARAMETERS)  # the other one, and what either was given of others


@statement(2, GIVING)
def loading(w: Writer) -> None:
    """What another parameter holds, or a constant; what was given before is gone."""
    target = w.target()
    if target is None:
        return
    cells = list(range(len(target.cells)))
    others = [v for v in w.values[: len(PARAMETERS)] if v is not target and v.shape == target.shape and v.uniform]
    other = w.pick(others)
    if other is None or w.choose(4) == 0:
        w.uncounted.add(w.emit(f"{target.name}.data.fill_(0.25)"))
        w.give(target, cells, {})
        return
    text, kind = (
        ("{p}.data.copy_({v})", "data"),
        ("{p}.data = {v}.detach().clone()", "detach"),
        ("{p}.data[...] = {v}.data", "data"),
        ("m.load_state_dict({{'{to}': m.state_dict()['{of}']}}, strict=False)", "detach"),
    )[w.choose(4)]
    to, of = target.name.removeprefix("m."), other.name.removeprefix("m.")
    line = w.emit(text.format(p=target.name, v=other.name, to=to, of=of))
    (w.writes if "load" in text else w.uncounted).add(line)
    w.give(target, cells, w.through(other.state, other.group, line, (kind,), explicit=True))


# cuts


@statement(2)
def detach(w: Writer) -> None:
    if a := w.find():
        name = w.name()
        line = w.emit(f"{name} = " + one_of(w, ("{a}.detach()", "torch.detach({a})")).format(a=a.name))
        w.alias(name, a, list(range(len(a.cells))), a.shape, line, ("detach",))


@statement()
def detach_of_a_copy(w: Writer) -> None:
    if a := w.find(plain=True):
        text = one_of(w, ("{a}.detach() * 2", "{a}.sin().detach()", "{a}.detach().clone()"))
        w.call(text.format(a=a.name), [a], a.shape, cut=("detach",), aligned=True)


@statement()
def detach_in_place(w: Writer) -> None:
    a = w.find(writable=True)
    if a is None or a.early or len(a.group.members) > 1 or sum(v.storage == a.storage for v in w.values) > 1:
        return
    line = w.emit(f"{a.name}.detach_()")
    a.states = [w.through(state, a.group, line, ("detach_",), explicit=True) for state in a.states]
    a.group = Group(members=[a])


@statement()
def data(w: Writer) -> None:
    if a := w.find():
        name = w.name()
        line = w.emit(f"{name} = {a.name}.data")
        w.alias(name, a, list(range(len(a.cells))), a.shape, line, ("data",), writable=False).counter = line


@statement(2)
def no_grad(w: Writer) -> None:
    with w.block(one_of(w, NO_GRAD), grad=False):
        before = len(w.lines)
        for _ in range(1 + w.choose(3)):
            (elementwise, two_values, matrix_product, layer, view, concatenation)[w.choose(6)](w)
        if len(w.lines) == before:
            w.emit("pass")


@statement()
def no_grad_decorator(w: Writer) -> None:
    if a := w.find():
        grad, w.grad = w.grad, False
        w.call(f"under_no_grad({a.name})", [a], a.shape, line=helper_line("return value.sin() + 1"), aligned=True)
        w.grad = grad


@statement()
def helper_with_a_detach(w: Writer) -> None:
    if a := w.find():
        line = helper_line("kept = value.detach()")
        w.call(f"with_a_detour({a.name})", [a], a.shape, cut=("detach",), line=line, aligned=True)


@statement()
def inference_mode(w: Writer) -> None:
    a = w.find()
    if a is None or not w.grad:
        return
    inner = w.name()
    with w.block("with torch.inference_mode():", grad=False):
        line = w.line
        name = f"{inner} = torch.sin({a.name})"
        w.emit(name)
    name = w.name()
    w.call(f"{name} = {inner}.clone()", [a], a.shape, cut=("inference_mode",), name=name, line=line, aligned=True)
    if not a.group.live:
        w.values[-1].states = list(a.states)


@statement()
def number(w: Writer) -> None:
    if a := w.find((2, 4), (4, 4), (4,), plain=True):
        text = one_of(w, ("{a}.sum().item()", "float({a}.mean())", "{a}.norm().item()", "{a}.flatten()[1].item()"))
        if text.endswith("[1].item()") and (a.patchy or not a.uniform):
            return
        w.call(text.format(a=a.name), [a], (), cut=("item",), kind="number")


@statement(2)
def number_used(w: Writer) -> None:
    s = w.find(kind="number")
    if s is None:
        return
    b = w.find((2, 4), (4, 4), (4,))
    if b is None or w.choose(3) == 0:
        w.call(f"torch.full((2, 4), {s.name}, dtype=torch.float64)", [s], (2, 4))
        return
    text = one_of(w, ("{b} * {s}", "{b} + {s}", "torch.add({b}, {s})", "{b}.sub({s}, alpha=0.7)"))
    w.call(text.format(b=b.name, s=s.name), [b, s], b.shape, aligned=True)


@statement()
def numpy_shared(w: Writer) -> None:
    a = w.find()
    if a is None or not a.shape or a.name.startswith("m."):
        return
    if len(set(a.cells)) != len(a.cells):
        return
    name = w.name()
    text = one_of(
        w,
        (
            "torch.from_numpy({a}.detach().numpy())",
            "torch.from_numpy({a}.numpy(force=True))",
            "torch.as_tensor({a}.detach().cpu().numpy())",
        ),
    )
    line = w.emit(f"{name} = " + text.format(a=a.name))
    made = w.alias(name, a, list(range(len(a.cells))), a.shape, line, ("numpy", "detach"), writable=True)
    made.counter = line


@statement()
def numpy_computed(w: Writer) -> None:
    if a := w.find((2, 4), (4, 4), (4,)):
        text = one_of(
            w,
            (
                "torch.from_numpy(np.sin({a}.detach().numpy()))",
                "torch.tensor({a}.detach().numpy() * 2)",
                "torch.from_numpy({a}.detach().numpy().copy())",
                "torch.as_tensor(np.asarray({a}.detach()) + 1)",
            ),
        )
        w.call(text.format(a=a.name), [a], a.shape, cut=("numpy", "detach"), inferred=True)


@statement()
def copied(w: Writer) -> None:
    if a := w.find((2, 4), (4, 4), (4,)):
        text = one_of(w, ("torch.tensor({a})", "torch.zeros(1, dtype=torch.float64).new_tensor({a})"))
        w.call(text.format(a=a.name), [a], a.shape, cut=("copy",), aligned=True)


@statement()
def list_of_scalars(w: Writer) -> None:
    if (a := w.find((2, 4), (4, 4), plain=True)) and (b := w.find((2, 4), (4, 4), plain=True)):
        text = f"torch.tensor([{a.name}.sum(), {b.name}.sum()], dtype=torch.float64)"
        w.call(text, [a, b], (2,), cut=("copy", "item"), mixes=True)


@statement()
def rewrapped(w: Writer) -> None:
    a = w.find((2, 4), (4, 4), (4,))
    if a is None or a.name.startswith("m."):
        return
    name = w.name()
    text, cut = (("nn.Parameter({a})", "rewrap"), ("{a}.detach().requires_grad_()", "detach"))[w.choose(2)]
    line = w.emit(f"{name} = " + text.format(a=a.name))
    made = w.alias(name, a, list(range(len(a.cells))), a.shape, line, (cut, "rewrap", "detach"), writable=False)
    made.group.live = True
    made.writable = False


@statement()
def comparison(w: Writer) -> None:
    if a := w.find((2, 4)):
        w.exact = False
        cut = ("non_differentiable",)
        made = w.call(f"{a.name}.gt(0)", [a], (2, 4), cut=cut, kind="bool", writable=False, aligned=True)
        w.call(f"{made.name}.to(torch.float64)", [made], (2, 4), aligned=True)


@statement()
def masked(w: Writer) -> None:
    if (
        (mask := w.find((2, 4), kind="bool"))
        and (a := w.find((2, 4), whole=True))
        and (b := w.find((2, 4), whole=True))
    ):
        text = one_of(w, ("torch.where({m}, {a}, {b})", "{a}.masked_fill({m}, 0.5) + 0 * {b}"))
        w.call(text.format(m=mask.name, a=a.name, b=b.name), [mask, a, b], (2, 4), aligned=True)


@statement()
def index_of(w: Writer) -> None:
    if (a := w.find((2, 4))) and (b := w.find((4, 4), whole=True)):
        w.exact = False
        text = one_of(
            w, ("{a}.argmax(-1)", "torch.topk({a}, 1).indices[:, 0]", "{a}.sort(-1)[1][:, 0]", "{a}.max(-1).indices")
        )
        made = w.call(text.format(a=a.name), [a], (2,), cut=("non_differentiable",), kind="int", writable=False)
        if b.uniform:
            w.call(f"{b.name}[{made.name}]", [b, made], (2, 4))


@statement()
def integer_cast(w: Writer) -> None:
    if a := w.find((2, 4), (4,), plain=True):
        w.exact = False
        cut = ("non_differentiable",)
        made = w.call(f"({a.name} * 9).long()", [a], a.shape, cut=cut, kind="int", writable=False, aligned=True)
        w.call(f"{made.name}.double() / 9", [made], a.shape, aligned=True)


@statement()
def custom_function(w: Writer) -> None:
    if a := w.find():
        w.call(f"Doubled.apply({a.name})", [a], a.shape)


@statement()
def checkpointed(w: Writer) -> None:
    a = w.find((2, 4), (4, 4))
    if a is None or not w.grad:
        return
    if w.choose(2) and not a.group.live:
        # Reentrant: the layer is read inside a Function whose inputs need no grad.
        line = w.line
        state_group = [w.parameter(name) for name in LAYERS["linear"]]
        name = w.name()
        w.emit(f"{name} = checkpoint(m.linear, {a.name}, use_reentrant=True)")
        states = [w.through(p.state, p.group, line, ("checkpoint", "function"), explicit=False) for p in state_group]
        made = w.add(name, a.shape, "float", join([a.state, *states]), Group(), patchy=a.patchy or not a.uniform)
        made.graded = a.graded
        return
    inputs = [a, *map(w.parameter, LAYERS["linear"])]
    w.call(f"checkpoint(m.linear, {a.name}, use_reentrant=False)", inputs, a.shape)


@statement()
def checkpointed_with_a_no_grad_inside(w: Writer) -> None:
    a = w.find((2, 4), (4, 4), plain=True)
    if a is None or not w.grad or not a.group.live:
        return
    w.exact = False
    line = helper_line("gate = m.linear(value)")
    norm, linear = ([w.parameter(name) for name in LAYERS[layer]] for layer in ("norm", "linear"))
    gate = [w.through(p.state, p.group, line, ("no_grad",), explicit=False) for p in linear]
    made = w.call(f"checkpoint(gated(m), {a.name}, use_reentrant=True)", [a, *norm], a.shape)
    made.states = [join([state, *gate]) for state in made.states]
    a.writable = False  # detached in place afterwards it would get no gradient, which only a backward tells


@statement()
def gradient_as_a_value(w: Writer) -> None:
    a = w.find((2, 4), (4, 4))
    if a is None or not w.grad or a.name.startswith("m."):
        return
    # A leaf of its own, so that the inner gradient meets nothing but this line.
    name, leaf = w.name(), w.name()
    line = w.emit(f"{leaf} = {a.name}.detach().requires_grad_()")
    states = [w.through(state, a.group, line, ("detach", "rewrap"), explicit=True) for state in a.states]
    here = w.emit(f"{name} = torch.autograd.grad({leaf}.pow(3).sum(), {leaf})[0]")
    state = w.through(join(states), Group(live=True), here, ("grad",), explicit=True)
    patchy = a.patchy or not a.uniform
    w.add(name, a.shape, "float", state, Group(), patchy=patchy, writable=False).graded = True


@statement()
def straight_through(w: Writer) -> None:
    if a := w.find():
        w.exact = False
        name = w.name()
        text = f"{name} = {a.name} + ({a.name}.round() - {a.name}).detach()"
        w.call(text, [a], a.shape, name=name, aligned=True)


# tensors that have no memory of their own


@statement()
def through_sparse(w: Writer) -> None:
    if (a := w.find((4, 4))) and (b := w.find((4, 4))):
        texts = (
            ("{a}.to_sparse().to_dense()", [a]),
            ("{a}.to_sparse_csr().to_dense()", [a]),
            ("torch.atan(torch.sparse.mm({a}.to_sparse(), {b}))", [a, b]),
            ("torch.sparse.softmax({a}.sin().to_sparse(), 1).coalesce().to_dense().square()", [a]),
        )
        text, inputs = texts[w.choose(len(texts))]
        w.call(text.format(a=a.name, b=b.name), inputs, (4, 4))


def sparse_on_a_vector(w: Writer) -> None:
    """Shares the vector's memory, counts for itself, and autograd knows nothing of what is written to the vector."""
    how = w.choose(3)
    a = fresh_vector(w) if how == 0 else w.find((4,), whole=True, plain=True)
    if a is None or (a.group.live and not w.grad) or len(set(a.cells)) < 4:
        return
    kind = ("coo", "rows")[w.choose(2)]
    name = w.name()
    text = {
        "coo": "torch.sparse_coo_tensor(PLACES, {a}, (4, 4), is_coalesced=True)",
        "rows": "torch.sparse_csr_tensor(*ROWS, {a}, (4, 4))",
    }[kind]
    line = w.emit(f"{name} = " + text.format(a=f"{a.name}.detach()" if how == 1 else a.name))
    made = w.alias(name, a, [0, 1, 2, 3], (4,), line, ("detach",) if how == 1 else (), writable=False)
    made.group.members.remove(made)
    live = a.group.live and how != 1
    made.group = Group(set(a.group.parameters) if live else set(), live, members=[made])
    made.kind, made.counter = kind, line


def fresh_vector(w: Writer) -> Value:
    name = w.name()
    w.emit(f"{name} = torch.full((4,), 0.3, dtype=torch.float64)")
    return w.add(name, (4,), "float", {}, Group())


def _sparse(w: Writer, *, writable: bool = False) -> Value | None:
    among = [value for value in w.values if value.kind in ("coo", "rows") and not (writable and value.group.live)]
    return w.pick(among)


def sparse_values(w: Writer) -> None:
    s = _sparse(w, writable=True)
    if s is None:
        return
    name = w.name()
    line = w.emit(f"{name} = {s.name}." + ("values()" if s.kind == "rows" or w.choose(2) else "_values()"))
    made = w.alias(name, s, [0, 1, 2, 3], (4,), line, ())
    made.kind, made.writable = "float", w.grad and s.storage > len(PARAMETERS)
    b = w.find((4,), plain=True)
    if b is not None and b.group.live:
        there = w.name()
        line = w.emit(f"{there} = {b.name}.detach()")
        b = w.alias(there, b, [0, 1, 2, 3], (4,), line, ("detach",))
    if b is None or not made.writable or not w.may_write(made, [b]):
        return
    text = one_of(w, ("{a}.copy_({b})", "{a}.add_({b})"))
    w.write(text.format(a=name, b=b.name), made, [0, 1, 2, 3], [b], over="copy_" in text)
    if not s.patchy and s.uniform:
        w.call(f"{s.name}.to_dense().sin()", [s], (4, 4)).patchy = True


def sparse_detached(w: Writer) -> None:
    if s := _sparse(w):
        name = w.name()
        line = w.emit(f"{name} = {s.name}.detach()")
        w.alias(name, s, [0, 1, 2, 3], (4,), line, ("detach",), writable=False)


def sparse_read(w: Writer) -> None:
    s, b = _sparse(w), w.find((4, 4))
    if s is None or b is None or s.patchy or not s.uniform:
        return
    texts = (
        ("{s}.to_dense().sin()", [s]),
        ("torch.sparse.mm({s}, {b}).atan()", [s, b]),
        ("({s} * 0.5).to_dense().sin() + {b}", [s, b]),
    )
    text, inputs = texts[w.choose(len(texts))]
    w.call(text.format(s=s.name, b=b.name), inputs, (4, 4)).patchy = True


def sparse_written(w: Writer) -> None:
    s = _sparse(w, writable=True)
    if s is None or s.patchy or not s.uniform or s.storage <= len(PARAMETERS) or not w.may_write(s, []):
        return
    text = one_of(w, ("{s}.mul_(1.5)", "{s}.neg_()", "{s}.sin_()", "{s}.div_(2.0)"))
    if s.kind == "coo" and "mul_" in text:  # the others share its memory no longer
        w.move(s)
    w.write(text.format(s=s.name), s, [0, 1, 2, 3], [], over=False)


@statement(5)
def sparse(w: Writer) -> None:
    """Makes one if there is none, and then what depends on the memory of its values."""
    if not any(value.kind in ("coo", "rows") for value in w.values) or w.choose(5) == 0:
        sparse_on_a_vector(w)
    for _ in range(1 + w.choose(2)):
        (sparse_values, sparse_values, sparse_detached, sparse_read, sparse_written)[w.choose(5)](w)


@statement()
def mapped(w: Writer) -> None:
    """Within a transform tensors are wrappers, and what is written through a view or an alias of one stays inside."""
    if (a := w.find((2, 4), (4, 4))) and (b := w.find(a.shape)):
        texts = (
            ("{a}", "lambda p: p.sin().mul_(2)", [a]),
            ("{a}, {b}", "lambda p, q: p * q.cos()", [a, b]),
            ("{a}", "lambda p: torch.zeros_like(p).add_(p).view(2, 2).sin().view(4)", [a]),
            ("{a}, {b}", "lambda p, q: torch.stack([p.sin(), q]).copy_(q)[0] + p", [a, b]),
        )
        given, function, inputs = texts[w.choose(len(texts))]
        given = given.format(a=a.name, b=b.name)
        w.call(f"torch.func.vmap({function})({given})", inputs, a.shape)
