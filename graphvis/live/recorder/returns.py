"""Python values that left PyTorch and came back: followed through the source between the two lines.

A float that was computed from ``item()`` bears no mark. What can be read is the code: which names
the value was bound to in the function that took it out, what it was returned as, and which later
call's expression holds such a name. What is found so is inferred, never certain.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterable, Sequence

from graphvis.live.recorder.source import (
    COMPREHENSIONS,
    Def,
    Place,
    Scope,
    called,
    expression_at,
    functions_of,
    imported_by,
    owner_of,
    readers_of,
    scope_of,
    statements,
)

_CONSTRUCTORS = frozenset({"Tensor", "FloatTensor", "DoubleTensor", "HalfTensor", "BFloat16Tensor"})
# The object that these write is their first argument; what it is written to comes second.
_SAVING = frozenset({"save", "dump"})
_GATHERING = frozenset({"append", "extend", "add", "insert", "update", "put", "appendleft", "setdefault"})
# What is given to these is shown to somebody, whoever they belong to.
_SHOWING = frozenset(
    """debug info warning warn error exception critical write print log log_dict log_metric log_metrics logkv record
    add_scalar add_scalars add_text add_histogram set_postfix set_postfix_str set_description""".split()
)
_BUILTINS = frozenset(vars(builtins))


class Returns:
    """What the source says about one value that left.

    Attributes:
        constructed: whether a tensor constructor took it out, which hands it straight on.
        untold: whether it went where the source cannot be followed, as far as was asked until now.
    """

    def __init__(self, chain: Sequence[Place], traced: Collection[int]) -> None:
        """Follow it.

        Args:
            chain: the frames in which it left, innermost first.
            traced: the ``id`` of each expression whose value is a tensor that the recording saw being made:
                from there on the recording knows more than the source.
        """
        self._traced = traced
        self._names: dict[int, set[str]] = {}  # by the scope whose variables they are
        self._words: set[str] = set()  # all of these
        self._texts: dict[str, set[str]] = {}  # by file, the attributes that hold it
        self._attributes: set[str] = set()  # their last names
        self._given: dict[str, set[str]] = {}  # by file, objects of others that were given it, and may keep it
        self._entered: dict[int, tuple[Def, str]] = {}  # functions that it went into, and were not left by return
        self._seeds: set[int] = set()
        self.constructed = self.untold = False
        for level, place in enumerate(chain):
            scope, node = scope_of(place[0]), expression_at(*place)
            if scope is None or node is None:
                self.untold = True
                return
            if level == 0 and isinstance(node, ast.Call):
                self.constructed = called(node) in _CONSTRUCTORS
            self._seeds.add(id(node))
            if isinstance(node, ast.Call) and called(node) in _SAVING:
                for argument in node.args[1:]:
                    self._bind(scope, place[0].co_filename, argument)
            if not self._spread(scope, place[0].co_filename, {id(node)}):
                return
        self.untold = True

    def reach(self, place: Place) -> bool:
        """Whether the expression of a later call holds the value."""
        scope, node, file = scope_of(place[0]), expression_at(*place), place[0].co_filename
        if scope is None or node is None or id(node) in self._seeds:
            return False
        if isinstance(node, COMPREHENSIONS):  # what it goes over was asked for its elements
            return self._holds(scope, file, node.generators[0].iter, self._seeds)
        if self._holds(scope, file, node, self._seeds, inside=True):
            return True
        self.untold = self.untold or self._may_hold(file, node)
        return False

    def _may_hold(self, file: str, node: ast.AST) -> bool:
        """Whether an expression reads what may hold the value: what was given it, or an attribute of that name."""
        given = self._given.get(file, ())
        if not given and not self._attributes:
            return False
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute) and inner.attr in self._attributes:
                return True
            if given and isinstance(inner, (ast.Name, ast.Attribute)) and ast.unparse(inner) in given:
                return True
        return False

    def _spread(self, scope: Scope, file: str, seeds: set[int]) -> bool:
        """Bind what the value goes to within a function, until nothing new comes; whether the function returns it."""
        returned = False
        before = -1
        while before != self._size():
            before = self._size()
            for node in statements(scope):
                returned |= self._step(scope, file, node, seeds)
            for function, its_file in tuple(self._entered.values()):
                for node in statements(function):
                    self._step(function, its_file, node, seeds)
        if isinstance(scope, ast.Lambda):
            returned |= self._holds(scope, file, scope.body, seeds)
        return returned

    def _step(self, scope: Scope, file: str, node: ast.AST, seeds: set[int]) -> bool:
        value = getattr(node, "value", None)
        if isinstance(node, (ast.Return, ast.Yield)):
            return value is not None and self._holds(scope, file, value, seeds)
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
            if value is not None and self._holds(scope, file, value, seeds):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    self._bind(scope, file, target)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            if self._holds(scope, file, node.iter, seeds):
                self._bind(scope, file, node.target)
        elif isinstance(node, ast.Call):
            self._call(scope, file, node, seeds)
        return False

    def _call(self, scope: Scope, file: str, node: ast.Call, seeds: set[int]) -> None:
        """What it is appended to holds it; a function of the same file that it is given to holds it by a name."""
        handed = [i for i, argument in enumerate(node.args) if self._holds(scope, file, argument, seeds)]
        named = [word.arg for word in node.keywords if self._holds(scope, file, word.value, seeds)]
        if id(node) in self._traced or not (handed or named):
            return
        functions = functions_of(file).get(called(node) or "")
        if functions is None and isinstance(node.func, ast.Attribute):
            self._give(scope, file, node.func)
        elif functions is None and isinstance(node.func, ast.Name):
            known = node.func.id in _BUILTINS and node.func.id != "setattr"
            self.untold = self.untold or not (known or node.func.id in imported_by(file))
        for function in functions or ():
            self._enter(function, file, node, handed, named)

    def _give(self, scope: Scope, file: str, function: ast.Attribute) -> None:
        """A method that cannot be read was given the value: its object may keep it."""
        keeper: ast.AST = function.value
        root = keeper
        while isinstance(root, (ast.Attribute, ast.Subscript, ast.Call)):
            root = root.func if isinstance(root, ast.Call) else root.value
        if isinstance(root, ast.Name) and root.id in imported_by(file):  # torch.add is no set's add
            return
        if function.attr in _GATHERING:
            self._bind(scope, file, keeper)
        elif function.attr in _SHOWING or not isinstance(root, ast.Name):
            return
        elif isinstance(keeper, ast.Name) and keeper.id in ("self", "cls"):
            self.untold = True
        else:
            self._given.setdefault(file, set()).add(ast.unparse(keeper))

    def _enter(self, function: Def, file: str, node: ast.Call, handed: list[int], named: list[str | None]) -> None:
        """Its parameters hold what they are given."""
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        bound = isinstance(node.func, ast.Attribute) or function.name != called(node)  # the class was called
        skip = 1 if bound and positional and positional[0].arg in ("self", "cls") else 0
        places = [i + skip for i in handed]
        own = {positional[i].arg for i in places if i < len(positional)}
        if arguments.vararg is not None and any(i >= len(positional) for i in places):
            own.add(arguments.vararg.arg)
        known = {argument.arg for argument in [*positional, *arguments.kwonlyargs]}
        own.update(name for name in named if name in known)
        if arguments.kwarg is not None and not known.issuperset(named):
            own.add(arguments.kwarg.arg)
        if own:
            self._names.setdefault(id(function), set()).update(own)
            self._words |= own
            self._entered.setdefault(id(function), (function, file))

    def _bind(self, scope: Scope, file: str, target: ast.AST) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self._bind(scope, file, element)
            return
        if isinstance(target, ast.Starred):
            self._bind(scope, file, target.value)
            return
        if isinstance(target, ast.Attribute):
            self._bind_attribute(file, target)
            return
        written = isinstance(target, ast.Subscript)
        while isinstance(target, (ast.Subscript, ast.Call, ast.Attribute)):
            inner = target.func if isinstance(target, ast.Call) else target.value
            if isinstance(target, ast.Subscript) and isinstance(inner, ast.Attribute):
                self._bind_attribute(file, inner)
                return
            target = inner
        if isinstance(target, ast.Name):
            self._bind_name(scope, file, target.id)
            if written:
                for root in _memory_of(scope, target.id):
                    self._bind_name(scope, file, root)

    def _bind_attribute(self, file: str, target: ast.Attribute) -> None:
        self._texts.setdefault(file, set()).add(ast.unparse(target))
        self._attributes.add(target.attr)

    def _bind_name(self, scope: Scope, file: str, name: str) -> None:
        owner = owner_of(name, scope, file)
        names = self._names.setdefault(id(owner), set())
        if name not in names:
            names.add(name)
            self._words.add(name)
            for function in readers_of(name, owner, file):
                self._entered.setdefault(id(function), (function, file))

    def _holds(self, scope: Scope, file: str, node: ast.AST, seeds: set[int], inside: bool = False) -> bool:
        """Whether an expression holds the value; with `inside` its own result is not looked at, only what goes in."""
        texts = self._texts.get(file, ())
        stack = list(ast.iter_child_nodes(node)) if inside else [node]
        while stack:
            inner = stack.pop()
            if id(inner) in seeds:
                return True
            if id(inner) in self._traced:
                continue
            if isinstance(inner, ast.Name):
                if (
                    inner.id in self._words
                    and isinstance(inner.ctx, ast.Load)
                    and inner.id in self._names.get(id(owner_of(inner.id, scope, file)), ())
                ):
                    return True
            elif texts and isinstance(inner, ast.Attribute) and ast.unparse(inner) in texts:
                return True
            stack.extend(ast.iter_child_nodes(inner))
        return False

    def _size(self) -> int:
        held = (*self._names.values(), *self._texts.values(), *self._given.values())
        return sum(map(len, held)) + len(self._entered)


def _memory_of(scope: Scope, name: str) -> Iterable[str]:
    """The names of the tensors whose memory an array of that name is: ``array = tensor.numpy()``."""
    for node in statements(scope):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            value = node.value
            shared = False
            while isinstance(value, (ast.Call, ast.Attribute, ast.Subscript)):
                if isinstance(value, ast.Attribute) and value.attr == "numpy":
                    shared = True
                if isinstance(value, ast.Call) and called(value) == "asarray" and value.args:
                    shared, value = True, value.args[0]
                else:
                    value = value.func if isinstance(value, ast.Call) else value.value
            if shared and isinstance(value, ast.Name):
                yield value.id
