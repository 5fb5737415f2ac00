"""What a program does is the same while it is watched: to the bit, to the object, and after."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import nn

from graphvis.live.diagnosis import diagnose
from graphvis.live.recorder import record
from tests.causes.quiet import batch


def _training(model: nn.Module, watched: bool, steps: int = 3) -> list[torch.Tensor]:
    """The losses, the gradients, the parameters and the generator's state after some steps of AdamW."""
    torch.manual_seed(3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    seen = []
    for _ in range(steps):
        optimizer.zero_grad()
        if watched:
            with record() as trace, record():
                loss = model(batch().reshape(2, 3, 4)).square().mean()
            diagnose(loss, trace, parameters=model, probe=True)
        else:
            loss = model(batch().reshape(2, 3, 4)).square().mean()
        loss.backward()
        optimizer.step()
        seen += [loss.detach().clone(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]
    return [*seen, *(p.detach().clone() for p in model.parameters()), torch.get_rng_state()]


MODELS: dict[str, Callable[[], nn.Module]] = {
    "dropout": lambda: nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(8, 2)),
    "transformer": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2),
    "attention and norms": lambda: nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4), nn.GELU(), nn.Dropout1d(0.3)),
}


@pytest.mark.parametrize("name", MODELS)
def test_training_is_the_same_to_the_bit(name: str) -> None:
    torch.manual_seed(1)
    model = MODELS[name]()
    plain, watched = _training(copy.deepcopy(model), False), _training(copy.deepcopy(model), True)
    assert len(plain) == len(watched)
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))


def test_the_fast_path_of_a_transformer_in_evaluation_is_the_same_to_the_bit() -> None:
    torch.manual_seed(1)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2, enable_nested_tensor=False)
    model.eval()
    with torch.no_grad():
        plain = model(batch().reshape(2, 3, 4))
        with record():
            watched = model(batch().reshape(2, 3, 4))
    assert torch.equal(plain, watched)


def test_no_tensor_is_kept_alive() -> None:
    layer = nn.Linear(4, 4)
    gc.disable()
    try:
        with record() as trace:
            h = layer(batch())
            h = h.relu()
            dead = weakref.ref(h)
            detached = weakref.ref(h.detach())
            loss = (h + 1).sum()
            del h
            assert dead() is None, "within the recording"
            assert detached() is None
        diagnose(loss, trace, parameters=layer)
        gone = weakref.ref(loss)
        del loss
        assert gone() is None
    finally:
        gc.enable()


def test_the_gradients_of_a_graph_are_freed_by_backward_as_ever() -> None:
    layer = nn.Linear(4, 4)
    with record() as trace:
        loss = layer(batch()).exp().sum()
    diagnose(loss, trace, parameters=layer, probe=True)
    assert all(parameter.grad is None for parameter in layer.parameters())
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_it_is_off_again_after_any_exception(error: type[BaseException]) -> None:
    before = torch.overrides.has_torch_function, torch.Tensor.set_, torch.from_numpy, torch.optim.Optimizer.__init__
    with pytest.raises(error), record(), record():
        raise error
    assert torch._C._len_torch_function_stack() == 0
    assert before == (
        torch.overrides.has_torch_function, torch.Tensor.set_, torch.from_numpy, torch.optim.Optimizer.__init__,
    )  # fmt: skip


def test_tensors_can_be_swapped_copied_and_pickled() -> None:
    with record() as trace:
        a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.zeros(2))
        torch.utils.swap_tensors(a, b)
        first = (a * 2).sum()
        twin = copy.deepcopy(nn.Linear(2, 2))
        module = nn.Linear(2, 2)
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            module.to(torch.float64)
        finally:
            torch.__future__.set_swap_module_params_on_conversion(False)
        loss = (module(torch.ones(1, 2, dtype=torch.float64)).sum() + b.sum() + twin.weight.sum()) * first
    diagnosis = diagnose(loss, trace, parameters={**dict(module.named_parameters()), "b": b, "twin": twin.weight})
    assert {verdict.status for verdict in diagnosis.verdicts.values()} == {"gradient"}
    loss.backward()
    assert module.weight.dtype == torch.float64


def test_reused_memory_and_identities_confuse_nothing() -> None:
    layer, other = nn.Linear(4, 4), nn.Linear(4, 4)
    with record() as trace:
        for _ in range(50):
            layer(batch()).detach()  # dies at once; the next takes its place
            other(batch())
        h = other(batch())
        loss = h.sum()
    diagnosis = diagnose(loss, trace, parameters=[layer, other])
    statuses = [verdict.status for verdict in diagnosis.verdicts.values()]
    assert statuses == ["unused", "unused", "gradient", "gradient"]
