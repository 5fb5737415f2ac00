"""What nodes keep for backward: states, not crashes, and nobody's code is run."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from graphvis.live.walker import walk
from graphvis.model import Saved


def saved_of(output: torch.Tensor, function: str) -> dict[str, Saved]:
    return {saved.name: saved for saved in walk(output).find(function).saved}


def leaf(size: int = 3) -> torch.Tensor:
    return torch.ones(size, requires_grad=True)


class Keeps(torch.autograd.Function):
    """Saves an input, an output, a tensor of its own, and nothing."""

    @staticmethod
    def forward(ctx, x, w):  # type: ignore[no-untyped-def]
        out = x * w
        ctx.save_for_backward(x, out, x * 3, None)
        return out

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return grad, None


def test_intact() -> None:
    a = leaf()
    h = a * 2
    out = h * a

    graph = walk(out, {"a": a, "h": h})

    h_info, a_info = graph.find("h").tensor, graph.find("a").tensor
    assert h_info
    assert a_info
    assert graph.nodes[1].saved == (
        Saved(name="other", shape=(3,), dtype="float32", nbytes=12, storage=a_info.storage,
              saved_version=0, version=0, leaf=True),
        Saved(name="self", shape=(3,), dtype="float32", nbytes=12, storage=h_info.storage,
              saved_version=0, version=0),
    )  # fmt: skip


def test_saved_is_only_read_when_asked_for() -> None:
    assert walk(leaf().sigmoid(), saved=False).saved == {}


def test_an_operand_that_was_not_needed_is_not_listed() -> None:
    assert saved_of(leaf() * torch.ones(3), "MulBackward0").keys() == {"other"}


def test_overwritten_tells_both_versions() -> None:
    out = leaf().sigmoid()
    out.mul_(1)
    out = out.detach()
    y = leaf().exp()
    y.detach().zero_().add_(1)

    found = saved_of(y, "ExpBackward0")["result"]

    assert (found.state, found.saved_version, found.version, found.shape) == ("overwritten", 0, 2, (3,))


def test_saved_after_writes_is_intact_at_a_later_version() -> None:
    x = torch.ones(3)
    x.add_(1)

    found = saved_of(x * leaf(), "MulBackward0")["self"]

    assert (found.state, found.saved_version, found.version) == ("intact", 1, 1)


def test_freed_after_backward() -> None:
    a = leaf()
    out = a.sigmoid()[torch.tensor([0, 1])]
    out.sum().backward()

    assert saved_of(out, "SigmoidBackward0")["result"] == Saved(name="result", state="freed")
    assert saved_of(out, "IndexBackward0")["indices"] == Saved(name="indices", state="freed")


def test_an_index_list_is_listed_by_place() -> None:
    index = torch.tensor([0, 1])
    out = torch.ones(3, 2, requires_grad=True)[:, index]

    found = saved_of(out, "IndexBackward0")

    assert {name: saved.state for name, saved in found.items()} == {"indices[1]": "intact"}


def test_detached_in_place_after_it_was_saved() -> None:
    m = leaf() * 2
    y = m * m
    m.detach_()

    found = saved_of(y, "MulBackward0")

    with pytest.raises(RuntimeError, match="detached in-place"):
        y.sum().backward()
    assert {saved.state for saved in found.values()} == {"detached"}


def test_hooks_are_not_run() -> None:
    called = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    def unpack(tensor: torch.Tensor) -> torch.Tensor:
        called.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        out = leaf().sigmoid()
        custom = Keeps.apply(leaf(), leaf())

    assert saved_of(out, "SigmoidBackward0") == {"result": Saved(name="result", state="unknown")}
    assert [saved.state for saved in saved_of(custom, "KeepsBackward").values()] == ["unknown"] * 3
    assert not called


def test_a_checkpoint_is_not_run_again() -> None:
    runs = []

    def block(x: torch.Tensor) -> torch.Tensor:
        runs.append(x)
        return x.sigmoid().exp()

    out = checkpoint(block, leaf(), use_reentrant=False)

    assert [saved.state for saved in saved_of(out, "ExpBackward0").values()] == ["unknown"]
    assert len(runs) == 1


def test_custom_function_intact() -> None:
    x = leaf()

    found = saved_of(Keeps.apply(x, torch.ones(3)), "KeepsBackward")

    assert {name: saved.state for name, saved in found.items()} == {
        "tensors[0]": "intact", "tensors[1]": "intact", "tensors[2]": "intact",
    }  # fmt: skip
    assert found["tensors[0]"].leaf
    assert not found["tensors[1]"].leaf


def test_custom_function_freed() -> None:
    out = Keeps.apply(leaf(), torch.ones(3))
    out.sum().backward()

    assert saved_of(out, "KeepsBackward") == {"tensors": Saved(name="tensors", state="freed")}


def test_custom_function_whose_input_was_overwritten() -> None:
    h = leaf() * 1
    out = Keeps.apply(h, torch.ones(3))
    h.detach().zero_()

    found = saved_of(out, "KeepsBackward")

    assert (found["tensors[0]"].state, found["tensors[0]"].saved_version, found["tensors[0]"].version) == (
        "overwritten", 0, 1,
    )  # fmt: skip
    # PyTorch names the first offender only, and asked for alone an output tells nothing.
    assert found["tensors[1]"].state == "unknown"
    assert found["tensors[2]"].state == "intact"


def test_custom_function_whose_output_was_overwritten() -> None:
    out = Keeps.apply(leaf(), torch.ones(3))
    out.detach().zero_()

    found = saved_of(out, "KeepsBackward")

    assert {name: saved.state for name, saved in found.items()} == {
        "tensors[0]": "intact", "tensors[1]": "overwritten", "tensors[2]": "intact",
    }  # fmt: skip
    assert (found["tensors[1]"].saved_version, found["tensors[1]"].version) == (0, 1)


def test_custom_function_is_handed_an_input_that_was_detached_in_place() -> None:
    m = leaf() * 1
    out = Keeps.apply(m, torch.ones(3))
    m.detach_()

    found = saved_of(out, "KeepsBackward")["tensors[0]"]

    out.sum().backward()  # PyTorch does not mind, other than with its own functions
    assert found.state == "intact"


def test_inference_tensors_have_no_version() -> None:
    with torch.inference_mode():
        constant = torch.ones(3)

    graph = walk(leaf() + constant, also={"constant": constant})

    info = graph.find("constant").tensor
    assert info is not None
    assert info.version is None


def test_reading_makes_no_result_of_its_own_and_leaves_backward_as_it_was() -> None:
    a = torch.tensor([0.1, 0.2], requires_grad=True)
    (walked := (a.sigmoid() * a).sum())
    (plain := (a.sigmoid() * a).sum())
    walk(walked)

    assert torch.equal(*[torch.autograd.grad(loss, a)[0] for loss in (walked, plain)])


def test_in_place_on_a_view_shows_no_saved_tensors() -> None:
    base = leaf(4) * 1
    base[1:].mul_(2)

    graph = walk(base)

    assert graph.find("CopySlices").saved == ()
    assert [edge.target is None for edge in graph.find("CopySlices").next] == [False, True]
