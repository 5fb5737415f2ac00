"""Running a random program, and asking PyTorch what is true of it."""

from __future__ import annotations

import linecache
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from hypothesis import assume
from torch import Tensor, nn

from graphvis.live.recorder import Recording, record
from tests.properties.programs.generator import PARAMETERS, Truth


class Model(nn.Module):
    """The parameters that the programs read."""

    def __init__(self) -> None:
        super().__init__()
        for name, shape in PARAMETERS.items():
            self.register_parameter(name, nn.Parameter(torch.randn(*shape, dtype=torch.float64)))
        self.linear = nn.Linear(4, 4, dtype=torch.float64)
        self.norm = nn.LayerNorm(4, dtype=torch.float64)
        nn.init.normal_(self.norm.bias)


def load(truth: Truth) -> tuple[Callable[[nn.Module], Tensor], str]:
    """The program as a function, and the file name its lines bear (its text is in linecache)."""
    file = f"/random/program_{zlib.crc32(truth.source.encode()):08x}.py"
    linecache.cache[file] = (len(truth.source), None, truth.source.splitlines(keepends=True), file)
    space: dict[str, object] = {"__name__": "random_program"}
    exec(compile(truth.source, file, "exec"), space)
    return space["program"], file  # type: ignore[return-value]


def model(change: Callable[[nn.Module], None] | None = None) -> Model:
    """The same model each time, after `change`."""
    torch.manual_seed(11)
    made = Model()
    if change is not None:
        with torch.no_grad():
            change(made)
    return made


def run(
    program: Callable[[nn.Module], Tensor], change: Callable[[nn.Module], None] | None = None
) -> tuple[Model, Tensor]:
    """Model and loss of one run."""
    made = model(change)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made, program(made)


def recorded(program: Callable[[nn.Module], Tensor]) -> tuple[Model, Tensor, Recording]:
    """The same, and the recording of it."""
    trace = record()

    def watched(made: nn.Module) -> Tensor:
        with trace:
            return program(made)

    return *run(watched), trace


@contextmanager
def unless_refused() -> Iterator[None]:
    """Passes over a program that PyTorch itself refuses: an in-place write that its rules for views forbid."""
    try:
        yield
    except RuntimeError:
        assume(False)
        raise


def gradients(made: nn.Module, loss: Tensor) -> dict[str, Tensor | None] | str:
    """What a real backward gives, or PyTorch's message where it raises."""
    made.zero_grad()
    if loss.requires_grad:
        try:
            loss.backward()
        except RuntimeError as error:
            return str(error)
    return {name: parameter.grad for name, parameter in made.named_parameters()}


def changes(program: Callable[[nn.Module], Tensor], name: str, loss: Tensor) -> bool:
    """Whether the loss changes when the value of the parameter `name` does."""
    for scale in (0.05, -0.3, 2.0):

        def change(made: nn.Module, scale: float = scale) -> None:
            parameter = made.get_parameter(name)
            parameter.copy_(
                parameter * (1 + scale) + scale * torch.cos(torch.arange(parameter.numel())).view_as(parameter)
            )

        _, changed = run(program, change)
        if not torch.equal(changed.detach(), loss.detach()):
            return True
    return False
