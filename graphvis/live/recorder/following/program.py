"""The files of a program that are followed together, and what a name of one of them means in another."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from types import CodeType, FunctionType, ModuleType

from graphvis.live.recorder.following.classes import (
    attributes_defined_in,
    attributes_set_in,
    attributes_stored_in,
    classes_in,
)
from graphvis.live.recorder.following.codes import scope_of
from graphvis.live.recorder.following.files import parse, words_of
from graphvis.live.recorder.following.source import (
    Def,
    Scope,
    called,
    functions_of,
    imported_by,
    names_bound_by,
    owner_of,
    readers_in,
    readers_of_attribute,
    scopes_in,
    texts_in,
)

_MOST_HOPS = 8  # from a file that hands on a name to the one that has it
Function = tuple[Def, str]
"""A function and its file."""


class Program:
    """The files in which recorded code stands, and the user's own that are known to them.

    Args:
        recorded: the files in which calls were recorded, or values left.
        is_users: whether a file is the user's own. Of others only those are followed that were recorded, and only
            their attributes are known elsewhere.
        computing: the code that made recorded calls.
    """

    def __init__(
        self, recorded: Collection[str], is_users: Callable[[str], bool], computing: Collection[CodeType]
    ) -> None:
        self._recorded, self._is_users = dict.fromkeys(recorded), is_users
        self._computing = {id(scope_of(code)) for code in computing}
        self._named: dict[tuple[str, str], list[Function]] = {}
        self._links: dict[str, dict[str, tuple[str, str | None]]] = {}
        self._imported: dict[str, frozenset[str]] = {}
        self._special: dict[tuple[str, str], list[Function]] = {}
        self._set: dict[str, bool] = {}

    @cached_property
    def _users(self) -> dict[str, None]:
        """The user's own files."""
        found = {file: None for file in self._recorded if self._is_users(file)}
        waiting = list(found)
        while waiting:
            for module in self._known_to(waiting.pop()):
                file = self._file_of(module)
                if file is not None and file not in found:
                    found[file] = None
                    waiting.append(file)
        return found

    @cached_property
    def _files(self) -> dict[str, None]:
        return {**self._recorded, **self._users}

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
        return file if isinstance(file, str) and self._is_users(file) else None

    def _absolute(self, module: str, file: str) -> str:
        name = module.lstrip(".")
        if name == module:
            return name
        live = self._modules.get(file)
        package = str(vars(live).get("__package__") or "") if live is not None else ""
        base = package.rsplit(".", len(module) - len(name) - 1)[0]
        return f"{base}.{name}" if name else base

    # -- what a name means

    def _links_of(self, file: str) -> dict[str, tuple[str, str | None]]:
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
            self._imported[file] = frozenset(imported_by(file).keys() - self._links_of(file).keys())
        return self._imported[file]

    def module(self, node: ast.AST, file: str) -> str | None:
        """The followed file whose module an expression names."""
        if isinstance(node, ast.Name):
            other, name = self._links_of(file).get(node.id, (None, None))
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
            other, original = self._links_of(file).get(name, (None, None))
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

    # -- functions

    def functions(self, node: ast.Call, file: str) -> list[Function] | None:
        """The functions that a call may run, as far as its file tells; None if it does not tell what is called."""
        name = called(node) or ""
        if isinstance(node.func, ast.Attribute):
            if (module := self.module(node.func.value, file)) is not None:
                file = module
            elif isinstance(node.func.value, ast.Name) and node.func.value.id in self.imported(file):
                return None
        return self.named(name, file) if self._is_defined(name, file) else None

    def _is_defined(self, name: str, file: str) -> bool:
        """Whether a file has a function or a class so called, itself or from another: a class may have no function."""
        if name in functions_of(file):
            return True
        other, original = self.origin(name, file)
        return original in functions_of(other)

    def named(self, name: str, file: str) -> list[Function]:
        """The functions that a file knows by a name: its own, or those that it imports."""
        found = self._named.get((file, name))
        if found is None:
            own = functions_of(file).get(name)
            other, original = (file, name) if own else self.origin(name, file)
            found = self._named[file, name] = [(one, other) for one in functions_of(other).get(original, ())]
        return found

    def methods(self, name: str, file: str) -> Iterator[Function]:
        """The functions of the user's other files that a method so called may be."""
        for other in self._users if self._is_users(file) else ():
            if other != file and name in words_of(other):
                attributes = attributes_defined_in(other)
                yield from ((one, other) for one in functions_of(other).get(name, ()) if id(one) in attributes)

    def special(self, name: str, file: str) -> list[Function]:
        """The special methods so called that an object may have which a file holds."""
        home = "" if self._is_users(file) else file
        found = self._special.get((home, name))
        if found is None:
            files = self._users if not home else (file,)
            found = self._special[home, name] = [
                (one, other) for other in files if name in words_of(other) for one in functions_of(other).get(name, ())
            ]
        return found

    def is_set(self, attribute: str) -> bool:
        """Whether some file sets an attribute so called, or has its classes have it."""
        if attribute not in self._set:
            self._set[attribute] = any(attribute in attributes_set_in(file) for file in self.files_with(attribute))
        return self._set[attribute]

    def is_stored(self, attribute: str) -> bool:
        """Whether some file assigns to an attribute so called."""
        return any(attribute in attributes_stored_in(file) for file in self.files_with(attribute))

    def classes(self, node: ast.AST, file: str) -> Iterator[tuple[ast.ClassDef, str]]:
        """The classes of which a call makes an object, with their files."""
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            home = self.module(node.func.value, file) if isinstance(node.func, ast.Attribute) else file
            if home is not None:
                other, name = self.origin(called(node) or "", home)
                yield from ((one, other) for one in classes_in(other).get(name, ()))

    # -- readers

    def readers(self, name: str, owner: Scope, file: str) -> Iterator[tuple[Scope, str]]:
        """The scopes that read another scope's variable, with their files."""
        for function in readers_in(file).get(name, ()):
            if owner_of(name, function, file) is owner:
                yield function, file
        if isinstance(owner, ast.Module):
            for other in self._users:
                if other != file and name in words_of(other):
                    for word, (source, original) in self._links_of(other).items():
                        if original is None and source == file:
                            yield from ((one, other) for one in readers_of_attribute(name, other))
                        elif original is not None and self.origin(word, other) == (file, name):
                            yield from ((one, other) for one in readers_in(other).get(word, ()))

    def namers(self, name: str, file: str) -> Iterator[tuple[Scope, str]]:
        """The scopes that name a function of a file, with their files."""
        for other in self._users if self._is_users(file) else (file,):
            if name in words_of(other):
                for scope in (*readers_in(other).get(name, ()), *readers_of_attribute(name, other)):
                    yield scope, other

    def text_readers(self, text: str) -> Iterator[tuple[Scope, str]]:
        """The scopes of the user's files in which a text stands that may name a file."""
        for file in self._users:
            yield from ((scope, file) for scope in texts_in(file).get(text, ()))

    def files_with(self, name: str) -> Iterator[str]:
        """The files in which a word stands."""
        return (file for file in self._files if name in words_of(file))

    def scopes(self, file: str) -> Iterator[tuple[Scope, str]]:
        """All scopes of the files that are followed together with a file."""
        for other in self._users if self._is_users(file) else (file,):
            yield from ((scope, other) for scope in scopes_in(other))

    def attribute_readers(self, name: str, file: str) -> Iterator[tuple[Scope, str]]:
        """The scopes that name an attribute that a file sets: of a library's those that made recorded calls."""
        for other in self.files_with(name):
            for scope in readers_of_attribute(name, other):
                if other == file or self._is_users(other) or id(scope) in self._computing:
                    yield scope, other
