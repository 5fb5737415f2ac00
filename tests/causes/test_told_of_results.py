"""One of several results, or one layer's state, behind a cut: what it is not made of is unused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from tests.causes.asking import ask
from tests.causes.case import Case, measure

X = torch.linspace(-1, 1, 24, dtype=torch.float64).view(2, 3, 4)


class Model(nn.Module):
    """A network of several results, a head, and what the forward pass takes of the results."""

    def __init__(self, body: Callable[..., nn.Module], **options: Any) -> None:
        super().__init__()
        self.body = body(4, dtype=torch.float64, **options)
        self.head = nn.Linear(options.get("proj_size") or 4, 2, dtype=torch.float64)


def _states(of: str, layer: int, packed: bool = False) -> Callable[[Any], Tensor]:
    def step(m: Any) -> Tensor:
        start = [torch.full((len(m.body.all_weights), 3, size), 0.5, dtype=torch.float64) for size in _sizes(m.body)]
        given = pack_padded_sequence(X, [2, 2, 1]) if packed else X
        _, states = m.body(given, tuple(start) if isinstance(m.body, nn.LSTM) else start[0])
        state = states[of == "c"] if isinstance(states, tuple) else states
        return m.head(state[layer].detach()).sum() if of == "h" else m.head.weight.sum() * state[layer].detach().sum()

    return step


def _sizes(body: nn.RNNBase) -> tuple[int, int]:
    return body.proj_size or body.hidden_size, body.hidden_size


def _output(m: Any) -> Tensor:
    return m.head(m.body(X)[0].detach()).sum()


def _weights(m: Any) -> Tensor:
    return m.body(X, X, X)[1].detach().exp().sum() * m.head(X).sum()


def _recurrent(kind: Any, **options: Any) -> Callable[[], nn.Module]:
    return lambda: Model(kind, hidden_size=4 + (2 if "proj_size" in options else 0), **options)


def _attention(**options: Any) -> Callable[[], nn.Module]:
    return lambda: Model(nn.MultiheadAttention, num_heads=2, **options)


@pytest.mark.parametrize(
    ("step", "build"),
    [
        (_states("h", 0), _recurrent(nn.LSTM, num_layers=2)),
        (_states("c", 0), _recurrent(nn.LSTM, num_layers=2)),
        (_states("h", 0, packed=True), _recurrent(nn.LSTM, num_layers=2)),
        (_states("h", 1), _recurrent(nn.LSTM, num_layers=2, bidirectional=True)),
        (_states("h", 2), _recurrent(nn.LSTM, num_layers=2, bidirectional=True)),
        (_states("c", 3), _recurrent(nn.LSTM, num_layers=2, bidirectional=True, proj_size=3)),
        (_states("h", 1), _recurrent(nn.GRU, num_layers=3)),
        (_states("h", -1, packed=True), _recurrent(nn.GRU, num_layers=2, bias=False)),
        (_states("h", 0), _recurrent(nn.RNN, num_layers=2)),
        (_output, _recurrent(nn.RNN, num_layers=2, nonlinearity="relu")),
        (_weights, _attention()),
        (_weights, _attention(bias=False)),
        (_weights, _attention(add_bias_kv=True)),
        (_weights, _attention(kdim=4, vdim=4)),
        (_output, lambda: Model(nn.LSTM, hidden_size=4)),
    ],
)
def test_what_one_of_several_results_is_not_made_of_is_unused(
    step: Callable[[Any], Tensor], build: Callable[[], nn.Module]
) -> None:
    truth = measure(Case(step, build, {}))
    assert "cut" in truth.values()
    found = ask(step, build)
    assert {name: verdict.status for name, verdict in found.verdicts.items()} == truth
