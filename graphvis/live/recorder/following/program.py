"""The program whose source is followed, and what is known there of the objects that a name or an attribute may be."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from types import CodeType

from graphvis.live.recorder.following.aliases import all_that_makes, made_of
from graphvis.live.recorder.following.arguing import BUILTINS
from graphvis.live.recorder.following.callees import Callees
from graphvis.live.recorder.following.callees import Function as _Called
from graphvis.live.recorder.following.classes import (
    attribute_makers_in,
    classes_in,
    fields_of,
    method_owners_in,
    set_by_name_in,
)
from graphvis.live.recorder.following.definitions import Definitions
from graphvis.live.recorder.following.elements import element_of, is_counted, is_environment, is_keyed, taken
from graphvis.live.recorder.following.source import Def, Function, Scope, parameters_of, statements

# With such a method a class may hand out what another has.
_OPENING = frozenset({"__getattr__", "__getattribute__", "__setattr__", "__new__"})


class Program(Definitions):
    """Which of its classes an object is of.

    Classes that inherit from each other are one family: what a method of one sets, one of another may read.

    Args:
        recorded: as :class:`Names` has it.
        is_users: as :class:`Names` has it.
        computing: as :class:`Definitions` has it.
    """

    def __init__(
        self, recorded: Collection[str], is_users: Callable[[str], bool], computing: Collection[CodeType]
    ) -> None:
        super().__init__(recorded, is_users, computing)
        self._kin: dict[tuple[int, str, str], int | None] = {}
        self._kin_by_attribute: dict[tuple[int, str], int | None] = {}
        self._replaced: dict[tuple[int | None, str], bool] = {}
        self._makers: dict[str, dict[int | None, list[tuple[ast.AST | None, str]]]] = {}
        self._elements: dict[tuple[int, str], str] = {}
        self._family_methods: dict[tuple[int, str], Callees] = {}

    @cached_property
    def _families(self) -> dict[int, int]:
        """By class, as ``id``, a class that stands for its family; none of a class of which a base is not known."""
        found: dict[int, int] = {}
        open_: set[int] = set()

        def root(one: int) -> int:
            while found[one] != one:
                one = found[one]
            return one

        classes = [(one, file) for file in self.files for some in classes_in(file).values() for one in some]
        found.update((id(one), id(one)) for one, _ in classes)
        for one, file in classes:
            for base in one.bases:
                bases = list(self.classes(ast.Call(base, [], []), file))
                for other, _ in bases:
                    found[root(id(other))] = root(id(one))
                if not bases and not self._is_of_others(base, file):
                    open_.add(id(one))
            if one.keywords or any(isinstance(inner, Def) and inner.name in _OPENING for inner in one.body):
                open_.add(id(one))
        roots = {one: root(one) for one in found}
        unknown = {roots[one] for one in open_}
        return {one: kin for one, kin in roots.items() if kin not in unknown}

    @cached_property
    def _swapped(self) -> set[int | None]:
        """The families of which an object is made one of another, or shares what another has; None for any."""
        return {
            self._kin_of(one, scope, file)
            for name in ("__dict__", "__class__")
            for file in self.files_with(name)
            for owner, scope, part in attribute_makers_in(file).get(name, ())
            for one in (owner, part.value if isinstance(part, ast.Attribute) else part)
        }

    def _is_of_others(self, base: ast.AST, file: str) -> bool:
        """Whether a base of a class is imported from what is not followed, or one of Python's own."""
        while isinstance(base, (ast.Attribute, ast.Subscript)):
            base = base.value
        return isinstance(base, ast.Name) and base.id in self.imported(file) | BUILTINS - {"type"}

    def kin(self, node: ast.AST, scope: Scope, file: str) -> int | None:
        """The family of classes that an object surely is of, or is itself one of; None where nobody can tell."""
        found = self._kin_of(node, scope, file)
        return found if found is not None and self._swapped.isdisjoint((found, None)) else None

    def _kin_of(self, node: ast.AST | None, scope: Scope, file: str) -> int | None:
        if isinstance(node, ast.Call):
            return self._kin_of_makers([(node, file)])
        if isinstance(node, ast.Name):
            owner, name, home = self.owner(node.id, scope, file)
            key = (id(owner), name, home)
            if key not in self._kin:
                self._kin[key] = None  # while it is looked for
                self._kin[key] = self._kin_of_variable(owner, name, home)
            return self._kin[key]
        if isinstance(node, ast.Attribute) and self.module(node.value, file) is None:
            return self._kin_of_attribute(self._kin_of(node.value, scope, file), node.attr)
        return None

    def _kin_of_variable(self, owner: Scope, name: str, file: str) -> int | None:
        if isinstance(owner, Def) and name in (parameters := parameters_of(owner)):
            kind = method_owners_in(file).get(id(owner))
            is_own = kind is not None and name == parameters[0] and not made_of(ast.Name(name, ast.Load()), owner)
            return self._families.get(id(kind)) if is_own else None
        if made_of(ast.Name(name, ast.Load()), owner):
            is_set = isinstance(owner, ast.Module) and self.is_stored(name)
            return None if is_set else self._kin_of_makers([(one, file) for one in all_that_makes(name, owner, file)])
        kinds = classes_in(file).get(name, [])
        return self._families.get(id(kinds[0])) if len(kinds) == 1 else None

    def _kin_of_attribute(self, kin: int | None, attribute: str) -> int | None:
        """The same of an attribute so called of the objects of a family."""
        if kin is None:
            return None
        key = (kin, attribute)
        if key not in self._kin_by_attribute:
            self._kin_by_attribute[key] = None  # while it is looked for
            self._kin_by_attribute[key] = self._kin_of_makers(self._makers_of_attribute(kin, attribute))
        return self._kin_by_attribute[key]

    def _kin_of_makers(self, makers: Collection[tuple[ast.AST | None, str]]) -> int | None:
        found: set[int | None] = set()
        for maker, file in makers:
            kinds = [] if maker is None else list(self.classes(maker, file))
            found.update(self._families.get(id(kind)) for kind, _ in kinds)
            if not kinds:
                return None
        return found.pop() if len(found) == 1 else None

    def is_replaced(self, node: ast.Attribute, scope: Scope, file: str) -> bool:
        """Whether something may have been put in the place of a method."""
        kin = self.kin(node.value, scope, file)
        key = (kin, node.attr)
        if key not in self._replaced:
            stored = self.is_stored(node.attr)
            self._replaced[key] = stored and (kin is None or bool(self._makers_of_attribute(kin, node.attr)))
        return self._replaced[key]

    def fields(self, node: ast.AST, file: str) -> list[tuple[str, ast.expr]]:
        """What a call sets the attributes of its object to, where the class tells by its fields and by nothing else."""
        kinds = list(self.classes(node, file))
        if len(kinds) != 1 or not isinstance(node, ast.Call):
            return []
        (kind, _), fields = kinds[0], fields_of(kinds[0][0])
        made = {one.name for one in kind.body if isinstance(one, Def)} & {"__init__", "__new__", "__post_init__"}
        based = any(True for base in kind.bases for _ in self.classes(ast.Call(base, [], []), file))
        given = [*zip(fields, node.args, strict=False), *((word.arg, word.value) for word in node.keywords)]
        if kind.bases and any(isinstance(one, Def) for one in kind.body):  # they may have it by its place
            return []
        plain = not any(isinstance(one, ast.Starred) for one in node.args) and len(node.args) <= len(fields)
        told = [(field, value) for field, value in given if field in fields]
        return told if plain and not made and not based and len(told) == len(given) else []

    def called_by_key(self, node: ast.Call, scope: Scope, file: str) -> list[ast.expr]:
        """What a call out of a dict calls, ``calls["log"](...)``: of one that is written once and only looked into."""
        found = element_of(node.func) if isinstance(node.func, ast.Subscript) else None
        if found is None or not isinstance(found[0], ast.Name) or self.elements(found[0], scope, file) != "keyed":
            return []
        owner, name, home = self.owner(found[0].id, scope, file)
        for reader, other in [(owner, home), *self.readers(name, owner, home)]:
            nodes = statements(reader)
            looked = [one.value for one in nodes if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Load)]
            read = [one for one in nodes if isinstance(one, ast.Name) and one.id == name]
            loads = [one for one in read if isinstance(one.ctx, ast.Load)]
            if other != home or len(loads) != len([one for one in read if any(one is other for other in looked)]):
                return []
        taken_out = [one for maker in all_that_makes(name, owner, home) for one in taken(maker, found[1]) or ()]
        return taken_out if all(isinstance(one, (ast.Name, ast.Attribute, ast.Lambda)) for one in taken_out) else []

    def elements(self, node: ast.AST, scope: Scope, file: str) -> str:
        """What an object surely is: ``keyed`` for a dict, ``counted`` for a tuple; nothing where it may be another."""
        if isinstance(node, ast.Name):
            owner, name, home = self.owner(node.id, scope, file)
            given = (
                name in parameters_of(owner)
                if isinstance(owner, Function)
                else self.is_stored(name)  # module.name = ...
            )
            makers: list[tuple[ast.AST | None, str]] = []
            makers = [] if given else [(one, home) for one in all_that_makes(name, owner, home)]
            key: tuple[int, str] = (id(owner), name)
        elif isinstance(node, ast.Attribute):
            if is_environment(node) and "os" in self.imported(file):
                return "keyed"
            kin = self._kin_of(node.value, scope, file)
            if kin is None:
                return ""
            key, makers = (kin, f".{node.attr}"), self._makers_of_attribute(kin, node.attr)
        else:
            return ""
        if key not in self._elements:
            keyed = all(one is not None and is_keyed(one) and self._is_builtin(one, where) for one, where in makers)
            counted = all(one is not None and is_counted(one) for one, _ in makers)
            self._elements[key] = "" if not makers else "keyed" if keyed else "counted" if counted else ""
        return self._elements[key]

    def _is_builtin(self, node: ast.AST, file: str) -> bool:
        return not isinstance(node, ast.Call) or not any(self.classes(node, file))

    @cached_property
    def _set_by_name(self) -> set[tuple[int | None, str | None]]:
        """The attributes that are set by names that are text, by family; None for any family, and for any name."""
        files = {file for word in ("setattr", "__setattr__", "vars", "__dict__") for file in self.files_with(word)}
        return {
            (None if isinstance(owner, ast.Attribute) else self._kin_of(owner, scope, file), name)
            for file in sorted(files)
            if self.is_users(file)
            for owner, scope, name in set_by_name_in(file)
        }

    def _makers_of_attribute(self, kin: int, attribute: str) -> list[tuple[ast.AST | None, str]]:
        """What an attribute so called of the objects of a family may be set to."""
        if attribute not in self._makers:
            self._makers[attribute] = {None: [(None, "")]}  # while they are looked for
            found: dict[int | None, list[tuple[ast.AST | None, str]]] = {}
            for file in self.files_with(attribute):
                for owner, scope, part in attribute_makers_in(file).get(attribute, ()):
                    found.setdefault(self._kin_of(owner, scope, file), []).append((part, file))
            self._makers[attribute] = found
        if not self._set_by_name.isdisjoint((one, name) for one in (kin, None) for name in (attribute, None)):
            return [(None, "")]
        makers = self._makers[attribute]
        return [*makers.get(kin, ()), *makers.get(None, ())]

    def methods_of_family(self, kin: int, name: str) -> Callees:
        """The methods so called of the classes of a family."""
        key = (kin, name)
        if key not in self._family_methods:
            self._family_methods[key] = Callees(self._defined_by(kin, name))
        return self._family_methods[key]

    def _defined_by(self, kin: int, name: str) -> Iterator[_Called]:
        for kind, file in self._members.get(kin, ()):
            yield from ((one, file) for one in kind.body if isinstance(one, Def) and one.name == name)

    @cached_property
    def _members(self) -> dict[int, list[tuple[ast.ClassDef, str]]]:
        found: dict[int, list[tuple[ast.ClassDef, str]]] = {}
        for file in self.files:
            for one in (kind for some in classes_in(file).values() for kind in some):
                if (kin := self._families.get(id(one))) is not None:
                    found.setdefault(kin, []).append((one, file))
        return found
