"""Tensors and circumstances that must not trip the walk, and that the walk must not disturb."""

import copy
import gc
import warnings
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from graphvis.errors import WalkError
from graphvis.live.walker import Identity, walk, walk_with_tokens
from graphvis.model import TensorInfo


def info_of(tensor: torch.Tensor) -> TensorInfo:
    info = walk(tensor, {"t": tensor}).find("t").tensor
    assert info is not None
    return info


class Loud(torch.Tensor):
    """A subclass that objects to being looked at."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        raise AssertionError(f"the walk called {func}")


class Wrapped(torch.Tensor):
    """A subclass that answers for itself and has no numbers of its own."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Wrapped":
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)  # type: ignore[attr-defined, no-any-return]

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        raise AssertionError(f"the walk ran {func}")


STRANGE: dict[str, Callable[[], torch.Tensor]] = {
    "sparse": lambda: torch.eye(2).to_sparse(),
    "sparse csr": lambda: torch.eye(2).to_sparse_csr(),
    "meta": lambda: torch.ones(2, device="meta"),
    "quantized": lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]),
    "jagged": lambda: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)], layout=torch.jagged),
    "fake": lambda: FakeTensorMode().from_tensor(torch.ones(2)),
    "wrapper subclass": lambda: Wrapped(torch.ones(2)),
    "mkldnn": lambda: torch.ones(2).to_mkldnn(),
    "conjugated": lambda: torch.ones(2, dtype=torch.complex64).conj(),
    "negated": lambda: torch.ones(2, dtype=torch.complex64).conj().imag,
    "zero tensor": lambda: torch._efficientzerotensor(2),
    "bits": lambda: torch.ones(2, dtype=torch.uint8).view(torch.bits8),
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_a_strange_tensor_is_described_without_a_value(make: Callable[[], torch.Tensor]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of prototypes and of beta state
        tensor = make()

    info = info_of(tensor)

    assert info.value is None
    assert info.dtype == str(tensor.dtype).removeprefix("torch.")
    assert info.device == str(tensor.device)


@pytest.mark.parametrize(("name", "storage"), [("sparse", None), ("meta", None), ("conjugated", 0)])
def test_where_there_is_no_memory_there_is_no_storage(name: str, storage: int | None) -> None:
    assert info_of(STRANGE[name]()).storage == storage


def test_a_ragged_dimension_is_minus_one() -> None:
    assert info_of(STRANGE["jagged"]()).shape == (2, -1)


def test_a_subclass_is_not_called() -> None:
    tensor = torch.ones(2).as_subclass(Loud)

    assert info_of(tensor).value == "[1., 1.]"


def test_strange_tensors_in_a_graph() -> None:
    sparse = torch.eye(2).to_sparse().requires_grad_()
    meta = torch.ones(2, device="meta", requires_grad=True)
    number = torch.tensor([1 + 2j], requires_grad=True)
    outputs = (torch.sparse.mm(sparse, torch.ones(2, 1)), meta.sigmoid(), number.angle(), number.conj() * number)

    graph = walk(outputs)

    assert [info.dtype for info in graph.tensors.values()].count("complex64") == 2
    assert {saved.state for kept in graph.saved.values() for saved in kept} == {"intact"}


def test_what_a_subclass_saved_is_not_asked_for() -> None:
    class Quiet(Wrapped):
        """Answers for itself without objection."""

        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            ran.append(func)
            return cls(torch.ones(2))

    ran: list[object] = []
    inner = torch.ones(2)
    output = Quiet(inner).requires_grad_().sigmoid()
    ran.clear()

    graph = walk(output)

    assert [saved.state for saved in graph.find("SigmoidBackward0").saved] == ["unknown"]
    assert not ran


def test_inside_functorch() -> None:
    graphs = []

    def loss(x: torch.Tensor) -> torch.Tensor:
        y = x.sigmoid().sum()
        graphs.append(walk(y, {"x": x}))
        return y

    torch.func.grad(loss)(torch.ones(2))
    torch.func.vmap(loss)(torch.ones(3, 2))
    torch.func.vmap(torch.func.grad(loss))(torch.ones(3, 2))

    assert [len(graph.nodes) for graph in graphs] == [5, 1, 5]
    assert "SigmoidBackward0" in graphs[0].names
    assert all(info.value is None for graph in graphs for info in graph.tensors.values())


class Forbidding(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        raise AssertionError(f"the walk called {func}")


class ForbiddingOps(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        raise AssertionError(f"the walk ran {func}")


MODES: list[Callable[[], AbstractContextManager[Any]]] = [
    torch.no_grad,
    torch.enable_grad,
    torch.inference_mode,
    Forbidding,
    ForbiddingOps,
    lambda: torch.autograd.set_detect_anomaly(True, check_nan=False),
]


@pytest.fixture
def program() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    h = a.exp()
    h.retain_grad()
    view = h[0]
    c = h.detach()
    h.sum().backward(retain_graph=True)
    picked = torch.nn.functional.dropout(view[torch.tensor([0, 1])] * c[1])
    return picked.sum(), {"a": a, "h": h, "view": view, "c": c, "picked": picked}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("mode", MODES)
def test_a_mode_changes_nothing(
    program: tuple[torch.Tensor, dict[str, torch.Tensor]], mode: Callable[[], AbstractContextManager[Any]]
) -> None:
    loss, names = program
    outside = walk(loss, names, also=names)

    with mode():
        inside = walk(loss, names, also=names)

    assert inside == outside


@pytest.mark.filterwarnings("error")
def test_the_walk_leaves_no_trace(program: tuple[torch.Tensor, dict[str, torch.Tensor]]) -> None:
    loss, names = program
    before = (torch._C._autograd._get_sequence_nr(), torch.get_rng_state(), [t._version for t in names.values()])
    referrers = [t._use_count() for t in names.values()]  # type: ignore[attr-defined]

    walk(loss, names, also=names)

    sequence, state, versions = before
    assert torch._C._autograd._get_sequence_nr() == sequence
    assert torch.equal(torch.get_rng_state(), state)
    assert [t._version for t in names.values()] == versions
    assert [t._use_count() for t in names.values()] == referrers  # type: ignore[attr-defined]


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_left_as_it_was(enabled: bool) -> None:
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        walk(torch.ones(1))
        with pytest.raises(WalkError):
            walk(None)
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_tokens_do_not_stand_in_the_way_of_swap_and_copy() -> None:
    model, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    identity = Identity()
    graph, tokens = walk_with_tokens(model(torch.ones(1, 2)), module=model, identity=identity)
    del graph

    duplicate = copy.deepcopy(model)
    torch.utils.swap_tensors(model.weight, other.weight)

    _, again = walk_with_tokens(duplicate(torch.ones(1, 2)), module=duplicate, identity=identity)
    assert not set(tokens) & set(again)
    assert vars(model.weight) == {}


def test_tokens_keep_nothing_alive() -> None:
    identity = Identity()
    a = torch.ones(2, requires_grad=True)
    y = a * 2
    walk_with_tokens(y, also={"a": a}, identity=identity)
    watched = [weakref.ref(a), weakref.ref(y)]

    del a, y

    assert [one() for one in watched] == [None, None]


def test_a_leaf_keeps_its_token_when_its_graph_is_built_anew() -> None:
    identity = Identity()
    a = torch.ones(2, requires_grad=True)
    tokens = [dict(zip(graph.names, found, strict=True))["a"]
              for graph, found in (walk_with_tokens(a * 2, {"a": a}, identity=identity) for _ in range(2))]  # fmt: skip

    assert tokens[0] == tokens[1]


def test_tokens_by_trace_number() -> None:
    identity = Identity(lambda tensor: 5)
    _, first = walk_with_tokens(torch.ones(2), identity=identity)
    _, second = walk_with_tokens(torch.ones(3), identity=identity)

    assert first == second


def test_a_saved_view_that_pytorch_has_given_up_is_read() -> None:
    weight = torch.ones(2, 4, requires_grad=True)
    first, _ = weight.chunk(2, 1)
    loss = first.sin().sum()
    with torch.no_grad():
        weight.mul_(2)
    with pytest.raises(RuntimeError, match="is a view"):
        _ = first.is_leaf
    (saved,) = (one for kept in walk(loss).saved.values() for one in kept)
    assert not saved.leaf
    with pytest.raises(RuntimeError):
        loss.backward()
