"""The files of a program that are followed together, and what a name of one of them means in another."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from types import FunctionType, ModuleType

from graphvis.live.recorder.following.files import parse
from graphvis.live.recorder.following.source import Scope, imported_by, names_bound_by, owner_of

_MOST_HOPS = 8  # from a file that hands on a name to the one that has it


class Names:
    """The files in which recorded code stands, and the user's own that are known to them.

    Args:
        recorded: the files in which calls were recorded, or values left.
        is_users: whether a file is the user's own. Of others only those are followed that were recorded, and only
            their attributes are known elsewhere.
    """

    def __init__(self, recorded: Collection[str], is_users: Callable[[str], bool]) -> None:
        self._recorded, self.is_users = dict.fromkeys(recorded), is_users
        self._links: dict[str, dict[str, tuple[str, str | None]]] = {}
        self._imported: dict[str, frozenset[str]] = {}

    @cached_property
    def users(self) -> dict[str, None]:
        """The user's own files."""
        found = {file: None for file in self._recorded if self.is_users(file)}
        waiting = list(found)
        while waiting:
            for module in self._known_to(waiting.pop()):
                file = self._file_of(module)
                if file is not None and file not in found:
                    found[file] = None
                    waiting.append(file)
        return found

    @cached_property
    def files(self) -> dict[str, None]:
        """All files that are followed together."""
        return {**self._recorded, **self.users}

    @cached_property
    def _modules(self) -> dict[str, ModuleType]:
        """The modules that are loaded, by file."""
        modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
        return {file: module for module in modules if isinstance(file := vars(module).get("__file__"), str)}

    def _known_to(self, file: str) -> Iterator[str]:
        """The modules that a file imports, and those whose functions, classes and objects it has."""
        for name, (module, original) in imported_by(file).items() if file in self._recorded else ():
            dotted = self._absolute(module, file)
            yield dotted
            yield f"{dotted}.{original or name}"
        live = self._modules.get(file)
        for value in list(vars(live).values()) if live is not None else ():
            if isinstance(value, ModuleType):
                yield value.__name__
            else:
                known = value.__module__ if isinstance(value, (FunctionType, type)) else type(value).__module__
                if isinstance(known, str):
                    yield known

    def _file_of(self, module: str) -> str | None:
        """The file of a module that is loaded and is the user's own."""
        live = sys.modules.get(module)
        file = vars(live).get("__file__") if isinstance(live, ModuleType) else None
        return file if isinstance(file, str) and self.is_users(file) else None

    def _absolute(self, module: str, file: str) -> str:
        name = module.lstrip(".")
        if name == module:
            return name
        live = self._modules.get(file)
        package = str(vars(live).get("__package__") or "") if live is not None else ""
        base = package.rsplit(".", len(module) - len(name) - 1)[0]
        return f"{base}.{name}" if name else base

    # -- what a name means

    def links_of(self, file: str) -> dict[str, tuple[str, str | None]]:
        """By name of a file the followed file that it is of, and its name there; None for that file itself."""
        links = self._links.get(file)
        if links is not None:
            return links
        links = self._links[file] = {}
        for name, (module, original) in imported_by(file).items():
            dotted = self._absolute(module, file)
            whole = self._file_of(dotted if original is None else f"{dotted}.{original}")
            if whole is not None:
                links[name] = (whole, None)
            elif original is not None and (part := self._file_of(dotted)) is not None and part != file:
                links.update({one: (part, one) for one in names_bound_by(part)} if original == "*" else {})
                links[name] = (part, original)
        return links

    def imported(self, file: str) -> frozenset[str]:
        """The names that a file imports from what is not followed."""
        if file not in self._imported:
            self._imported[file] = frozenset(imported_by(file).keys() - self.links_of(file).keys())
        return self._imported[file]

    def module(self, node: ast.AST, file: str) -> str | None:
        """The followed file whose module an expression names."""
        if isinstance(node, ast.Name):
            other, name = self.links_of(file).get(node.id, (None, None))
            return other if name is None else None
        words: list[str] = []
        while isinstance(node, ast.Attribute):
            words.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in imported_by(file):
            return None
        module, original = imported_by(file)[node.id]
        base = self._absolute(module, file)
        return self._file_of(".".join([base, *([original] if original else []), *reversed(words)]))

    def origin(self, name: str, file: str) -> tuple[str, str]:
        """The file that has what another calls so, and its name there."""
        for _ in range(_MOST_HOPS):
            other, original = self.links_of(file).get(name, (None, None))
            if other is None or original is None:
                break
            file, name = other, original
        return file, name

    def owner(self, name: str, scope: Scope, file: str) -> tuple[Scope, str, str]:
        """The scope whose variable a name is where it is read or bound in `scope`, its name there, and the file."""
        owner = owner_of(name, scope, file)
        if isinstance(owner, ast.Module):
            other, original = self.origin(name, file)
            if other != file and (tree := parse(other)) is not None:
                return tree, original, other
        return owner, name, file

    def variable(self, node: ast.Name | ast.Attribute, scope: Scope, file: str) -> tuple[Scope, str, str] | None:
        """The same of an expression: also of a module's attribute, and of no other's."""
        if isinstance(node, ast.Name):
            return self.owner(node.id, scope, file)
        module = self.module(node.value, file)
        tree = None if module is None else parse(module)
        return None if tree is None or module is None else self.owner(node.attr, tree, module)
