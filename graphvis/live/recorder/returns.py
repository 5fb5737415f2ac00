"""Python values that left PyTorch and came back: followed through the source between the two lines.

A float that was computed from ``item()`` bears no mark. What can be read is the code: which names
the value was bound to in the function that took it out, what it was returned as, and which later
call's expression holds such a name. What is found so is inferred, never certain.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import reduce
from operator import or_

from graphvis.live.recorder.arguing import (
    BUILTINS,
    CONSTRUCTORS,
    GATHERING,
    SAVING,
    SHOWING,
    assigned_by,
    can_be_filled,
    given,
    of_module,
    only_keeps,
    returned_by,
)
from graphvis.live.recorder.holding import Holding, Step, text_of, values_in
from graphvis.live.recorder.instructions import Place
from graphvis.live.recorder.source import (
    COMPREHENSIONS,
    Def,
    Scope,
    called,
    expression_at,
    functions_of,
    imported_by,
    memory_of,
    owner_of,
    parameters_of,
    readers_of,
    scope_of,
)


class Returns:
    """What the source says about the values that left. They are numbered as they are given; a set of them is an int.

    Attributes:
        constructed: those that a tensor constructor took out, which hands them straight on.
        untold: those that went where the source cannot be followed, as far as was asked until now.
    """

    def __init__(self, chains: Sequence[Sequence[Place]], traced: Collection[int], addresses: int = 0) -> None:
        """Follow them.

        Args:
            chains: for each value the frames in which it left, innermost first.
            traced: the ``id`` of each expression whose value is a tensor that the recording saw being made:
                from there on the recording knows more than the source.
            addresses: the values that are no values of tensors but tell where they lie: whoever is given one may read
                there, and write.
        """
        seeds = {id(expression_at(*place)) for chain in chains for place in chain}
        self._holding = Holding(seeds, traced)
        self._traced, self._addresses = traced, addresses
        self._all = (1 << len(chains)) - 1
        self._attributes: dict[str, int] = {}  # by its last name, what an attribute holds
        self._given: dict[str, dict[str, int]] = {}  # by file, objects of others that were given it, and may keep it
        self._entered: dict[int, int] = {}  # by function, what went into it, and was not left by return
        self._running: dict[int, int] = {}  # by scope, what left in it and is followed there now
        self._seeds: dict[int, int] = {}  # by expression, what came out of it
        self._returned = self._all  # what the functions of the last level handed on by return
        self.constructed = self.untold = 0
        going, level = self._all, 0
        while going:
            going = self._follow(chains, going, level)
            level += 1
        self._holding.put(self._seeds)

    def reach(self, place: Place) -> int:
        """The values that the expression of a later call holds."""
        scope, node, file = scope_of(place[0]), expression_at(*place), place[0].co_filename
        if scope is None or node is None:
            return 0
        asked = self._all & ~self._seeds.get(id(node), 0)
        if isinstance(node, COMPREHENSIONS):  # what it goes over was asked for its elements
            found = self._holding.hold(scope, file, [node.generators[0].iter]) & asked
        else:
            found = self._holding.hold(scope, file, list(ast.iter_child_nodes(node))) & asked
            self.untold |= self._may_hold(file, node) & asked & ~found
        self.untold |= found & self._addresses
        return found & ~self._addresses

    def _may_hold(self, file: str, node: ast.AST) -> int:
        """What an expression may hold because it reads what was given it, or an attribute of that name."""
        given, found = self._given.get(file), 0
        if not given and not self._attributes:
            return 0
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute):
                found |= self._attributes.get(inner.attr, 0)
            if given and isinstance(inner, (ast.Name, ast.Attribute)):
                found |= given.get(text_of(inner), 0)
        return found

    def _follow(self, chains: Sequence[Sequence[Place]], going: int, level: int) -> int:
        """Follow values in the frames of one level until nothing new comes; those that these hand on to the next."""
        seeds: dict[int, int] = {}
        scopes: dict[int, tuple[Scope, str]] = {}
        put: list[tuple[Scope, str, ast.expr, int]] = []
        self._running = {}
        for value in values_in(going):
            place = chains[value][level] if level < len(chains[value]) else None
            scope, node = (None, None) if place is None else (scope_of(place[0]), expression_at(*place))
            if place is None or scope is None or node is None:
                self.untold |= 1 << value
                continue
            if self._returned >> value & 1:
                seeds[id(node)] = seeds.get(id(node), 0) | 1 << value
            scopes[id(scope)] = (scope, place[0].co_filename)
            self._running[id(scope)] = self._running.get(id(scope), 0) | 1 << value
            if isinstance(node, ast.Call):
                if level == 0 and called(node) in CONSTRUCTORS:
                    self.constructed |= 1 << value
                inner = scope_of(chains[value][level - 1][0]) if level else None
                put += [(scope, place[0].co_filename, one, 1 << value) for one in self._put_by(node, inner, value)]
        self._holding.put(seeds)
        for seed, values in seeds.items():
            self._seeds[seed] = self._seeds.get(seed, 0) | values
        for scope, file, target, values in put:
            self._bind(scope, file, target, values, into=True)
        for scope, file in scopes.values():
            self._holding.enter(scope, file)
        self._returned = 0
        for step in self._holding.due():
            self._returned |= self._step(step)
        return self._returned | self._filled_by(scopes.values())

    def _put_by(self, node: ast.Call, inner: Scope | None, value: int) -> Iterator[ast.expr]:
        """The arguments into which a call puts a value that left in it, in the function `inner` if that is known."""
        if called(node) in SAVING:
            yield from node.args[1:]
        if isinstance(inner, Def):
            for name, argument in given(inner, node):
                if self._holding.of(inner, _filled(name)) >> value & 1 and can_be_filled(argument):
                    yield argument

    def _filled_by(self, scopes: Iterable[tuple[Scope, str]]) -> int:
        """What functions put into the objects that they were given."""
        found = 0
        for scope, _ in scopes:
            for name in parameters_of(scope) if isinstance(scope, Def) else ():
                found |= self._holding.of(scope, _filled(name)) & self._running[id(scope)]
        return found

    def _step(self, step: Step) -> int:
        """Bind what a step hands on within its function; what it hands on by return."""
        node = step.node
        if isinstance(node, ast.Call):
            self._call(step, node)
        elif (handed := returned_by(node)) is not None:
            return self._read(step, handed) & self._running.get(id(step.scope), 0)
        else:
            value, targets = assigned_by(node)
            if value is not None and (values := self._read(step, value)):
                for target in targets:
                    self._bind(step.scope, step.file, target, values)
        return 0

    def _read(self, step: Step, node: ast.AST) -> int:
        """What an expression holds of what is followed in its scope."""
        scope = id(step.scope)
        return self._holding.read(step, node) & (self._running.get(scope, 0) | self._entered.get(scope, 0))

    def _call(self, step: Step, node: ast.Call) -> None:
        """What it is appended to holds it; a function of the same file that it is given to holds it by a name."""
        handed = [self._read(step, argument) for argument in node.args]
        named = [(word.arg, self._read(step, word.value)) for word in node.keywords]
        values = reduce(or_, [*handed, *(values for _, values in named)], 0)
        if id(node) in self._traced or not values:
            return
        functions = None if of_module(node, step.file) else functions_of(step.file).get(called(node) or "")
        if functions is None and not only_keeps(node, step.file):
            self.untold |= values & self._addresses
        if functions is None and isinstance(node.func, ast.Attribute):
            self._give(step, node.func, values)
        elif functions is None and isinstance(node.func, ast.Name):
            known = node.func.id in BUILTINS and node.func.id != "setattr"
            if not (known or node.func.id in imported_by(step.file)):
                self.untold |= values
        for function in functions or ():
            for name, argument in given(function, node):
                self._enter(function, step.file, name, self._read(step, argument))
                # What it puts into an object that it is given, its caller has.
                filled = self._holding.read_variable(step, function, _filled(name)) & values
                if filled and can_be_filled(argument):
                    self._bind(step.scope, step.file, argument, filled, into=True)

    def _give(self, step: Step, function: ast.Attribute, values: int) -> None:
        """A method that cannot be read was given values: its object may keep them."""
        keeper: ast.AST = function.value
        root = keeper
        while isinstance(root, (ast.Attribute, ast.Subscript, ast.Call)):
            root = root.func if isinstance(root, ast.Call) else root.value
        if isinstance(root, ast.Name) and root.id in imported_by(step.file):  # torch.add is no set's add
            return
        if function.attr in GATHERING:
            self._bind(step.scope, step.file, keeper, values, into=True)
        elif function.attr in SHOWING or not isinstance(root, ast.Name):
            return
        elif isinstance(keeper, ast.Name) and keeper.id in ("self", "cls"):
            self.untold |= values
        else:
            given = self._given.setdefault(step.file, {})
            text = ast.unparse(keeper)
            given[text] = given.get(text, 0) | values

    def _enter(self, function: Def, file: str, name: str, values: int) -> None:
        """A parameter of a function holds what it is given."""
        if values:
            self._look_into(function, file, values)
            self._bind_owned(function, file, name, values)

    def _look_into(self, function: Def, file: str, values: int) -> None:
        known = self._entered.get(id(function), 0)
        if values & ~known:
            self._entered[id(function)] = known | values
            self._holding.enter(function, file)

    def _bind(self, scope: Scope, file: str, target: ast.AST, values: int, into: bool = False) -> None:
        """Have what is assigned to hold values; with `into` it is not bound, but filled."""
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self._bind(scope, file, element, values)
            return
        if isinstance(target, ast.Starred):
            self._bind(scope, file, target.value, values)
            return
        if isinstance(target, ast.Attribute):
            self._bind_attribute(file, target, values)
            return
        written = isinstance(target, ast.Subscript)
        while isinstance(target, (ast.Subscript, ast.Call, ast.Attribute)):
            inner = target.func if isinstance(target, ast.Call) else target.value
            if isinstance(target, ast.Subscript) and isinstance(inner, ast.Attribute):
                self._bind_attribute(file, inner, values)
                return
            target = inner
        if isinstance(target, ast.Name):
            roots = memory_of(scope).get(target.id, ()) if written or into else ()
            for name in (target.id, *roots):
                owner = owner_of(name, scope, file)
                self._bind_owned(owner, file, name, values)
                if written or into:
                    self._holding.bind(owner, _filled(name), values)

    def _bind_attribute(self, file: str, target: ast.Attribute, values: int) -> None:
        self._holding.bind_attribute(file, target, values)
        self._attributes[target.attr] = self._attributes.get(target.attr, 0) | values

    def _bind_owned(self, owner: Scope, file: str, name: str, values: int) -> None:
        """Have a variable of a scope hold values; the functions that read it take them in."""
        if new := self._holding.bind(owner, name, values):
            for function in readers_of(name, owner, file):
                self._look_into(function, file, new)


def _filled(name: str) -> str:
    """What a caller's object holds that was given as the parameter of that name: no name of a variable."""
    return f"*{name}"
