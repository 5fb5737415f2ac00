"""The functions that calls by one name may run, kept together: what all of the calls hand over goes to each once."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property

from graphvis.live.recorder.following.classes import attributes_of, sets_a_property
from graphvis.live.recorder.following.elements import EVERY as EVERY_ELEMENT
from graphvis.live.recorder.following.source import Def, parameters_of

Function = tuple[Def, str]
"""A function and its file."""

# Where a call gives something, beside `at` a place and `named` a parameter.
OBJECT = "self"
ANY = "any"
"""Any parameter but the object: whoever has the functions may call them."""
EVERY = "every"
"""Any parameter."""
REST = "rest"
"""Any parameter but the first."""
SET = "set"
"""The same of those that an assignment to an attribute calls."""
SPREAD = "**"


class Callees:
    """Functions of which a call may run any; kept by identity."""

    def __init__(self, members: Iterable[Function] = ()) -> None:
        self._members = tuple(members)

    def __iter__(self) -> Iterator[Function]:
        return iter(self._members)

    def __bool__(self) -> bool:
        return bool(self._members)

    @cached_property
    def handed_on(self) -> frozenset[str]:
        """The attributes of its object that one of them hands on, itself or by other methods of its file."""
        found = frozenset[str]().union(*(attributes_of(function, file) for function, file in self))
        return found.union(f"{attribute}{EVERY_ELEMENT}" for attribute in found)

    @cached_property
    def decorators(self) -> list[tuple[str, str]]:
        """The names of what is put around them, with the files that name it."""
        found: dict[tuple[str, str], None] = {}
        for function, file in self:
            for decorator in function.decorator_list:
                one = decorator.func if isinstance(decorator, ast.Call) else decorator
                name = one.attr if isinstance(one, ast.Attribute) and one is not decorator else getattr(one, "id", "")
                found[name, file] = None
        return list(found)

    @cached_property
    def make(self) -> bool:
        """Whether one of them makes an object."""
        return any(function.name == "__init__" for function, _ in self)


NOBODY = Callees()


def places(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """The arguments of a call, each with the place that it is given at."""
    for i, argument in enumerate(node.args):
        yield (f"*{i}" if isinstance(argument, ast.Starred) else f"{i}"), argument
    for word in node.keywords:
        yield (SPREAD if word.arg is None else f"{word.arg}="), word.value


def places_to(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """The same, and the object whose method is called."""
    if isinstance(node.func, ast.Attribute):
        yield OBJECT, node.func.value
    yield from places(node)


def parameters_at(function: Def | ast.Lambda, place: str) -> list[str]:
    """The parameters of a function that hold what it is given at a place."""
    arguments = function.args
    positional = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    by_word = [one.arg for one in arguments.kwonlyargs]
    own = positional[:1] if positional[:1] in (["self"], ["cls"]) else []
    if place == OBJECT:
        return own
    if place == ANY:
        return [name for name in parameters_of(function) if name not in ("self", "cls")]
    if place == EVERY:
        return parameters_of(function)
    if place == REST or (place == SET and isinstance(function, Def) and sets_a_property(function)):
        return parameters_of(function)[1:]
    if place == SET:
        return []
    if place == SPREAD:
        return [*positional, *by_word]
    if place.endswith("="):
        return _named(function, place[:-1], {*positional, *by_word})
    spread = place.startswith("*")
    i = int(place.lstrip("*")) + len(own)
    found = [*positional[i:], *by_word] if spread else []  # of whose elements any may be any of the others
    if i < len(positional):
        return found or [positional[i]]
    return [*found, *([arguments.vararg.arg] if arguments.vararg is not None else [])]


def _named(function: Def | ast.Lambda, name: str, known: set[str]) -> list[str]:
    if name in known:
        return [name]
    return [function.args.kwarg.arg] if function.args.kwarg is not None else []


def given_to(function: Def | ast.Lambda, node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """The arguments of a call of a function, its object too, with the names of the parameters that hold them."""
    for place, argument in places_to(node):
        yield from ((name, argument) for name in parameters_at(function, place))
