"""Which names a program has for its tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch


class Names:
    """The names of tensors, found by the tensor itself.

    It holds the tensors that it names, so that their ids stay theirs: let go of it with the walk.
    """

    def __init__(
        self, names: Mapping[str, object] | None, module: torch.nn.Module | Iterable[torch.nn.Module] | None
    ) -> None:
        self.tensors: dict[int, torch.Tensor] = {}
        self._names: dict[int, list[str]] = {}
        for name, parameter in _parameters(module):
            self.add(name, parameter)
        for name, value in (names or {}).items():
            self.add(name, value)

    def add(self, name: str, value: object) -> None:
        """Give `value` one more name, if it is a tensor."""
        if isinstance(value, torch.Tensor):
            known = self._names.setdefault(id(value), [])
            self.tensors[id(value)] = value
            if name not in known:
                known.append(name)

    def of(self, tensor: torch.Tensor) -> tuple[str, ...]:
        """The names of `tensor`: a parameter's dotted name first, then as they were given."""
        return tuple(self._names.get(id(tensor), ()))


def _parameters(
    module: torch.nn.Module | Iterable[torch.nn.Module] | None,
) -> Iterator[tuple[str, torch.nn.Parameter]]:
    if module is None:
        return
    for one in [module] if isinstance(module, torch.nn.Module) else module:
        # Tied weights keep both names, as aliases.
        yield from one.named_parameters(remove_duplicate=False)
