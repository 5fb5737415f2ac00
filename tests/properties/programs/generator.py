"""Writing a random program, line by line, with what is true of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from tests.properties.programs.values import KNOWN, Group, State, Value, inferred_only, join, severed, source, spread

# Draws a number below its argument.
Choose = Callable[[int], int]

PARAMETERS = {"a": (4,), "b": (2, 4), "c": (4, 4), "d": (2, 4), "e": (4, 4)}
LAYERS = {"linear": ("linear.weight", "linear.bias"), "norm": ("norm.weight", "norm.bias")}

HEAD = """\
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

PLACES = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
ROWS = torch.tensor([0, 1, 2, 3, 4]), torch.tensor([1, 2, 3, 0])


@torch.no_grad()
def under_no_grad(value):
    return value.sin() + 1


def with_a_detour(value):
    kept = value.detach()
    return kept * 2


def gated(m):
    def block(value):
        with torch.no_grad():
            gate = m.linear(value).sin()
        return m.norm(value) * (gate + 2)

    return block


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def step(one, other, **options):
    optimizer = torch.optim.Adam([one, other], lr=0.01, **options)
    with torch.enable_grad():
        (one.sin().sum() * other.cos().sum()).backward()
    optimizer.step()
    optimizer.zero_grad()


def program(m):
"""

# When does an explicit cut (``detach`` and its kin) count on a way to the output: where its input leads a gradient
# anywhere (the rule that graphvis follows), always, or where it leads one to a parameter. The three differ where two
# cuts lie in a row on one way.
Counting = Literal["live", "always", "reached"]


@dataclass(frozen=True)
class Truth:
    """A program and what is true of it.

    Attributes:
        source: its text; ``program(model)`` returns the loss.
        reached: parameters to which a gradient edge leads.
        flows: parameters whose value reaches the loss.
        lines: for each cut parameter the lines of its cuts.
        known: the same, of the ways that are known: no value that came back from NumPy as another object.
        kinds: for each line the kinds that a cut there may be told as.
        exact: whether a change of a parameter that flows must change the loss (no comparison, argmax, rounding).
        unfollowed: parameters whose value went into another one by a step along a gradient, which is not followed.
        uncounted: the lines of writes that the version counter does not see.
        writes: the lines of all in-place writes.
    """

    source: str
    reached: frozenset[str]
    flows: frozenset[str]
    lines: dict[str, frozenset[int]]
    known: dict[str, frozenset[int]]
    kinds: dict[int, frozenset[str]]
    exact: bool
    unfollowed: frozenset[str]
    uncounted: frozenset[int]
    writes: frozenset[int]


class Writer:
    """The program as written so far."""

    def __init__(self, choose: Choose, counting: Counting) -> None:
        self.choose = choose
        self.counting = counting
        self.lines = HEAD.splitlines()
        self.values: list[Value] = []
        self.kinds: dict[int, set[str]] = {}
        self.exact = True
        self.unfollowed: set[str] = set()
        self.uncounted: set[int] = set()
        self.writes: set[int] = set()
        self.grad = True
        self._storages = 0
        self._names = 0
        self._indent = "    "
        for name, shape in PARAMETERS.items():
            self._declare(f"m.{name}", shape, name)

    def _declare(self, name: str, shape: tuple[int, ...], parameter: str) -> Value:
        group = Group({parameter}, live=True)
        return self.add(name, shape, "float", source(parameter), group, writable=False)

    def parameter(self, name: str) -> Value:
        """A parameter that a module reads: known to no local."""
        return Value(name, (1,), "float", -1, [0], [source(name)], Group({name}, live=True), False)

    # writing

    @property
    def line(self) -> int:
        """The number of the line that is written next."""
        return len(self.lines) + 1

    def emit(self, text: str) -> int:
        """Write one statement; its line number."""
        self.lines.append(self._indent + text)
        return len(self.lines)

    @contextmanager
    def block(self, opening: str, grad: bool) -> Iterator[None]:
        """A ``with`` block."""
        self.emit(opening)
        before, self._indent, self.grad = (self._indent, self.grad), self._indent + "    ", self.grad and grad
        try:
            yield
        finally:
            self._indent, self.grad = before

    def name(self) -> str:
        self._names += 1
        return f"v{self._names}"

    # choosing

    def pick(self, among: list[Value]) -> Value | None:
        """One of the values, the latest more often."""
        if not among:
            return None
        recent = among[-4:] if self.choose(3) else among
        return recent[self.choose(len(recent))]

    def find(
        self, *shapes: tuple[int, ...], kind: str = "float", whole: bool = False, writable: bool = False,
        plain: bool = False,
    ) -> Value | None:  # fmt: skip
        """A value of one of the shapes (any, without).

        Args:
            kind: as in :class:`Value`.
            whole: of which a part may be taken.
            writable: that may be written to.
            plain: whose history is what ``requires_grad`` says: for statements that compute with it before they cut.
        """
        return self.pick(
            [
                value
                for value in self.values
                if value.kind == kind
                and (not shapes or value.shape in shapes)
                and not (whole and value.patchy)
                and not (writable and not value.writable)
                and not (plain and value.group.pretends)
            ]
        )

    # what follows from a line

    def add(
        self, name: str, shape: tuple[int, ...], kind: str, state: State, group: Group, *,
        writable: bool = True, patchy: bool = False,
    ) -> Value:  # fmt: skip
        """A value in memory of its own."""
        size = math.prod(shape)
        self._storages += 1
        value = Value(name, shape, kind, self._storages, list(range(size)), [state] * size, group, writable, patchy)
        group.members.append(value)
        self.values.append(value)
        return value

    def through(self, state: State, group: Group, line: int, kinds: tuple[str, ...], *, explicit: bool) -> State:
        """`state` of a value of `group` after `line` where its gradient does not go on."""
        counts = bool(group.parameters) if self.counting == "reached" else group.live and not group.pretends
        if explicit and self.counting == "always":
            counts = True
        if not counts:
            return state
        self.kinds.setdefault(line, set()).update(kinds)
        return severed(state, line)

    def call(
        self, text: str, inputs: list[Value], shape: tuple[int, ...], *, kind: str = "float", mixes: bool = False,
        cut: tuple[str, ...] = (), name: str | None = None, line: int | None = None, writable: bool = True,
        inferred: bool = False, aligned: bool = False, joined: bool = False,
    ) -> Value:  # fmt: skip
        """Write ``name = text``, a call that makes a value in memory of its own.

        Args:
            mixes: whether each element of the result depends on every element of the inputs.
            aligned: whether each depends on the elements at its own place only, and a reader of calls can tell.
            joined: whether the elements of one input follow those of another.
            cut: the kinds of cut that the call is, whatever the grad mode.
            line: the line of the cut, where that is in a helper.
            inferred: whether the value comes back from NumPy as another object in other memory.
        """
        if name is None:
            name = self.name()
            here = self.emit(f"{name} = {text}")
        else:
            here = self.emit(text)
        goes_on = self.grad and not cut
        states: list[list[State]] = []  # of each input, at each place of the result
        before = 0
        for value in inputs:
            found = spread(value, shape) if aligned else [value.state] * math.prod(shape)
            if joined:
                after = math.prod(shape) - before - len(value.states)
                found = [{}] * before + value.states + [{}] * after
                before += len(value.states)
            if not goes_on and (value.group.live or cut):
                kinds, explicit = cut or ("no_grad",), bool(cut)
                found = [self.through(state, value.group, line or here, kinds, explicit=explicit) for state in found]
            states.append(found)
        group = Group()
        if goes_on:
            group.live = any(value.group.live for value in inputs)
            group.parameters = set().union(*(value.group.parameters for value in inputs))
        uneven = any(value.patchy or not (aligned or joined or value.uniform) for value in inputs)
        made = self.add(name, shape, kind, {}, group, patchy=uneven and not mixes, writable=writable)
        made.states = [join(list(at)) for at in zip(*states, strict=True)]
        if inferred:
            made.states = [inferred_only(state) for state in made.states]
        made.graded = any(value.graded for value in inputs)
        return made

    def view(
        self, text: str, source: Value, cells: list[int], shape: tuple[int, ...], *, writable: bool = True
    ) -> Value:
        """Write ``name = text``, a view of `source` at the positions `cells`."""
        name = self.name()
        line = self.emit(f"{name} = {text}")
        return self.alias(name, source, cells, shape, line, ("no_grad",) if not self.grad else (), writable=writable)

    def alias(
        self, name: str, source: Value, cells: list[int], shape: tuple[int, ...], line: int, cut: tuple[str, ...], *,
        writable: bool = True,
    ) -> Value:  # fmt: skip
        """A value in the memory of `source`."""
        states = [source.states[cell] for cell in cells]
        # A view of a view that pretends leads to that one, a leaf of its own.
        group = Group(live=True) if source.group.pretends else source.group
        if cut:
            # A view made under no_grad of a tensor that requires grad is a leaf of its own that says requires_grad.
            pretends = cut == ("no_grad",) and source.group.live
            explicit = cut != ("no_grad",)
            if explicit or source.group.live:
                states = [self.through(state, source.group, line, cut, explicit=explicit) for state in states]
            group = Group(live=pretends, pretends=pretends)
            writable = writable and explicit
        value = Value(
            name, shape, source.kind, source.storage, [source.cells[cell] for cell in cells], states, group,
            writable and (source.writable or (bool(cut) and cut != ("no_grad",))), source.patchy,
            counter=source.counter, graded=source.graded,
        )  # fmt: skip
        # Parameters are written to by statements of their own, where no other name for their memory is left.
        value.writable = value.writable and source.storage > len(PARAMETERS)
        value.writable = value.writable and len(set(value.cells)) == len(value.cells)
        value.early = not group.live
        group.members.append(value)
        self.values.append(value)
        return value

    def may_write(self, target: Value, sources: list[Value], *, aligned: bool = False) -> bool:
        """Whether a write is one whose meaning is plain: no live value goes into memory that an alias outside the
        target's own history reads."""
        if any(source.patchy or not (aligned or source.uniform) for source in sources):
            return False
        if any(source.storage == target.storage for source in sources):
            return False
        if any(other.storage == target.storage and other.shared for other in self.values):
            return False
        if target.early and target.group.live and self.grad:
            return False
        strangers = any(other.storage == target.storage and other.group is not target.group for other in self.values)
        live = target.group.live or (self.grad and any(source.group.live for source in sources))
        return not (live and strangers)

    def write(
        self, text: str, target: Value, cells: list[int], sources: list[Value], *, over: bool, aligned: bool = False
    ) -> int:
        """Write `text`, an in-place write into `target` at the positions `cells`.

        Args:
            over: whether the old value does not flow into the new one.
            aligned: whether at each position only what lies at that place of the sources does.
        """
        line = self.emit(text)
        self.writes.add(line)
        if any(other.storage == target.storage and other.counter != target.counter for other in self.values):
            self.uncounted.add(line)  # an array's memory: each side counts its own writes only
        states = []
        for origin in sources:
            found = spread(origin, target.shape) if aligned else [origin.state] * len(cells)
            if not self.grad and origin.group.live:
                # Whether the target carries a gradient of its own or not: it has none of this one's.
                found = [self.through(state, origin.group, line, ("no_grad",), explicit=False) for state in found]
            states.append(found)
        incoming = {target.cells[cell]: join([found[i] for found in states]) for i, cell in enumerate(cells)}
        touched = {target.cells[cell]: target.states[cell] for cell in cells}
        for value in self.values:
            if value.storage != target.storage:
                continue
            for i, cell in enumerate(value.cells):
                if cell in touched:
                    now = incoming[cell]
                    value.states[i] = now if over else join([value.states[i], touched[cell], now])
                    value.graded |= any(source.graded for source in sources)
        if self.grad:
            for source in sources:
                target.group.live |= source.group.live
                target.group.parameters |= source.group.parameters
        return line

    def move(self, value: Value) -> None:
        """Book that a value is given memory of its own."""
        self._storages += 1
        value.storage, value.cells = self._storages, list(range(len(value.cells)))

    def target(self) -> Value | None:
        """A parameter that no other name shares memory with, to be written to."""
        return self.pick(
            [v for v in self.values[: len(PARAMETERS)] if sum(o.storage == v.storage for o in self.values) == 1]
        )

    def give(self, target: Value, cells: list[int], incoming: State, *, over: bool = True) -> None:
        """Book that `incoming` flows into a parameter too: it stays a source of its own.

        Args:
            over: whether what it was given before is gone.
        """
        own = source(target.name.removeprefix("m."))
        for cell in cells:
            target.states[cell] = join([own, incoming] if over else [target.states[cell], incoming])
        self.exact = False  # its first value may be gone
        if self.choose(2):
            self.call(f"{target.name}.sin()", [target], target.shape)


def generate(choose: Choose, counting: Counting = "live", *, giving: bool = False) -> Truth:
    """A random program and what is true of it.

    Args:
        choose: see :data:`Choose`.
        counting: see :data:`Counting`.
        giving: whether parameters are given values too: by assignment, by updates, by loading.
    """
    from tests.properties.programs.statements import GIVING, STATEMENTS

    statements = STATEMENTS + GIVING if giving else STATEMENTS
    writer = Writer(choose, counting)
    for _ in range(5 + choose(18)):
        statement = statements[choose(len(statements))]
        statement(writer)
    floats = [value for value in writer.values if value.kind == "float"]
    made = [value for value in floats if not value.name.startswith("m.")] or floats
    outputs = [made[-1], *(writer.pick(made) or made[-1] for _ in range(choose(7)))]
    writer.call(" + ".join(f"{value.name}.sin().sum()" for value in outputs), outputs, (), mixes=True)
    loss = writer.values[-1]
    writer.emit(f"return {loss.name}")
    state = loss.state
    told = {name: lines for name, (_, lines) in state.items() if name.removesuffix(KNOWN) not in loss.group.parameters}
    return Truth(
        source="\n".join(writer.lines) + "\n",
        reached=frozenset(loss.group.parameters),
        flows=frozenset(name for name in state if not name.endswith(KNOWN)),
        lines={name: lines for name, lines in told.items() if not name.endswith(KNOWN)},
        known={name.removesuffix(KNOWN): lines for name, lines in told.items() if name.endswith(KNOWN)},
        kinds={line: frozenset(kinds) for line, kinds in writer.kinds.items()},
        exact=writer.exact,
        unfollowed=frozenset(writer.unfollowed),
        uncounted=frozenset(writer.uncounted),
        writes=frozenset(writer.writes),
    )
