"""Every figure of the article, row by row, as PyTorch gives it today; where the article is wrong, the truth."""

import pytest
import torch

from tests.article.running import CUT, State, moments_of

GRADIENT = [0.1966, 0.1050, 0.0452]
NO_GRAD_FN = "element 0 of tensors does not require grad and does not have a grad_fn"


def test_row_1_plain_backward_fills_grad():
    after = moments_of("plain")["after"]
    assert after.values["a"] == [1, 2, 3]
    assert after.values["out"] == [0.7311, 0.8808, 0.9526]
    assert after.grads == {"a": GRADIENT}


def test_row_1_grad_is_none_before_backward():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    assert a.grad is None
    out.sum().backward()
    assert [round(number, 4) for number in a.grad.tolist()] == GRADIENT


def test_row_2_detach_alone_costs_nothing():
    told = moments_of("detach_alone")
    assert told["before"].grads == {"a": GRADIENT}
    assert told["after"].grads == {"a": GRADIENT}
    assert told["after"].printed["c"] == "tensor([0.7311, 0.8808, 0.9526])"
    assert "grad_fn=<SigmoidBackward0>" in told["after"].printed["out"]
    assert told["after"].states["c"] == CUT


def test_row_2_c_shares_storage_and_version_counter():
    after = moments_of("detach_alone")["after"]
    assert after.storages["c"] == after.storages["out"]
    later = moments_of("detach_zero")["after"]
    assert later.versions["c"] == later.versions["out"] == 1


def test_row_3_backward_through_c_raises():
    told = moments_of("detach_backward")
    assert told["before"].grads == {"a": GRADIENT}
    assert NO_GRAD_FN in told["after"].error


def test_row_4_writing_to_c_stops_backward():
    told = moments_of("detach_zero")
    assert told["before"].grads == {"a": GRADIENT}
    after = told["after"]
    assert after.values["out"] == [0, 0, 0]
    assert (after.versions["out"], after.versions["c"]) == (1, 1)
    assert (
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        "[torch.FloatTensor [3]], which is output 0 of Sigmoid, is at version 1; expected version 0 instead."
    ) in after.error


def test_row_4_reading_the_saved_result_raises_the_same():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = a.sigmoid()
    out.detach().zero_()
    with pytest.raises(RuntimeError, match="output 0 of Sigmoid, is at version 1; expected version 0"):
        _ = out.grad_fn._saved_result


def test_row_5_writing_to_data_is_silently_wrong():
    told = moments_of("data_zero")
    assert told["before"].grads == {"a": GRADIENT}
    after = told["after"]
    assert after.error is None
    assert after.grads == {"a": [0, 0, 0]}
    assert after.values["out"] == [0, 0, 0]
    assert (after.versions["out"], after.versions["c"]) == (0, 1)
    assert after.storages["c"] == after.storages["out"]


def test_row_6_zeroing_data_of_a_sum_harms_nothing():
    after = moments_of("data_zero_harmless")["after"]
    assert after.grads == {"a": GRADIENT}
    assert after.values["out"] == 0
    assert after.versions["out"] == 0


def test_row_6_sum_saves_no_result():
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    node = a.sigmoid().sum().grad_fn
    assert "_saved_result" not in dir(node)
    assert "_saved_result" in dir(node.next_functions[0][0])


def test_row_7_detach_inplace_before_y_cuts_the_chain():
    told = moments_of("detach_inplace_before")
    assert told["before"].grads == {"x": [2, 2, 2], "w": [2, 4, 6]}
    assert told["before"].states["m"] == State(is_leaf=False, grad_fn="MulBackward0", requires_grad=True)
    assert told["after"].grads == {"x": None, "w": [2, 4, 6]}
    assert told["after"].states["m"] == CUT


def test_row_8_detach_inplace_after_y_cuts_nothing():
    """The article implies that x is parted from y; the edge of y stays."""
    told = moments_of("detach_inplace_after")
    assert told["before"].grads == {"x": [6, 6, 6]}
    assert told["after"].grads == {"x": [6, 6, 6]}
    assert told["after"].states["m"] == CUT
    assert told["after"].states["y"] == State(is_leaf=False, grad_fn="MulBackward0", requires_grad=True)


def test_row_8_detach_inplace_raises_where_m_was_saved():
    told = moments_of("detach_inplace_saved")
    assert told["before"].grads == {"x": [8, 16, 24]}
    assert "Trying to use a saved tensor that has been detached in-place" in told["after"].error


def test_row_9_detach_can_be_regretted_and_detach_inplace_cannot():
    told = moments_of("detach_regret")
    assert told["before"].grads == {"x": [2, 2, 2]}
    assert told["before"].states["d"] == CUT
    assert NO_GRAD_FN in told["after"].error
    assert told["after"].states["m"] == CUT


def test_row_10_a_detached_tensor_gets_a_gradient_of_its_own():
    """The article says that it still gets none; today it is a leaf like any other."""
    told = moments_of("requires_grad_later")
    assert NO_GRAD_FN in told["before"].error
    assert told["after"].grads == {"a": None, "c": [1.4621, 1.7616, 1.9051]}
    assert told["after"].states["c"] == State(is_leaf=True, grad_fn=None, requires_grad=True)


def test_row_10_making_the_loss_require_grad_gives_no_parameter_anything():
    told = moments_of("loss_requires_grad")
    assert NO_GRAD_FN in told["before"].error
    assert told["after"].error is None
    assert told["after"].grads == {"a": None, "loss": 1}


FREEZES = ("freeze_requires_grad", "freeze_detach", "freeze_no_grad")


@pytest.mark.parametrize("name", FREEZES)
def test_row_11_the_frozen_part_gets_no_gradient_and_the_rest_learns_the_same(name):
    told = moments_of(name)
    assert told["before"].grads == {"w1": [3, 8], "w2": [1, 2]}
    assert told["after"].grads.get("w1") is None
    assert told["after"].grads["w2"] == [1, 2]


def test_row_11_only_detach_keeps_the_graph_of_the_frozen_part():
    kept = {name: moments_of(name)["after"].states["h"].grad_fn for name in FREEZES}
    assert kept == {"freeze_requires_grad": None, "freeze_detach": "ReluBackward0", "freeze_no_grad": None}


def test_row_11_requires_grad_false_is_the_one_that_shows_on_the_parameter():
    shown = {name: moments_of(name)["after"].states["w1"].requires_grad for name in FREEZES}
    assert shown == {"freeze_requires_grad": False, "freeze_detach": True, "freeze_no_grad": True}


def test_row_11_a_gradient_passes_through_a_layer_frozen_by_requires_grad():
    """What freeze_requires_grad says of the middle of a network."""
    w1 = torch.tensor([1.0, 1.0], requires_grad=True)
    frozen = torch.tensor([3.0, 4.0])
    (w1 * frozen).sum().backward()
    assert w1.grad.tolist() == [3, 4]


def test_row_12_the_trunk_hears_the_main_head_alone():
    told = moments_of("side_branch")
    assert told["before"].grads == {"w": 16, "v": 2}
    assert told["after"].grads == {"w": 6, "v": 2}


def test_row_13_states():
    states = moments_of("tensor_states")["after"].states
    assert states.pop("a") == State(is_leaf=True, grad_fn=None, requires_grad=True)
    assert states.pop("out") == State(is_leaf=False, grad_fn="ExpBackward0", requires_grad=True)
    assert states.pop("k") == State(is_leaf=False, grad_fn="CloneBackward0", requires_grad=True)
    assert states == dict.fromkeys(["m", "c", "d", "n", "i"], CUT)


def test_row_13_versions_and_storage():
    after = moments_of("tensor_states")["after"]
    assert after.versions == {"a": 0, "out": 0, "m": 0, "c": 0, "d": 0, "k": 0, "n": 0, "i": None}
    sharing = {name for name, storage in after.storages.items() if storage == after.storages["out"]}
    assert sharing == {"out", "c", "d"}


def test_row_13_clone_keeps_the_gradient_and_detach_does_not():
    told = moments_of("clone_or_detach")
    assert told["before"].grads == {"a": [0.2875, 0.1850, 0.0861]}
    assert told["after"].grads == {"a": [0.1437, 0.0925, 0.0430]}
    assert told["before"].storages["c"] != told["before"].storages["out"]
    assert told["after"].storages["c"] == told["after"].storages["out"]


@pytest.mark.parametrize(("name", "version"), [("no_grad", 0), ("inference_mode", None)])
def test_row_14_the_heirs_of_volatile(name, version):
    told = moments_of(name)
    assert told["before"].grads == {"w": 2, "b": 1}
    assert told["before"].states["h"].grad_fn == "MulBackward0"
    assert told["after"].grads == {"w": None, "b": 1}
    assert told["after"].states["h"] == CUT
    assert told["after"].versions["h"] == version


def test_row_14_volatile_is_gone():
    with pytest.warns(UserWarning, match="volatile was removed"):
        assert torch.ones(1).volatile is False


def test_row_14_an_inference_tensor_cannot_be_saved():
    """What inference_mode says of `h * b`."""
    b = torch.ones(2, requires_grad=True)
    with torch.inference_mode():
        h = torch.ones(2)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        _ = h * b


def test_row_15_the_counter_counts_writes_and_data_counts_for_itself():
    told = moments_of("version_counters")
    assert [told["before"].versions[name] for name in ("out", "c", "d")] == [0, 0, 0]
    assert [told["after"].versions[name] for name in ("out", "c", "d")] == [1, 1, 0]
    assert [told["after"].values[name] for name in ("out", "c", "d")] == [1, 1, 1]
    assert told["before"].grads == {"a": 1}
    assert "which is output 0 of Exp, is at version 1; expected version 0" in told["after"].error


def test_row_15_a_write_is_harmless_where_nothing_was_saved():
    told = moments_of("inplace_harmless")
    assert told["before"].grads == told["after"].grads == {"x": [6, 6, 6]}
    assert (told["before"].versions["m"], told["after"].versions["m"]) == (0, 1)
    assert told["after"].values["m"] == [3, 5, 7]


def test_row_15_numpy_is_a_hole_too():
    told = moments_of("numpy_write")
    assert told["before"].grads == {"a": GRADIENT}
    assert told["after"].grads == {"a": [0, 0, 0]}
    assert told["after"].versions["out"] == 0


def test_row_16_a_view_cannot_be_detached_inplace():
    told = moments_of("detach_view")
    assert told["before"].grads == told["after"].grads == {"x": [2, 2, 0]}
    m = torch.ones(3, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="Can't detach views in-place"):
        m[:2].detach_()
