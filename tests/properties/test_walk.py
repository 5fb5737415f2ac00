"""Random programs: what the walk says of a graph is what torchviz draws and what backward does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given

from graphvis.live.walker import walk
from graphvis.model import Graph
from tests.properties import running
from tests.properties.drawing import programs
from tests.properties.programs.generator import Truth
from tests.torchviz_oracle import drawn, walked

pytestmark = pytest.mark.filterwarnings("ignore:distutils")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(truth: Truth) -> tuple[running.Model, torch.Tensor]:
    program, _ = running.load(truth)
    with running.unless_refused():
        return running.run(program)


@given(programs(giving=False))
def test_nodes_and_edges_are_those_that_torchviz_draws(truth: Truth) -> None:
    model, loss = run(truth)
    names = dict(model.named_parameters())

    assert walked(loss, names) == drawn(loss, names)


@given(programs(giving=False))
def test_a_leaf_is_reached_if_and_only_if_it_gets_a_gradient(truth: Truth) -> None:
    """No Function in the programs returns None, so that each edge carries a gradient.

    A reentrant checkpoint builds the graph of what it runs within backward: no walk before can find those leaves.
    """
    model, loss = run(truth)

    graph = walk(loss, module=model)

    # A leaf without a name is one that the program made, by nn.Parameter(h).
    reached = {graph.names[i] for i in graph.reached if graph.kinds[i] == "leaf" and graph.names[i]}
    gradients = running.gradients(model, loss)
    raised = isinstance(gradients, str)
    given = set() if isinstance(gradients, str) else {name for name, grad in gradients.items() if grad is not None}
    if "CheckpointFunctionBackward" in graph.names:
        assert reached <= truth.reached
        assert raised or reached <= given
    else:
        assert reached == truth.reached
        assert raised or reached == given


@given(programs(giving=False))
def test_backward_raises_if_and_only_if_something_saved_cannot_be_handed_out(truth: Truth) -> None:
    model, loss = run(truth)

    graph = walk(loss, module=model)

    refused = [
        (graph.names[i], saved) for i in graph.reached for saved in graph.nodes[i].saved
        if saved.state in ("overwritten", "detached")
    ]  # fmt: skip
    error = running.gradients(model, loss)
    if refused:
        assert isinstance(error, str)
    # What in-place ops on views saved is not shown, and what a checkpoint keeps is not asked for.
    hidden = "CopySlices" in graph.names or any(
        saved.state == "unknown" for kept in graph.saved.values() for saved in kept
    )
    if isinstance(error, str) and not hidden:
        assert refused
        if "expected version" in error:
            assert any(
                f"is at version {saved.version}; expected version {saved.saved_version}" in error
                for _, saved in refused
            )


@given(programs(giving=False))
def test_a_walk_changes_no_gradient_and_survives_json(truth: Truth) -> None:
    model, loss = run(truth)
    twin, other = run(truth)

    graph = walk(loss, module=model)

    assert Graph.from_json(graph.to_json()) == graph
    assert walk(loss, module=model) == graph
    walked_gradients, plain = running.gradients(model, loss), running.gradients(twin, other)
    if isinstance(plain, str) or isinstance(walked_gradients, str):
        assert walked_gradients == plain
    else:
        assert walked_gradients.keys() == plain.keys()
        for name, gradient in plain.items():
            found = walked_gradients[name]
            assert (found is None) == (gradient is None)
            assert gradient is None or found is None or torch.equal(found, gradient)
