"""``graphvis run`` where models come one after another: trained by hand, or each in the place of the one before.

PyTorch itself says who learns: what each parameter finds in ``.grad`` at the end of the script.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.scripts import Call, document, line_of, problems, script, warned

pytestmark = pytest.mark.usefixtures("own_main")

BY_HAND = """
first, second = Net(), Net()
def fit(net, cut):
    for _ in range(3):
        h = net.encoder(x)
        h = h.detach() if cut else h  # here
        loss = F.cross_entropy(net.head(h), y)
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in net.parameters():
                if parameter.grad is not None:
                    parameter -= 0.1 * parameter.grad
fit(first, {})
fit(second, {})
print("without:", *(name for net in ("first", "second") for name, one in globals()[net].named_parameters(net)
                    if one.grad is None))
"""


@pytest.mark.parametrize("cuts", [(False, False), (True, False), (False, True), (True, True)])
def test_models_trained_by_hand_one_after_the_other(call: Call, tmp_path: Path, cuts: tuple[bool, bool]) -> None:
    path = script(tmp_path, BY_HAND.format(*cuts))
    result = call("run", "--continue", "--json", path)
    found = document(result)
    (printed,) = (line for line in result.err.splitlines() if line.startswith("without:"))
    assert problems(found) == dict.fromkeys(printed.split()[1:], "cut")
    assert len(problems(found)) == 2 * sum(cuts)
    lines = {
        cut["location"]["line"]
        for problem in found["problems"]
        for cut in found["diagnoses"][problem["diagnosis"]]["cuts"]
    }
    assert lines == ({line_of(path, "# here")} if any(cuts) else set())
    assert warned(found) == {}


def test_a_model_by_hand_that_never_learns_is_told(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        net, spare = Net(), nn.Linear(4, 2)
        for step in range(100):
            loss = F.cross_entropy(net(x), y)
            net.zero_grad()
            loss.backward()
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter -= 0.1 * parameter.grad
        """,
    )
    found = document(call("run", "--json", path))
    assert problems(found) == {"spare.weight": "unused", "spare.bias": "unused"}
    assert found["rounds"] == 20
    assert len(found["diagnoses"]) == 1


def test_by_hand_it_is_enough_when_all_learn(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        net = nn.Linear(4, 2)
        for step in range(30):
            F.cross_entropy(net(x), y).backward()
            for name, parameter in list(net.named_parameters()):
                setattr(net, name, nn.Parameter(parameter.detach() - 0.1 * parameter.grad))
        """,
    )
    found = document(call("run", "--json", path))
    assert found["rounds"] == 1
    assert problems(found) == {}


FOLDS = """
kept = []
for fold in range({folds}):
    model = Net()
    optimizer = torch.optim.Adam(model.parameters())
    {keep}
    h = model.encoder(x)
    h = h.detach() if fold == {cut} else h  # here
    F.cross_entropy(model.head(h), y).backward()
    optimizer.step()
    print("without:", *(name for name, parameter in model.named_parameters() if parameter.grad is None))
"""


@pytest.mark.parametrize("keep", ["pass", "kept.append(optimizer)", "kept.append(model)"])
@pytest.mark.parametrize("cut", [None, 0, 1, 2])
def test_each_fold_builds_a_model_of_its_own(call: Call, tmp_path: Path, cut: int | None, keep: str) -> None:
    path = script(tmp_path, FOLDS.format(folds=3, cut=cut, keep=keep))
    result = call("run", "--json", path)
    found = document(result)
    lost = [line.split()[1:] for line in result.err.splitlines() if line.startswith("without:")]
    assert len(lost) == 3, "one step a fold: the script is not stopped before its end"
    assert set(problems(found).values()) == set(["cut"] * any(lost))
    assert len(problems(found)) == sum(map(len, lost))
    for name in problems(found):
        assert name.endswith(("encoder.0.weight", "encoder.0.bias"))
    if keep == "pass" and cut is not None:
        before = "" if cut == 0 else f"model_{cut + 1}."
        assert set(problems(found)) == {f"{before}{name}" for name in lost[cut]}
    assert warned(found) == {}


def test_what_learns_as_the_one_before_is_not_told_again(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, FOLDS.format(folds=8, cut=None, keep="pass"))
    found = document(call("run", "--json", path))
    assert len(found["diagnoses"]) == 1
    assert "again" not in found or found["again"] == 0


def test_the_last_line_says_at_which_runs_it_was_judged(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, FOLDS.format(folds=3, cut=1, keep="pass"))
    last = call("run", path).out.splitlines()[-1]
    assert last == "graphvis: 1 problem, judged at the first run of each backward and at 1 later one"


def test_a_weight_that_is_replaced_by_hand_is_the_same_parameter(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        net, spare = nn.Linear(4, 2), nn.Linear(4, 2)
        for step in range(30):
            F.cross_entropy(net(x), y).backward()
            for name, parameter in list(net.named_parameters()):
                setattr(net, name, nn.Parameter(parameter.detach() - 0.1 * parameter.grad))
        """,
    )
    found = document(call("run", "--json", path))
    assert problems(found) == {"spare.weight": "unused", "spare.bias": "unused"}


@pytest.mark.parametrize("own", ["self", "s", "this"])
def test_a_trainers_attributes_name_its_models(call: Call, tmp_path: Path, own: str) -> None:
    body = """
        class Trainer:
            def __init__(self):
                self.G, self.D = nn.Sequential(nn.Linear(4, 4)), nn.Sequential(nn.Linear(4, 1))
                self.optimizer = torch.optim.SGD([*self.G.parameters(), *self.D.parameters()], 0.1)
            def fit(self):
                for _ in range(2):
                    self.D(self.G(x).detach()).mean().backward()
                    self.optimizer.step()
        Trainer().fit()
        """
    found = document(call("run", "--json", script(tmp_path, body.replace("self", own))))
    assert set(problems(found)) == {"G.0.weight", "G.0.bias"}
