"""The parameters of a running script, by the names that its author knows them by."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from graphvis.live.script.variables import name_of, variables_of

_PLACE = "optimizer.params"  # by which a parameter goes that nothing else names
_WRAPPERS = ("DistributedDataParallel", "DataParallel", "OptimizedModule", "FullyShardedDataParallel")


class Names:
    """Finds parameters and names them, each by one name for the whole run.

    A parameter is named as ``named_parameters()`` of the outermost module that holds it. Where there are several such
    modules, and two would give the same name, or one a name that says nothing of where it is, as ``weight`` and
    ``0.weight``, the variable that holds the module stands before it: ``critic.0.weight``, ``layers.1.weight`` for one
    in a list; its class where no variable does. A model that takes the place of one that is gone, as each fold of a
    validation builds its own, is another one: ``model_2.0.weight``.

    Attributes:
        aliases: other names of a parameter.
        classes: the prefixes that are the classes of modules.
    """

    def __init__(self) -> None:
        self._prefixes: weakref.WeakKeyDictionary[nn.Module, str] = weakref.WeakKeyDictionary()
        self._given: Any = WeakIdKeyDictionary()  # parameter -> name: tensors compare by value, so by id
        self._holders: dict[str, weakref.ref[nn.Module] | None] = {}  # name -> the module that it was given in, if any
        self._firsts: dict[str, str] = {}
        self.aliases: dict[str, set[str]] = {}
        self.classes: list[str] = []

    def given(self, tensor: Tensor) -> str | None:
        """The name that a parameter goes by; None where it was never found."""
        name: str | None = self._given.get(tensor)
        return name

    def first(self, name: str) -> str:
        """The name of the first parameter in whose place stands that of this name; the name itself where it is that."""
        return self._firsts.get(name, name)

    def find(
        self,
        frames: list[FrameType],
        ran: Iterable[nn.Module],
        held: Iterable[Tensor],
        former: Mapping[int, str],
        *,
        loose: bool,
    ) -> dict[str, Tensor]:
        """The parameters that matter now.

        Args:
            frames: the script's own frames, innermost first.
            ran: modules whose forward ran.
            held: what the optimizers hold, in their order.
            former: by ``id`` the names that these had when their optimizer was built.
            loose: whether leaves that require grad and that only a variable holds count as parameters.

        Returns:
            Parameters by name.
        """
        variables = list(variables_of(frames))
        held = list(held)
        roots = self._roots(variables, set(ran), held)
        self._prefix(roots, frames)
        found: dict[str, Tensor] = {}
        known: set[int] = set()
        for root in roots:
            prefix = self._prefixes[root]
            for name, parameter in _unwrapped(root).named_parameters():
                if not parameter.is_leaf:
                    continue  # a fast weight, put in a parameter's place: what is trained is what it was made from
                if id(parameter) not in known:
                    known.add(id(parameter))
                    name = name.replace("_orig_mod.", "")
                    full = self._give(parameter, _join(prefix, name), found, root)
                    self.aliases.setdefault(full, set()).add(name)
        named = {id(tensor): name for name, tensor in _tensors(variables)}
        for i, tensor in enumerate(held):
            if id(tensor) not in known:
                known.add(id(tensor))
                before = f"{former[id(tensor)]} (replaced)" if id(tensor) in former else f"{_PLACE}[{i}]"
                self._give(tensor, named.get(id(tensor), before), found)
        if loose:
            for name, tensor in _tensors(variables):
                if id(tensor) not in known and tensor.requires_grad and tensor.is_leaf and self.given(tensor) is None:
                    known.add(id(tensor))
                    found[_free(name, found)] = tensor
        return found

    def _give(self, parameter: Tensor, name: str, found: dict[str, Tensor], root: nn.Module | None = None) -> str:
        """Have a parameter found by the name that it goes by, or else by `name` or the free one next to it."""
        given = self.given(parameter)
        if given is None or given in found:
            given = _free(name, found if root is not None else {**self._holders, **found})
            if given != name and root is None and name in self._holders and name not in found:
                self._firsts[given] = self.first(name)
        found[given] = parameter
        self._given[parameter] = given
        if root is not None:
            self._holders[given] = weakref.ref(root)
        self._holders.setdefault(given)
        return given

    def _roots(self, variables: list[tuple[str, Any]], ran: set[nn.Module], held: list[Tensor]) -> list[nn.Module]:
        """The outermost modules with parameters, of those that the script still uses."""
        modules = [
            item for item in gc.get_objects() if issubclass(type(item), nn.Module) and "_modules" in item.__dict__
        ]
        inner = {id(child) for module in modules for child in module._modules.values() if child is not None}
        wanted = {id(tensor) for tensor in held}
        used = {id(module) for module in ran} | {id(value) for _, value in variables if isinstance(value, nn.Module)}
        roots = []
        for module in modules:
            if id(module) in inner:
                continue
            parameters = list(module.parameters())
            if parameters and (
                any(id(part) in used for part in module.modules()) or any(id(p) in wanted for p in parameters)
            ):
                roots.append(module)
        order = {id(value): i for i, (_, value) in reversed(list(enumerate(variables)))}
        return sorted(roots, key=lambda root: order.get(id(root), len(order)))

    def _prefix(self, roots: list[nn.Module], frames: list[FrameType]) -> None:
        counts: dict[str, int] = {}
        for root in roots:
            for name, _ in _unwrapped(root).named_parameters():
                counts[name] = counts.get(name, 0) + 1
        taken = set(self._prefixes.values())
        used = {self._prefixes[root] for root in roots if root in self._prefixes}
        for root in roots:
            if root in self._prefixes:
                continue
            inside = _inside(root, roots)
            parameters = dict(_unwrapped(root).named_parameters())
            alone = inside is None and all(
                counts[name] == 1 and (len(roots) == 1 or _says(name)) for name in parameters
            )
            if alone and not self._is_given("", root, parameters):
                self._prefixes[root] = ""
                continue
            called = name_of(root, frames)
            prefix = inside or called or type(root).__name__
            number, full = (2, f"{prefix}_2") if alone else (1, prefix)
            while full in taken or self._is_given(full, root, parameters):
                number += 1
                full = f"{prefix}_{number}"
            if number > 1 and (alone or prefix not in used):
                before = "" if alone else prefix
                self._firsts.update({_join(full, name): self.first(_join(before, name)) for name in parameters})
            self._prefixes[root] = full
            taken.add(full)
            used.add(full)
            if not inside and not called:
                self.classes.append(full)

    def _is_given(self, prefix: str, root: nn.Module, parameters: Mapping[str, Tensor]) -> bool:
        """Whether parameters of another module go, or went, by one of the names that a prefix makes."""
        for name, parameter in parameters.items():
            full = _join(prefix, name)
            if full in self._holders and self.given(parameter) != full:
                holder = self._holders[full]
                if holder is None or holder() is not root:
                    return True
        return False


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _says(name: str) -> bool:
    """Whether the name of a parameter says where in the script it is, as ``encoder.0.weight`` does."""
    first, _, rest = name.partition(".")
    return bool(rest) and not first.isdigit()


def _free(name: str, taken: Mapping[str, object]) -> str:
    number, full = 2, name
    while full in taken:
        full, number = f"{name} ({number})", number + 1
    return full


def _unwrapped(root: nn.Module) -> nn.Module:
    while type(root).__name__ in _WRAPPERS:
        inner = root._modules.get("module") or root._modules.get("_orig_mod")
        if inner is None:
            break
        root = inner
    return root


def _tensors(variables: list[tuple[str, Any]]) -> Iterator[tuple[str, Tensor]]:
    """The tensors among variables, those in lists and dicts included."""
    for name, value in variables:
        if isinstance(value, Tensor):
            yield name, value
        elif type(value) in (list, tuple) and len(value) < 10_000:
            yield from ((f"{name}[{i}]", item) for i, item in enumerate(value) if isinstance(item, Tensor))
        elif type(value) is dict and len(value) < 10_000:
            yield from ((f"{name}[{key!r}]", item) for key, item in value.items() if isinstance(item, Tensor))


def _inside(root: nn.Module, roots: list[nn.Module]) -> str | None:
    """``layers.0`` for a module in a plain list of another module: registered nowhere, which is why it is outermost."""
    for other in roots:
        for path, module in other.named_modules():
            for attribute, value in module.__dict__.items():
                if attribute in ("_modules", "_parameters", "_buffers"):
                    continue
                items = (
                    value.items() if type(value) is dict else enumerate(value) if type(value) in (list, tuple) else ()
                )
                for key, item in items:
                    if item is root:
                        return ".".join(part for part in (path, attribute, str(key)) if part)
                if value is root:
                    return ".".join(part for part in (path, attribute) if part)
    return None


def is_place(name: str) -> bool:
    """Whether a parameter goes by its place in an optimizer, for want of a name."""
    return name.startswith(f"{_PLACE}[")


def parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """What an optimizer holds."""
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]
