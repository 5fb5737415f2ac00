"""Which names and attributes of the source hold which of many values, and what must be looked at again when more do.

A set of values is an int, one bit for each value: all are followed at once, in the time that one takes.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from graphvis.live.recorder.source import Scope, owner_of, statements

_HAND_ON = (
    ast.Return, ast.Yield, ast.YieldFrom, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For,
    ast.AsyncFor, ast.comprehension, ast.withitem, ast.Match, ast.Call,
)  # fmt: skip
# A variable: the ``id`` of its scope, and its name. Any attribute of a name: its file, and the name. An expression that
# a value came out of: its ``id``, and no name.
_Key = tuple[int | str, str]


def values_in(values: int) -> Iterator[int]:
    """The numbers of the values in a set."""
    while values:
        lowest = values & -values
        yield lowest.bit_length() - 1
        values ^= lowest


@lru_cache(maxsize=4096)
def text_of(node: ast.Name | ast.Attribute) -> str:
    """The source of a name or an attribute."""
    if isinstance(node, ast.Name):
        return node.id
    inner = node.value
    return f"{text_of(inner)}.{node.attr}" if isinstance(inner, (ast.Name, ast.Attribute)) else ast.unparse(node)


class Step:
    """What hands on what it holds: an assignment, a call, a return, ... in the scope that it runs in."""

    __slots__ = ("file", "node", "scope")

    def __init__(self, scope: Scope, file: str, node: ast.AST) -> None:
        self.scope, self.file, self.node = scope, file, node


class _Read(NamedTuple):
    """What an expression reads: variables and seeds by key, and attributes as they stand."""

    keys: tuple[_Key, ...]
    attributes: tuple[ast.Attribute, ...]


class Holding:
    """What holds what, and the steps that are to be looked at because of it.

    Args:
        seeds: the ``id`` of each expression that a value may come out of.
        traced: the ``id`` of each expression whose value is a tensor that the recording saw being made: from there on
            the recording knows more than the source.
    """

    def __init__(self, seeds: Collection[int], traced: Collection[int]) -> None:
        self._possible, self._traced = seeds, traced
        self._held: dict[_Key, int] = {}
        self._texts: dict[tuple[str, str], int] = {}  # attributes by file and text
        self._reads: dict[tuple[int, int], _Read] = {}  # by scope and expression
        self._readers: dict[_Key, dict[Step, None]] = {}
        self._steps: dict[int, list[Step]] = {}  # by scope
        self._due: deque[Step] = deque()
        self._waiting: set[Step] = set()

    def due(self) -> Iterator[Step]:
        """The steps to look at, each again when what it reads has come to hold more, until there are none."""
        while self._due:
            step = self._due.popleft()
            self._waiting.remove(step)
            yield step

    def enter(self, scope: Scope, file: str) -> None:
        """Have all steps of a scope looked at."""
        steps = self._steps.get(id(scope))
        if steps is None:
            steps = [Step(scope, file, node) for node in statements(scope) if isinstance(node, _HAND_ON)]
            if isinstance(scope, ast.Lambda):  # it returns its body
                steps.append(Step(scope, file, scope))
            self._steps[id(scope)] = steps
        self._wake(steps)

    def put(self, seeds: dict[int, int]) -> None:
        """Have expressions, by ``id``, be what values come out of, and no other."""
        self._held = {key: values for key, values in self._held.items() if key[1]}
        for seed, values in seeds.items():
            self._add((seed, ""), values)

    def bind(self, scope: Scope, name: str, values: int) -> int:
        """Have a variable of a scope hold values; those that it did not yet hold."""
        return self._add((id(scope), name), values)

    def bind_attribute(self, file: str, target: ast.Attribute, values: int) -> None:
        """Have an attribute hold values, wherever the file has it by the same text."""
        text = (file, text_of(target))
        new = values & ~self._texts.get(text, 0)
        if new:
            self._texts[text] = self._texts.get(text, 0) | values
            self._held[file, target.attr] = self._held.get((file, target.attr), 0) | values
            self._wake(self._readers.get((file, target.attr), ()))

    def read(self, step: Step, node: ast.AST) -> int:
        """The values that an expression of a step holds."""
        key = (id(step.scope), id(node))
        found = self._reads.get(key)
        if found is None:
            found = self._reads[key] = self._look(step.scope, step.file, [node])
            for read in found.keys:
                self._readers.setdefault(read, {})[step] = None
            for attribute in found.attributes:
                self._readers.setdefault((step.file, attribute.attr), {})[step] = None
        return self._sum(step.file, found)

    def of(self, scope: Scope, name: str) -> int:
        """The values that a variable of a scope holds."""
        return self._held.get((id(scope), name), 0)

    def read_variable(self, step: Step, scope: Scope, name: str) -> int:
        """The same, for a step that is looked at again when it holds more."""
        self._readers.setdefault((id(scope), name), {})[step] = None
        return self.of(scope, name)

    def hold(self, scope: Scope, file: str, nodes: list[ast.AST]) -> int:
        """The values that expressions hold."""
        return self._sum(file, self._look(scope, file, nodes))

    def _sum(self, file: str, read: _Read) -> int:
        held, found = self._held, 0
        for key in read.keys:
            found |= held.get(key, 0)
        for attribute in read.attributes:
            if (file, attribute.attr) in held:
                found |= self._texts.get((file, text_of(attribute)), 0)
        return found

    def _look(self, scope: Scope, file: str, nodes: list[ast.AST]) -> _Read:
        keys: dict[_Key, None] = {}
        attributes: list[ast.Attribute] = []
        stack = nodes
        while stack:
            node = stack.pop()
            if id(node) in self._possible:
                keys[id(node), ""] = None
            if id(node) in self._traced:
                continue
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load):
                    keys[id(owner_of(node.id, scope, file)), node.id] = None
                continue
            if isinstance(node, ast.Attribute):
                attributes.append(node)
            # What only chooses between two values goes into neither.
            stack.extend([node.body, node.orelse] if isinstance(node, ast.IfExp) else ast.iter_child_nodes(node))
        return _Read(tuple(keys), tuple(attributes))

    def _add(self, key: _Key, values: int) -> int:
        known = self._held.get(key, 0)
        new = values & ~known
        if new:
            self._held[key] = known | new
            self._wake(self._readers.get(key, ()))
        return new

    def _wake(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if step not in self._waiting:
                self._waiting.add(step)
                self._due.append(step)
