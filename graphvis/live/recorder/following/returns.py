"""Python values that left PyTorch and came back: followed through the source between the two lines.

A float that was computed from ``item()`` bears no mark. What can be read is the code: which names
the value was bound to in the function that took it out, what it was returned as, and which later
call's expression holds such a name. What is found so is inferred, never certain.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from functools import reduce
from operator import or_

from graphvis.live.recorder.following.aliases import parts_of
from graphvis.live.recorder.following.arguing import (
    CONSTRUCTORS,
    SAVING,
    STREAMS,
    SetByFunction,
    assigned_by,
    can_be_filled,
    filled,
    returned_by,
)
from graphvis.live.recorder.following.callees import REST, given_to
from graphvis.live.recorder.following.codes import expression_at, scope_of
from graphvis.live.recorder.following.elements import Keys
from graphvis.live.recorder.following.entering import Entering
from graphvis.live.recorder.following.giving import Giving
from graphvis.live.recorder.following.holding import Holding, values_in
from graphvis.live.recorder.following.keys import Key
from graphvis.live.recorder.following.parting import Parting
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.protocols import methods_of, operated_on
from graphvis.live.recorder.following.putting import Putting
from graphvis.live.recorder.following.source import (
    COMPREHENSIONS,
    Def,
    Definition,
    Function,
    Scope,
    called,
    defaults_of,
    is_generator,
    parameters_of,
)
from graphvis.live.recorder.following.steps import Step
from graphvis.live.recorder.instructions import Place


class Returns:
    """What the source says about the values that left. They are numbered as they are given; a set of them is an int.

    Attributes:
        constructed: those that a tensor constructor took out, which hands them straight on.
    """

    def __init__(
        self,
        program: Program,
        chains: Sequence[Sequence[Place]],
        traced: Collection[int],
        addresses: int = 0,
        variables: Sequence[Collection[str]] = (),
    ) -> None:
        """Follow them.

        Args:
            program: the files.
            chains: for each value the frames in which it left, innermost first.
            traced: the ``id`` of each expression whose value is a tensor that the recording saw being made:
                from there on the recording knows more than the source.
            addresses: the values that are no values of tensors but tell where they lie: whoever is given one may read
                there, and write.
            variables: for each value the names of those that already had it when the innermost frame was where it is
                in its chain, and nobody else; it left then only if there are none.
        """
        seeds = {id(expression_at(*place)) for chain in chains for place in chain}
        self._program = program
        self._holding = Holding(program, seeds, traced, len(chains), addresses)
        self._addresses, self._variables = addresses, variables
        self._count = len(chains)
        self._all = (1 << len(chains)) - 1
        self._entering = Entering(program, self._holding)
        self._putting = Putting(program, self._holding, self._entering, seeds.union(traced), len(chains))
        self._giving = Giving(program, self._holding, self._putting, self._entering, self._read, traced, addresses)
        self._running: dict[int, int] = {}  # by scope, what left in it and is followed there now
        self._seeds: dict[tuple[int, Keys], int] = {}  # by expression and element, what came out of it
        self._parting = Parting(program, self._holding, self._putting, self._read)
        # By element, what the functions of the last level handed on by return.
        self._returned: dict[Keys, int] = {(): self._all}
        self.constructed = 0
        going, level = self._all, 0
        while going:
            going = self._follow(chains, going, level)
            level += 1
        self._holding.put(self._seeds)
        self._came_out: dict[int, int] = {}
        for (seed, _), values in self._seeds.items():
            self._came_out[seed] = self._came_out.get(seed, 0) | values

    @property
    def untold(self) -> int:
        """Those that went where the source cannot be followed, whatever is asked for."""
        return self._putting.untold

    def reach(self, place: Place) -> tuple[int, int]:
        """The values that the expression of a later call holds, and those that it may hold."""
        scope, node, file = scope_of(place[0]), expression_at(*place), place[0].co_filename
        if scope is None or node is None:
            return 0, 0
        asked = self._all & ~self._came_out.get(id(node), 0)
        if isinstance(node, COMPREHENSIONS):  # what it goes over was asked for its elements
            nodes: list[ast.AST] = [node.generators[0].iter]
        else:
            nodes = list(ast.iter_child_nodes(node))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                nodes[0] = node.func.value
        held = self._holding.hold(scope, file, nodes)
        found = held & asked
        maybe = held >> self._count & asked & ~found
        return found & ~self._addresses, maybe | found & self._addresses

    def _follow(self, chains: Sequence[Sequence[Place]], going: int, level: int) -> int:
        """Follow values in the frames of one level until nothing new comes; those that these hand on to the next."""
        seeds: dict[tuple[int, Keys], int] = {}
        scopes: dict[int, tuple[Scope, str]] = {}
        put: list[tuple[Scope, str, ast.expr, int, bool | None]] = []
        self._running = {}
        for value in values_in(going):
            place = chains[value][level] if level < len(chains[value]) else None
            scope, node = (None, None) if place is None else (scope_of(place[0]), expression_at(*place))
            if place is None or scope is None or node is None:
                self._putting.lose(1 << value)
                continue
            held = self._variables[value] if level == 0 and self._variables else ()
            put += [(scope, place[0].co_filename, ast.Name(name, ast.Store()), 1 << value, False) for name in held]
            for keys, returned in self._returned.items() if not held else ():
                if returned >> value & 1:
                    seeds[id(node), keys] = seeds.get((id(node), keys), 0) | 1 << value
                    if target := _target(node):
                        put.append((scope, place[0].co_filename, target, 1 << value, False))
            scopes[id(scope)] = (scope, place[0].co_filename)
            self._running[id(scope)] = self._running.get(id(scope), 0) | 1 << value
            if isinstance(node, ast.Call) and not held:
                if level == 0 and called(node) in CONSTRUCTORS:
                    self.constructed |= 1 << value
                inner = scope_of(chains[value][level - 1][0]) if level else None
                put += [(scope, place[0].co_filename, *one) for one in self._put_by(node, inner, value)]
        self._seed(seeds)
        for scope, file, target, values, into in put:
            if into is None:
                self._putting.fill_by_call(scope, file, target, values)
            else:
                self._putting.bind(scope, file, target, values, into)
        for scope, file in scopes.values():
            self._holding.enter(scope, file)
        self._returned = {}
        for step in self._holding.due():
            self._step(step)
        filled_here = [self._fills(scope) & self._running[id(scope)] for scope, _ in scopes.values()]
        return reduce(or_, [*filled_here, *self._returned.values()], 0)

    def _seed(self, seeds: dict[tuple[int, Keys], int]) -> None:
        """Have values come out of expressions, or lie in elements of what does."""
        self._holding.put(seeds)
        self._parting.elements_out = {}
        for seed, values in seeds.items():
            self._seeds[seed] = self._seeds.get(seed, 0) | values
            if seed[1]:
                self._parting.elements_out.setdefault(seed[0], []).append(seed[1])

    def _put_by(self, node: ast.Call, inner: Scope | None, value: int) -> Iterator[tuple[ast.expr, int, bool | None]]:
        """The arguments into which a call puts a value that left in it, in the function `inner` if that is known.

        Each with the value, as it is there, and whether it is put into it: else it is set; None where it may be.
        """
        one, both = 1 << value, 1 << value | self._holding.may(1 << value)
        if called(node) in SAVING:
            yield from ((argument, one, True) for argument in node.args[1:])
        if not isinstance(inner, Function):
            return
        if self._fills(inner) & one and not _calls(node, inner):  # somebody else did, with whatever he was given
            for argument in (node.func, *node.args, *(word.value for word in node.keywords)):
                yield argument, one, None
        for name, argument in given_to(inner, node):
            if (values := self._holding.of(inner, filled(name)) & both) and can_be_filled(argument):
                yield argument, values & one or values, True
            for attribute, some in self._putting.put_in.get((id(inner), name), {}).items():
                if values := some & both:
                    yield SetByFunction(argument, attribute, ast.Store()), values & one or values, False

    def _fills(self, scope: Scope) -> int:
        """What a function puts into the objects that it was given."""
        found = self._putting.filled_through.get(id(scope), 0)
        for name in parameters_of(scope) if isinstance(scope, Function) else ():
            found |= self._holding.of(scope, filled(name))
            for values in self._putting.put_in.get((id(scope), name), {}).values():
                found |= values
        return found

    def _step(self, step: Step) -> None:
        """Bind what a step hands on within its function, and note what it hands on by return."""
        node = step.node
        if isinstance(node, ast.Call):
            self._giving.give(step, node)
        elif isinstance(node, Definition) and node is not step.scope:
            self._define(step, node)
        elif (handed := returned_by(node)) is not None:
            self._return(step, handed, self._read(step, handed))
        elif isinstance(node, ast.Raise):
            self._holding.throw(self._read(step, node))
        elif isinstance(node, ast.ExceptHandler):
            if node.name and (values := self._holding.caught(step)):
                self._putting.bind_variable(step.scope, step.file, node.name, values)
        else:
            self._assign(step, *assigned_by(node))
            self._operate(step)

    def _operate(self, step: Step) -> None:
        """What stands beside an operator is given to the function that it may be."""
        names, operands = operated_on(step.node)
        for callees in (self._program.special(name, step.file) for name in names):
            if callees:
                values = reduce(or_, [self._read(step, operand) for operand in operands], 0)
                self._entering.enter_all(callees, REST, self._holding.may(values))

    def _assign(self, step: Step, value: ast.AST | None, targets: list[ast.AST]) -> None:
        if value is None:
            return
        special = [self._program.special(name, step.file) for name in methods_of(step.node)]
        handed_out = self._holding.read_out_of(step, special)
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr in STREAMS:
                self._putting.fill(step.scope, step.file, value, self._holding.shown(step))
            for one, part in parts_of(target, value):
                for inner, keys, values in self._parting.assigned(step, one, part):
                    if keys and values:
                        self._putting.bind_element(step.scope, step.file, inner, keys, values)
                    if values := handed_out | (0 if keys else values):
                        self._putting.bind(step.scope, step.file, inner, values)

    def _define(self, step: Step, node: Definition) -> None:
        """What a function is given by nobody it has from where it is defined; a class hands words to its bases."""
        if isinstance(node, ast.ClassDef):
            self._putting.lose(reduce(or_, [self._read(step, word.value) for word in node.keywords], 0))
            return
        for name, default in defaults_of(node):
            self._entering.enter(node, step.file, name, self._holding.may(self._read(step, default)))

    def _read(self, step: Step, node: ast.AST, without: Collection[Key] = (), keys: Keys = ()) -> int:
        """What an expression holds, or an element of it, of what is followed in its scope."""
        scope = id(step.scope)
        return self._holding.read(step, node, without, keys) & (
            self._running.get(scope, 0) | self._entering.entered.get(scope, 0) | ~self._all
        )

    def _return(self, step: Step, handed: ast.AST, values: int) -> None:
        """Hand on what a function returns: to the frame that the value leaves next, and what it may hold to any."""
        # What is kept may be returned again, and what is awaited goes to whoever awaits it.
        kept = isinstance(step.scope, Def) and bool(
            step.scope.decorator_list or isinstance(step.scope, ast.AsyncFunctionDef)
        )
        if isinstance(step.node, ast.Return) and is_generator(step.scope):
            self._holding.throw(values)
        values |= self._holding.may(values & self._entering.from_inside.get(id(step.scope), 0))
        self._putting.hand_out(step.scope, step.file, self._holding.may(values) if kept else values)
        # What is gone over is not what is handed on, but its elements are.
        whole = isinstance(step.node, (ast.Yield, ast.YieldFrom)) or is_generator(step.scope)
        for keys, part in [((), values)] if whole else self._parting.handed(step, handed):
            self._returned[keys] = self._returned.get(keys, 0) | part & self._running.get(id(step.scope), 0)


def _target(node: ast.AST) -> ast.expr | None:
    """What a value is bound to that came out of no expression, but where this stands."""
    if isinstance(node, (ast.Tuple, ast.List)) and isinstance(node.ctx, ast.Store):
        return node
    return node.target if isinstance(node, (ast.For, ast.AsyncFor, ast.AugAssign)) else None


def _calls(node: ast.Call, function: Function) -> bool:
    """Whether a call is one of a function by its name."""
    return isinstance(function, Def) and called(node) == function.name
