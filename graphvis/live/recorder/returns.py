"""Python values that left PyTorch and came back: followed through the source between the two lines.

A float that was computed from ``item()`` bears no mark. What can be read is the code: which names
the value was bound to in the function that took it out, what it was returned as, and which later
call's expression holds such a name. What is found so is inferred, never certain.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import islice
from types import CodeType

Place = tuple[CodeType, int]
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Module
COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
"""Expressions that are no tensor, whatever call is made where they stand."""
_CONSTRUCTORS = frozenset({"Tensor", "FloatTensor", "DoubleTensor", "HalfTensor", "BFloat16Tensor"})
# The object that these write is their first argument; what it is written to comes second.
_SAVING = frozenset({"save", "dump"})
_GATHERING = frozenset({"append", "extend", "add", "insert", "update", "put", "appendleft", "setdefault"})


class Returns:
    """What the source says about one value that left.

    Attributes:
        constructed: whether a tensor constructor took it out, which hands it straight on.
    """

    def __init__(self, chain: Sequence[Place], traced: Collection[int]) -> None:
        """Follow it.

        Args:
            chain: the frames in which it left, innermost first.
            traced: the ``id`` of each expression whose value is a tensor that the recording saw being made:
                from there on the recording knows more than the source.
        """
        self._traced = traced
        self._names: dict[int, set[str]] = {}
        self._texts: dict[str, set[str]] = {}
        self._seeds: set[int] = set()
        self.constructed = False
        for level, place in enumerate(chain):
            scope, node = scope_of(place[0]), expression_at(*place)
            if scope is None or node is None:
                break
            if level == 0 and isinstance(node, ast.Call):
                self.constructed = _called(node) in _CONSTRUCTORS
            self._seeds.add(id(node))
            if isinstance(node, ast.Call) and _called(node) in _SAVING:
                for argument in node.args[1:]:
                    self._bind(scope, place[0].co_filename, argument)
            if not self._spread(scope, place[0].co_filename, {id(node)}):
                break

    def reach(self, place: Place) -> bool:
        """Whether the expression of a later call holds the value."""
        scope, node = scope_of(place[0]), expression_at(*place)
        if scope is None or node is None or id(node) in self._seeds:
            return False
        if isinstance(node, COMPREHENSIONS):  # what it goes over was asked for its elements
            return self._holds(scope, place[0].co_filename, node.generators[0].iter, self._seeds)
        return self._holds(scope, place[0].co_filename, node, self._seeds, inside=True)

    def _spread(self, scope: _Scope, file: str, seeds: set[int]) -> bool:
        """Bind what the value goes to within a function, until nothing new comes; whether the function returns it."""
        returned = False
        before = -1
        while before != self._size():
            before = self._size()
            for node in _statements(scope):
                returned |= self._step(scope, file, node, seeds)
        return returned

    def _step(self, scope: _Scope, file: str, node: ast.AST, seeds: set[int]) -> bool:
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

    def _call(self, scope: _Scope, file: str, node: ast.Call, seeds: set[int]) -> None:
        """What it is appended to holds it; a function of the same file that it is given to holds it by a name."""
        handed = [i for i, argument in enumerate(node.args) if self._holds(scope, file, argument, seeds)]
        named = [word.arg for word in node.keywords if word.arg and self._holds(scope, file, word.value, seeds)]
        if not handed and not named:
            return
        if isinstance(node.func, ast.Attribute) and node.func.attr in _GATHERING:
            keeper = node.func.value
            if not (isinstance(keeper, ast.Name) and keeper.id in _imported(file)):  # torch.add is no set's add
                self._bind(scope, file, keeper)
                return
        for function in _functions(file).get(_called(node) or "", ()):
            positional = [*function.args.posonlyargs, *function.args.args]
            skip = (
                1 if isinstance(node.func, ast.Attribute) and positional and positional[0].arg in ("self", "cls") else 0
            )
            own = self._names.setdefault(id(function), set())
            own.update(positional[i + skip].arg for i in handed if i + skip < len(positional))
            own.update(name for name in named if any(name == a.arg for a in [*positional, *function.args.kwonlyargs]))
            if own:
                self._spread_once(function, file)

    def _spread_once(self, function: _Scope, file: str) -> None:
        for inner in _statements(function):
            if not isinstance(inner, ast.Call):
                self._step(function, file, inner, set())

    def _bind(self, scope: _Scope, file: str, target: ast.AST) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self._bind(scope, file, element)
            return
        if isinstance(target, ast.Starred):
            self._bind(scope, file, target.value)
            return
        if isinstance(target, ast.Attribute):
            self._texts.setdefault(file, set()).add(ast.unparse(target))
            return
        written = isinstance(target, ast.Subscript)
        while isinstance(target, (ast.Subscript, ast.Call, ast.Attribute)):
            inner = target.func if isinstance(target, ast.Call) else target.value
            if isinstance(target, ast.Subscript) and isinstance(inner, ast.Attribute):
                self._texts.setdefault(file, set()).add(ast.unparse(inner))
                return
            target = inner
        if isinstance(target, ast.Name):
            self._names.setdefault(id(scope), set()).add(target.id)
            if written:
                for root in _memory_of(scope, target.id):
                    self._names[id(scope)].add(root)

    def _holds(self, scope: _Scope, file: str, node: ast.AST, seeds: set[int], inside: bool = False) -> bool:
        """Whether an expression holds the value; with `inside` its own result is not looked at, only what goes in."""
        names, texts = self._names.get(id(scope), ()), self._texts.get(file, ())
        stack = list(ast.iter_child_nodes(node)) if inside else [node]
        while stack:
            inner = stack.pop()
            if id(inner) in seeds:
                return True
            if id(inner) in self._traced:
                continue
            if isinstance(inner, ast.Name) and inner.id in names and isinstance(inner.ctx, ast.Load):
                return True
            if texts and isinstance(inner, ast.Attribute) and ast.unparse(inner) in texts:
                return True
            stack.extend(ast.iter_child_nodes(inner))
        return False

    def _size(self) -> int:
        return sum(map(len, self._names.values())) + sum(map(len, self._texts.values()))


def _memory_of(scope: _Scope, name: str) -> Iterable[str]:
    """The names of the tensors whose memory an array of that name is: ``array = tensor.numpy()``."""
    for node in _statements(scope):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            value = node.value
            shared = False
            while isinstance(value, (ast.Call, ast.Attribute, ast.Subscript)):
                if isinstance(value, ast.Attribute) and value.attr == "numpy":
                    shared = True
                if isinstance(value, ast.Call) and _called(value) == "asarray" and value.args:
                    shared, value = True, value.args[0]
                else:
                    value = value.func if isinstance(value, ast.Call) else value.value
            if shared and isinstance(value, ast.Name):
                yield value.id


def _called(node: ast.Call) -> str | None:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def _statements(scope: _Scope) -> Iterable[ast.AST]:
    """What runs in a scope, without the functions that it only defines."""
    body = scope.body if isinstance(scope.body, list) else [scope.body]
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node is not scope:
            continue
        yield node
        stack.extend(reversed(list(ast.iter_child_nodes(node))))


@lru_cache(maxsize=256)
def _parse(file: str) -> ast.Module | None:
    source = "".join(linecache.getlines(file))
    if not source:
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None


@lru_cache(maxsize=256)
def _functions(file: str) -> dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]:
    found: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
    tree = _parse(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.setdefault(node.name, []).append(node)
    return found


@lru_cache(maxsize=256)
def _imported(file: str) -> frozenset[str]:
    tree = _parse(file)
    return frozenset(
        (name.asname or name.name).split(".")[0]
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    )


@lru_cache(maxsize=1024)
def scope_of(code: CodeType) -> _Scope | None:
    """The source of a function; of the function around it for a comprehension; None where it cannot be read."""
    tree = _parse(code.co_filename)
    if tree is None or code.co_name == "<module>":
        return tree
    around: _Scope = tree
    for node in ast.walk(tree):  # breadth first: inner functions come after outer ones
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if node.name == code.co_name and first == code.co_firstlineno:
                return node
            if first <= code.co_firstlineno <= (node.end_lineno or first):
                around = node
        if isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
            return node
    return around if code.co_name in ("<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>") else None


@lru_cache(maxsize=1024)
def _spans(code: CodeType) -> dict[tuple[int | None, ...], ast.AST]:
    scope = scope_of(code)
    found: dict[tuple[int | None, ...], ast.AST] = {}
    for node in _statements(scope) if scope is not None else ():
        if isinstance(node, (ast.expr, ast.stmt)):  # of a statement and its expression the expression stays
            found[node.lineno, node.end_lineno, node.col_offset, node.end_col_offset] = node
    return found


@lru_cache(maxsize=4096)
def expression_at(code: CodeType, offset: int) -> ast.AST | None:
    """The expression that an instruction belongs to; None where the source cannot be read."""
    span = next(islice(code.co_positions(), offset // 2, None), None)
    if span is None:
        return None
    line, end_line, column, end_column = span
    return _spans(code).get((line, end_line, column, end_column))


@lru_cache(maxsize=256)
def _modules(file: str) -> frozenset[str]:
    tree = _parse(file)
    return frozenset({"torch", "F", "nn", "np"}).union(
        (name.asname or name.name).split(".")[0]
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.Import)
        for name in node.names
    )


def _is_module(node: ast.AST, file: str) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in _modules(file)


def operand_of(node: ast.AST, file: str) -> str | None:
    """What a call's first operand is called: ``h`` for ``h.detach()``, ``torch.detach(h)`` and ``h @ w``.

    Args:
        node: the expression.
        file: the file that it stands in.
    """
    first: ast.AST | None = None
    if isinstance(node, ast.Call):
        first = node.func.value if isinstance(node.func, ast.Attribute) else None
        if _called(node) == "checkpoint":
            first = node.args[1] if len(node.args) > 1 else None  # behind what is run
        elif node.args and (first is None or _is_module(first, file)):
            first = node.args[0]
    elif isinstance(node, ast.BinOp):
        first = node.left
    elif isinstance(node, (ast.Subscript, ast.Attribute)):
        first = node.value
    if isinstance(first, ast.Name) and first.id != "self":
        return first.id
    if isinstance(first, ast.Attribute):
        return ast.unparse(first).removeprefix("self.")
    return None
