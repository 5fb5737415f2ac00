"""The patterns beyond the article: what each loses, as PyTorch gives it."""

import pytest
import torch

from tests.article.running import moments_of

NO_GRAD_FN = "element 0 of tensors does not require grad and does not have a grad_fn"

GRADIENTS = {
    "straight_through": ({"x": 0}, {"x": 1}),
    "gan_discriminator": ({"g": 1, "d": 6}, {"g": None, "d": 6}),
    "target_network": ({"w": -1, "t": 0.5}, {"w": -1, "t": None}),
    "stop_gradient": ({"w": 16}, {"w": 24}),
    "bptt_growing": ({"w": 4}, {"w": 4}),
    "truncated_bptt": ({"w": 4}, {"w": 2}),
    "actor_critic": ({"logp": -3, "v": -1}, {"logp": -3, "v": None}),
    "numpy_round_trip": ({"a": [1.5, 0.75], "w": [1, 2]}, {"a": None, "w": [1, 2]}),
    "checkpoint_reentrant": ({"w": [1, 2], "b": [1, 1]}, {"w": None, "b": [1, 1]}),
    "function_none": ({"a": [2, 2, 2]}, {"a": None}),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_before_and_after(name):
    told = moments_of(name)
    assert (told["before"].grads, told["after"].grads) == GRADIENTS[name]


ERRORS = {
    "loss_item": ({"w": 4}, NO_GRAD_FN),
    "tensor_of_losses": ({"w": 7}, NO_GRAD_FN),
    "argmax": ({"a": [0, 1, 0]}, NO_GRAD_FN),
    "relu_inplace": ({"a": [0.1966, 0.1050, 0.0452]}, "output 0 of Sigmoid, is at version 1; expected version 0"),
    "optimizer_step_between": ({"w1": 3, "w2": 2}, "modified by an inplace operation: [torch.FloatTensor []]"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_gradient_before_and_an_error_after(name):
    told = moments_of(name)
    grads, error = ERRORS[name]
    assert told["before"].grads == grads
    assert error in told["after"].error


@pytest.mark.parametrize(("name", "earlier", "later"), [
    ("straight_through", "q", "y"), ("loss_item", "total", "total"), ("tensor_of_losses", "both", "both"),
    ("numpy_round_trip", "h", "h"), ("truncated_bptt", "h2", "h2"),
])  # fmt: skip
def test_the_value_is_the_same_before_and_after(name, earlier, later):
    """Only the gradient is lost: no one who looks at the values can see it."""
    told = moments_of(name)
    assert told["before"].values[earlier] == told["after"].values[later]


def test_a_second_backward_through_a_growing_graph_raises():
    """What bptt_growing says of real training, where the first backward has freed the graph."""
    w = torch.tensor(0.5, requires_grad=True)
    h = torch.tensor(4.0) * w
    h.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        (h * w).backward()


def test_optimizer_step_raises_the_counter_of_every_weight():
    told = moments_of("optimizer_step_between")
    assert [told["before"].versions[name] for name in ("w1", "w2")] == [0, 0]
    assert [told["after"].versions[name] for name in ("w1", "w2")] == [1, 1]
    assert [told["after"].values[name] for name in ("w1", "w2")] == [0.5, 2]


@pytest.mark.parametrize("layer", [torch.nn.Linear(3, 3), torch.nn.Conv1d(2, 2, 1), torch.nn.BatchNorm1d(2)], ids=str)
def test_an_inplace_relu_is_safe_after_a_layer_that_saves_its_input(layer):
    """What relu_inplace says: the gradient is that of a ReLU which writes elsewhere."""
    grads = []
    for inplace in (False, True):
        x = torch.arange(12.0).reshape(2, 2, 3).requires_grad_()
        torch.nn.functional.relu(layer(x), inplace=inplace).square().sum().backward()
        grads.append(x.grad)
    assert torch.equal(*grads)


@pytest.mark.parametrize("layer", [torch.sigmoid, torch.tanh, torch.exp, lambda x: x.softmax(0)])
def test_an_inplace_relu_raises_after_a_layer_that_saves_its_result(layer):
    x = torch.ones(2, requires_grad=True)
    loss = torch.relu_(layer(x)).sum()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_numpy_asks_for_detach():
    """What numpy_round_trip says of numpy()."""
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad. Use tensor.detach"):
        torch.ones(1, requires_grad=True).numpy()
