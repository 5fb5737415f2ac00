"""The functions and classes of a program by name, and the scopes that read what is so called."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from types import CodeType

from graphvis.live.recorder.following.callees import NOBODY, Callees
from graphvis.live.recorder.following.classes import (
    attributes_defined_in,
    attributes_set_in,
    attributes_stored_in,
    classes_in,
)
from graphvis.live.recorder.following.codes import scope_of
from graphvis.live.recorder.following.files import words_of
from graphvis.live.recorder.following.names import Names
from graphvis.live.recorder.following.source import (
    Scope,
    called,
    functions_of,
    owner_of,
    readers_in,
    readers_of_attribute,
    scopes_in,
    texts_in,
)


class Definitions(Names):
    """What is found in the files of a program by the names that it has there.

    Args:
        recorded: as :class:`Names` has it.
        is_users: as :class:`Names` has it.
        computing: the code that made recorded calls.
    """

    def __init__(
        self, recorded: Collection[str], is_users: Callable[[str], bool], computing: Collection[CodeType]
    ) -> None:
        super().__init__(recorded, is_users)
        self._computing = {id(scope_of(code)) for code in computing}
        self._named: dict[tuple[str, str], Callees] = {}
        self._defined: dict[tuple[str, str], Callees] = {}
        self._methods: dict[str, Callees] = {}
        self._special: dict[tuple[str, str], Callees] = {}
        self._set: dict[str, bool] = {}
        self._stored: dict[str, bool] = {}

    @cached_property
    def _by_word(self) -> dict[str, list[str]]:
        """The files in which a word stands."""
        found: dict[str, list[str]] = {}
        for file in self.files:
            for word in words_of(file):
                found.setdefault(word, []).append(file)
        return found

    def files_with(self, name: str) -> list[str]:
        """The files in which a word stands."""
        return self._by_word.get(name, [])

    def _users_with(self, name: str) -> Iterator[str]:
        return (file for file in self.files_with(name) if file in self.users)

    def _beside(self, name: str, file: str) -> Iterator[str]:
        """The files that are followed together with a file, and in which a word stands."""
        return self._users_with(name) if self.is_users(file) else iter((file,))

    # -- functions

    def functions(self, node: ast.Call, file: str) -> Callees | None:
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

    def named(self, name: str, file: str) -> Callees:
        """The functions that a file knows by a name: its own, or those that it imports."""
        found = self._named.get((file, name))
        if found is None:
            home = (file, name) if functions_of(file).get(name) else self.origin(name, file)
            functions = functions_of(home[0]).get(home[1])
            if functions and home not in self._defined:
                self._defined[home] = Callees((one, home[0]) for one in functions)
            found = self._named[file, name] = self._defined[home] if functions else NOBODY
        return found

    def methods(self, name: str, file: str) -> Callees:
        """The functions of the user's files that a method so called may be."""
        if not self.is_users(file):
            return NOBODY
        found = self._methods.get(name)
        if found is None:
            found = self._methods[name] = Callees(
                (one, other)
                for other in self._users_with(name)
                for one in functions_of(other).get(name, ())
                if id(one) in attributes_defined_in(other)
            )
        return found

    def special(self, name: str, file: str) -> Callees:
        """The special methods so called that an object may have which a file holds."""
        home = "" if self.is_users(file) else file
        found = self._special.get((home, name))
        if found is None:
            found = self._special[home, name] = Callees(
                (one, other) for other in self._beside(name, file) for one in functions_of(other).get(name, ())
            )
        return found

    def is_set(self, attribute: str) -> bool:
        """Whether some file sets an attribute so called, or has its classes have it."""
        if attribute not in self._set:
            self._set[attribute] = any(attribute in attributes_set_in(file) for file in self.files_with(attribute))
        return self._set[attribute]

    def is_stored(self, attribute: str) -> bool:
        """Whether some file assigns to an attribute so called."""
        if attribute not in self._stored:
            files = self.files_with(attribute)
            self._stored[attribute] = any(attribute in attributes_stored_in(file) for file in files)
        return self._stored[attribute]

    def classes(self, node: ast.AST, file: str) -> Iterator[tuple[ast.ClassDef, str]]:
        """The classes of which a call makes an object, with their files."""
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            home = self.module(node.func.value, file) if isinstance(node.func, ast.Attribute) else file
            if home is not None:
                other, name = self.origin(called(node) or "", home)
                yield from ((one, other) for one in classes_in(other).get(name, ()))

    # -- readers

    @cached_property
    def _importers(self) -> dict[tuple[str, str | None], list[tuple[str, str]]]:
        """By file and name there, None for the file itself, who of the user's files calls it how."""
        found: dict[tuple[str, str | None], list[tuple[str, str]]] = {}
        for other in self.users:
            for word, (source, original) in self.links_of(other).items():
                known = (source, None) if original is None else self.origin(word, other)
                if known[0] != other:
                    found.setdefault(known, []).append((other, word))
        return found

    def readers(self, name: str, owner: Scope, file: str) -> Iterator[tuple[Scope, str]]:
        """The scopes that read another scope's variable, with their files."""
        for function in readers_in(file).get(name, ()):
            if owner_of(name, function, file) is owner:
                yield function, file
        if isinstance(owner, ast.Module):
            for other, word in self._importers.get((file, name), ()):
                if word in words_of(other):  # and not merely among all that is imported
                    yield from ((one, other) for one in readers_in(other).get(word, ()))
            for other, _ in self._importers.get((file, None), ()):
                yield from ((one, other) for one in readers_of_attribute(name, other))

    def namers(self, name: str, file: str) -> Iterator[tuple[Scope, str]]:
        """The scopes that name a function of a file, with their files."""
        for other in self._beside(name, file):
            for scope in (*readers_in(other).get(name, ()), *readers_of_attribute(name, other)):
                yield scope, other

    def text_readers(self, text: str) -> Iterator[tuple[Scope, str]]:
        """The scopes of the user's files in which a text stands that may name a file."""
        for file in self.users:
            yield from ((scope, file) for scope in texts_in(file).get(text, ()))

    def scopes(self, file: str) -> Iterator[tuple[Scope, str]]:
        """All scopes of the files that are followed together with a file."""
        for other in self.users if self.is_users(file) else (file,):
            yield from ((scope, other) for scope in scopes_in(other))

    def attribute_readers(self, name: str, file: str) -> Iterator[tuple[Scope, str]]:
        """The scopes that name an attribute that a file sets: of a library's those that made recorded calls."""
        for other in self.files_with(name):
            for scope in readers_of_attribute(name, other):
                if other == file or self.is_users(other) or id(scope) in self._computing:
                    yield scope, other
