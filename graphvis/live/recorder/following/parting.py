"""What is put where by an assignment, and handed on by a return: element by element where these are known."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from graphvis.live.recorder.following.elements import Keys, elements_in, is_counted, is_keyed, path_of
from graphvis.live.recorder.following.holding import Holding
from graphvis.live.recorder.following.program import Program
from graphvis.live.recorder.following.putting import Putting
from graphvis.live.recorder.following.steps import Step

_NO_KEY = "\0"
"""What is read by it lies under no key that is known."""


class Parting:
    """The elements of what is assigned and returned.

    Attributes:
        elements_out: the elements of what comes out of expressions now, by ``id``.

    Args:
        program: the files.
        holding: what holds what.
        putting: where elements were put.
        read: tells the values that an expression of a step, or an element of it, holds.
    """

    def __init__(self, program: Program, holding: Holding, putting: Putting, read: Callable[..., int]) -> None:
        self._program, self._holding, self._putting, self._read = program, holding, putting, read
        self.elements_out: dict[int, list[Keys]] = {}

    def assigned(self, step: Step, target: ast.AST, value: ast.AST) -> Iterator[tuple[ast.AST, Keys, int]]:
        """What is put where by an assignment: element by element where it is known what these are."""
        if not isinstance(step.node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            yield target, (), self._read(step, value)
        elif is_counted(target):
            for i, one in elements_in(target):
                yield one, (), self._read(step, value, keys=(i,) if isinstance(i, int) else ())
        elif isinstance(target, ast.Name) and (fields := self._program.fields(value, step.file)):
            for field, part in fields:
                yield ast.Attribute(target, field, ast.Store()), (), self._read(step, part)
        elif isinstance(target, ast.Name) or (
            self._program.elements(target, step.scope, step.file) and (is_keyed(value) or is_counted(value))
        ):
            yield from ((target, keys, values) for keys, values in self.handed(step, value))
        else:
            yield target, (), self._read(step, value)

    def handed(self, step: Step, node: ast.AST, within: Keys = ()) -> Iterator[tuple[Keys, int]]:
        """What an expression holds, each element of it by its keys where they are known."""
        if is_keyed(node) or is_counted(node):
            for key, part in elements_in(node):
                if key is None:
                    yield within, self._read(step, part)
                else:
                    yield from self.handed(step, part, (*within, key))
            return
        whole = self._read(step, node)
        of, prefix, some = 0, "", list[Keys]()
        if isinstance(node, ast.Name) and self._program.elements(node, step.scope, step.file):
            owner, prefix, _ = self._program.owner(node.id, step.scope, step.file)
            of, some = id(owner), list(self._putting.paths.get((id(owner), prefix), ()))
        elif isinstance(node, (ast.Call, ast.Await)):
            of, some = id(node), self.elements_out.get(id(node), [])
        known = [(keys, self._holding.at((of, f"{prefix}{path_of(keys)}"))) for keys in some]
        yield from (((*within, *keys), values) for keys, values in known)
        yield within, self._read(step, node, keys=(_NO_KEY,)) if known else whole
