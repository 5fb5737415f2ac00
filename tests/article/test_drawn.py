"""What is drawn is what PyTorch gives: each scenario through the recorder and the walker, against PyTorch alone."""

import ast
import xml.etree.ElementTree as ET
from functools import cache

import pytest

from graphvis.draw import Drawing
from graphvis.live.moments import run_scenario
from graphvis.model import Comparison
from graphvis.scenario import find, find_scenarios
from tests.article.running import moments_of

NAMES = [scenario.name for scenario in find_scenarios()]


@cache
def drawn(name: str) -> Comparison:
    return run_scenario(find(name))


def numbers(text: str | None):
    """``[1., 2.]`` as numbers; PyTorch's spelling is Python's, but for padding."""
    return None if text is None else ast.literal_eval(text.replace("[ ", "["))


@pytest.mark.parametrize("name", NAMES)
def test_the_outcome_is_pytorchs(name):
    told = moments_of(name)
    for side, moment in (("before", drawn(name).before), ("after", drawn(name).after)):
        if moment is None:
            assert side not in told
            continue
        assert moment.outcome.error == told[side].error
        if told[side].error is None:
            assert {leaf: numbers(grad) for leaf, grad in moment.outcome.grads.items()} == told[side].grads


@pytest.mark.parametrize("name", NAMES)
def test_the_states_are_pytorchs(name):
    told = moments_of(name)
    for side, moment in (("before", drawn(name).before), ("after", drawn(name).after)):
        infos = {info.name: info for info in moment.graph.tensors.values() if info.name} if moment else {}
        assert set(infos) <= set(told[side].states if moment else ())
        for tensor, info in infos.items():
            assert (info.is_leaf, info.grad_fn, info.requires_grad) == told[side].states[tensor]
            assert info.version == told[side].versions[tensor]
            assert numbers(info.value) == told[side].values[tensor]


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_fits_a_column_of_docs(name):
    root = ET.fromstring(Drawing(drawn(name)).render("svg"))
    assert float(root.attrib["width"]) <= 720


@pytest.mark.parametrize("name", NAMES)
def test_storage_is_shared_where_it_is(name):
    told = moments_of(name)["after"]
    infos = [info for info in drawn(name).after.graph.tensors.values() if info.name]
    shared = {(one.name, other.name) for one in infos for other in infos if one.storage == other.storage}
    known = [info.name for info in infos]
    assert shared == {(one, other) for one in known for other in known if told.storages[one] == told.storages[other]}


WRONG = {name: {"a": "[0.1966, 0.1050, 0.0452]"} for name in ("data_zero", "numpy_write")}


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_silently_wrong_is_called_so(name):
    assert drawn(name).after.outcome.wrong == WRONG.get(name, {})


CUTS = {
    "detach_alone": {"detach"},
    "detach_backward": {"detach"},
    "detach_zero": {"detach"},
    "data_zero": {"data"},
    "data_zero_harmless": {"data"},
    "detach_inplace_before": {"detach_"},
    "detach_inplace_after": {"detach_"},
    "detach_inplace_saved": {"detach_"},
    "detach_regret": {"detach_"},
    "requires_grad_later": {"detach"},
    "loss_requires_grad": {"detach"},
    "freeze_requires_grad": set(),
    "freeze_detach": {"detach"},
    "freeze_no_grad": {"no_grad"},
    "side_branch": {"detach"},
    "clone_or_detach": {"detach"},
    "tensor_states": {"detach_", "detach", "data", "no_grad", "inference_mode"},
    "no_grad": {"no_grad"},
    "inference_mode": {"inference_mode"},
    "version_counters": {"detach"},
    "inplace_harmless": set(),
    "detach_view": set(),
    "straight_through": {"detach"},
    "gan_discriminator": {"detach"},
    "target_network": {"detach"},
    "stop_gradient": {"detach"},
    "bptt_growing": set(),
    "truncated_bptt": {"detach"},
    "actor_critic": {"detach"},
    "loss_item": {"item"},
    "tensor_of_losses": {"copy"},
    "argmax": {"non_differentiable"},
    "checkpoint_reentrant": {"checkpoint"},
    "relu_inplace": set(),
    "optimizer_step_between": set(),
    "plain": set(),
}


@pytest.mark.parametrize("name", CUTS)
def test_each_cut_is_of_its_kind(name):
    assert {cut.kind for cut in drawn(name).after.graph.cuts} == CUTS[name]


CUT_LINES = {
    "detach_zero": "c = out.detach()",
    "data_zero": "c = out.data",
    "detach_inplace_before": "m.detach_()",
    "side_branch": "side = (h.detach() if cut else h) * v",
    "no_grad": "h = w * 2",
    "argmax": "best = a.argmax().float()",
}


@pytest.mark.parametrize("name", CUT_LINES)
def test_each_cut_stands_on_its_line(name):
    scenario = find(name)
    (cut,) = drawn(name).after.graph.cuts
    assert cut.location.text == CUT_LINES[name]
    assert scenario.source.split("\n")[cut.location.line - 1].strip() == CUT_LINES[name]
    assert cut.location.file == scenario.path.name
