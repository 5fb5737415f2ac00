"""What the generator knows of each value of a program that it writes.

The bookkeeping is independent of graphvis and of torch: it follows from what each written line
means. A value reaches through calls as a whole and through memory by cells, so that a write into
one slice of a buffer does not reach a reader of another slice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# For each parameter whose value is here: the least number of cuts on a way to here, and the lines
# of the cuts that lie on such ways.
State = dict[str, tuple[int, frozenset[int]]]


# The same flow, without the ways that can only be inferred, is kept under the name with this at its end.
KNOWN = " known"


def source(parameter: str) -> State:
    """What flows from a parameter itself."""
    return {parameter: (0, frozenset()), parameter + KNOWN: (0, frozenset())}


def inferred_only(state: State) -> State:
    """`state` behind a way that can only be inferred."""
    return {name: way for name, way in state.items() if not name.endswith(KNOWN)}


def join(states: list[State]) -> State:
    """What flows into a result of values in `states`."""
    result: State = {}
    for state in states:
        for parameter, (cost, lines) in state.items():
            known = result.get(parameter)
            if known is None or cost < known[0]:
                result[parameter] = (cost, lines)
            elif cost == known[0]:
                result[parameter] = (cost, known[1] | lines)
    return result


def severed(state: State, line: int) -> State:
    """`state` behind a cut at `line`."""
    return {parameter: (cost + 1, lines | {line}) for parameter, (cost, lines) in state.items()}


@dataclass(eq=False)
class Group:
    """Tensors that share one autograd history: a base and its differentiable views.

    Attributes:
        parameters: those to which the gradient gets.
        live: whether a gradient edge leads here at all, be it to a leaf of its own.
        pretends: whether it is a view made under no_grad of what leads to a gradient: it says requires_grad, is a leaf
            of its own, and has no edge.
        members: the values.
    """

    parameters: set[str] = field(default_factory=set)
    live: bool = False
    pretends: bool = False
    members: list[Value] = field(default_factory=list)


@dataclass(eq=False)
class Value:
    """A local of the program.

    Attributes:
        name: its name there.
        shape: its sizes.
        kind: ``float``, ``int``, ``bool`` (tensors), ``coo``, ``rows`` (sparse ones, of which all here is about the
            values) or ``number`` (a Python float).
        storage: number of its memory.
        cells: for each element, in row-major order, its cell in that memory.
        states: for each element what flows there.
        group: its autograd history.
        writable: whether an in-place write through it is allowed by PyTorch at all times.
        patchy: whether its elements depend on different things while a reader of calls must say that each
            depends on all: then no part of it is taken, so that both ways of telling agree.
        shared: whether it is one of several views that one call returned; PyTorch allows no write into their memory.
        graded: whether it was computed from a gradient that was taken as a value.
        counter: number of the version counter that its writes move; 0 for that of its storage.
        early: whether it is a view made before its base led to any gradient; PyTorch refuses a write through it after.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    storage: int
    cells: list[int]
    states: list[State]
    group: Group
    writable: bool = True
    patchy: bool = False
    shared: bool = False
    early: bool = False
    counter: int = 0
    graded: bool = False

    @property
    def state(self) -> State:
        return join(self.states)

    @property
    def uniform(self) -> bool:
        return all(state == self.states[0] for state in self.states)


def spread(value: Value, shape: tuple[int, ...]) -> list[State]:
    """What flows at each place of a shape that a value is broadcast to."""
    missing = len(shape) - len(value.shape)
    strides, length = [0] * len(shape), 1
    for dim in reversed(range(missing, len(shape))):
        size = value.shape[dim - missing]
        strides[dim] = length if size > 1 else 0
        length *= size
    places = [0]
    for size, stride in zip(shape, strides, strict=True):
        places = [place + i * stride for place in places for i in range(size)]
    return [value.states[place] for place in places]
