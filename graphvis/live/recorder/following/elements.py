"""Elements of dicts and tuples by constant keys: what is put under one is not read under another."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from graphvis.live.recorder.following.source import called

KEYED = frozenset({"dict", "defaultdict", "OrderedDict", "Counter"})
"""What is made by a call of these has elements by key."""
_BY_KEY = frozenset({"get", "setdefault", "pop"})
ENVIRONMENT = ast.Attribute(ast.Name("os", ast.Load()), "environ", ast.Load())
"""What has the variables of the process."""
EVERY = "[*]"
"""The key of all elements."""
Keys = tuple[str | int, ...]


def _key(node: ast.AST) -> str | int | None:
    """The constant that is a key; of numbers only those that count from the start."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) or (type(value) is int and value >= 0) else None


def element_of(node: ast.AST) -> tuple[ast.expr, str | int] | None:
    """What an expression takes one element of, and its key, where that is constant."""
    if isinstance(node, ast.Subscript):
        key = _key(node.slice)
        return None if key is None else (node.value, key)
    key = _key(node.args[0]) if isinstance(node, ast.Call) and node.args else None
    if isinstance(node, ast.Call) and isinstance(key, str):
        if called(node) == "getenv":
            return ENVIRONMENT, key
        if isinstance(node.func, ast.Attribute) and node.func.attr in _BY_KEY:
            return node.func.value, key
    return None


def base_of(node: ast.AST) -> tuple[ast.AST, Keys]:
    """What an expression takes an element of an element of, and their keys, outermost first."""
    keys: list[str | int] = []
    while (found := element_of(node)) is not None:
        node = found[0]
        keys.insert(0, found[1])
    return node, tuple(keys)


def path_of(keys: Keys) -> str:
    """How an element is told from others: no name of a variable or an attribute."""
    return "".join(f"[{key!r}]" for key in keys)


def read_for(keys: Keys) -> list[str]:
    """The paths under which lies what an element holds: its own, those that it is a part of, and its parts."""
    return [*(path_of(keys[:i]) for i in range(len(keys) + 1)), f"{path_of(keys)}{EVERY}"]


def written_for(keys: Keys) -> list[str]:
    """The paths under which is put what an element is to hold."""
    return [path_of(keys), *(f"{path_of(keys[:i])}{EVERY}" for i in range(len(keys)))]


def is_keyed(node: ast.AST) -> bool:
    """Whether an expression makes a dict."""
    return isinstance(node, ast.Dict) or (isinstance(node, ast.Call) and called(node) in KEYED)


def is_counted(node: ast.AST) -> bool:
    """Whether an expression makes a tuple whose elements are written one by one."""
    return isinstance(node, ast.Tuple) and not any(isinstance(one, ast.Starred) for one in node.elts)


def elements_in(node: ast.AST) -> Iterator[tuple[str | int | None, ast.expr]]:
    """What a dict or a tuple is written with, each by its key; None where that is not constant, or it is another's."""
    if isinstance(node, ast.Dict):
        for word, value in zip(node.keys, node.values, strict=True):
            key = None if word is None else _key(word)
            yield (key if isinstance(key, str) else None), value
            if word is not None and not isinstance(key, str):
                yield None, word
    elif isinstance(node, ast.Call):
        yield from ((None, one) for one in node.args)
        yield from ((word.arg, word.value) for word in node.keywords)
    elif isinstance(node, ast.Tuple):
        yield from enumerate(node.elts)


def taken(node: ast.AST, key: str | int) -> Iterable[ast.expr] | None:
    """What an element of what is written there may be, or may be in; None where what is written does not tell."""
    if (isinstance(key, str) and is_keyed(node)) or (isinstance(key, int) and is_counted(node)):
        return [value for known, value in elements_in(node) if known in (key, None)]
    return None


def is_environment(node: ast.AST) -> bool:
    """Whether an expression is what has the variables of the process."""
    return isinstance(node, ast.Attribute) and ast.dump(node) == _ENVIRONMENT


_ENVIRONMENT = ast.dump(ENVIRONMENT)
