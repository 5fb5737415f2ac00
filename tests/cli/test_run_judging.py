"""What ``graphvis run`` calls a problem, a warning, and meant so: by whose backward, and after which step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Result, lines_of
from tests.cli.scripts import Call, document, line_of, problems, script, warned

pytestmark = pytest.mark.usefixtures("own_main")


def last_line(result: Result) -> str:
    """The closing line, what it says of the stop put aside."""
    return result.out.splitlines()[-1].partition(";")[0]


# a backward that raised


@pytest.mark.parametrize("step", [0, 1], ids=["the first", "a later one"])
def test_a_loss_that_leads_nowhere_is_explained_by_its_cut(call: Call, tmp_path: Path, step: int) -> None:
    path = script(
        tmp_path,
        f"""
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            loss = F.cross_entropy(model(x), y)
            if step == {step}:
                loss = loss.detach()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert result.code == 1
    assert "element 0 of tensors does not require grad" in found["failure"]["message"]
    assert "not_reached" not in found
    assert set(problems(found)) == {"encoder.0.weight", "encoder.0.bias", "head.weight", "head.bias"}
    assert {(issue["status"], issue["diagnosis"]) for issue in found["problems"]} == {("cut", step)}
    (cut,) = found["diagnoses"][step]["cuts"]
    assert cut["location"]["line"] == line_of(path, "loss.detach()")
    told = call("run", path).out
    assert "error[cut]: 4 of 4 parameters get no gradient from loss.backward()" in told
    assert f"--> train.py:{line_of(path, 'loss.detach()')}" in told
    assert "as intended" not in told
    assert "not reached" not in told
    assert "1 problem" in told.splitlines()[-1]


def test_a_step_that_fails_for_want_of_gradients_is_explained_by_the_cut(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu")
        for step in range(3):
            loss = torch.tensor(F.cross_entropy(model(x), y).item(), requires_grad=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert "No inf checks" in found["failure"]["message"]
    assert result.code == 1
    assert problems(found) == dict.fromkeys(("encoder.0.weight", "encoder.0.bias", "head.weight", "head.bias"), "cut")
    assert {cut["location"]["line"] for cut in found["diagnoses"][0]["cuts"]} == {line_of(path, ".item()")}
    assert "not_reached" not in found


def test_who_had_no_turn_before_a_failure_is_not_judged(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
        one = torch.optim.SGD(critic.parameters(), lr=0.1)
        two = torch.optim.SGD(generator.parameters(), lr=0.1)
        critic(generator(x).detach()).mean().backward()
        raise RuntimeError("no more")
        """,
    )
    found = document(call("run", "--json", path))
    assert problems(found) == {}
    assert set(found["not_reached"]) == {"generator.weight", "generator.bias"}


def test_what_was_cut_before_the_cut_that_explains_is_not_blamed(call: Call, tmp_path: Path) -> None:
    """The critic's loss leads nowhere; that it does not lead to the generator either is meant so."""
    path = script(
        tmp_path,
        """
        generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
        g_optimizer = torch.optim.Adam(generator.parameters())
        d_optimizer = torch.optim.Adam(critic.parameters())
        fake = generator(x).detach()
        loss = critic(fake).mean() - critic(x).mean()
        loss.detach().backward()
        """,
    )
    found = document(call("run", "--json", path))
    assert set(problems(found)) == {"critic.weight", "critic.bias"}
    assert set(found["not_reached"]) == {"generator.weight", "generator.bias"}
    assert "detach keeps" not in call("run", path).out


def test_an_optimizer_whose_backward_raised_is_judged_whole(call: Call, tmp_path: Path) -> None:
    """It has not stepped, but would have: what lies behind another cut besides is lost to it too."""
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss = F.cross_entropy(model.head(model.encoder(x).detach()), y)
        loss.data.backward()
        """,
    )
    found = document(call("run", "--json", path))
    assert set(problems(found)) == {"encoder.0.weight", "encoder.0.bias", "head.weight", "head.bias"}
    assert "not_reached" not in found


def test_a_gradient_asked_for_that_nothing_leads_to(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        by_optimizer, by_hand = nn.Linear(4, 2), Net()
        optimizer = torch.optim.Adam(by_optimizer.parameters())
        loss = F.cross_entropy(by_hand.head(by_hand.encoder(x).detach()), y)
        torch.autograd.grad(loss, list(by_hand.parameters()))
        """,
    )
    found = document(call("run", "--json", path))
    assert "appears to not have been used in the graph" in found["failure"]["message"]
    assert {name.partition("encoder")[1] for name in problems(found)} == {"encoder"}
    assert set(problems(found).values()) == {"cut"}
    assert len(problems(found)) == 2


def test_grad_mode_left_off_is_told_by_the_line_that_turned_it_off(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        def evaluate():
            torch.set_grad_enabled(False)
            return model(x).mean().item()

        model = Net()
        optimizer = torch.optim.AdamW(model.parameters())
        for epoch in range(3):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            evaluate()
        """,
    )
    result = call("run", "-o", "why.svg", path)
    assert result.code == 1
    line = line_of(path, "set_grad_enabled")
    assert f"--> train.py:{line} in evaluate" in result.out
    assert "as intended" not in result.out
    picture = (tmp_path / "why.svg").read_text()
    assert "All 4 parameters get a gradient" not in picture
    assert "4 of 4 parameters get no gradient" in picture
    assert f"train.py:{line}" in picture


# an optimizer that has not stepped

STEPS = """
    encoder, head = nn.Linear(4, 4), nn.Linear(4, 2)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()])
    for i in range(300):
        loss = F.cross_entropy(head({}), y)
        loss.backward()
        if i % 100 == 99:
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("value", "kind"),
    [("encoder(x).detach()", "cut"), ("encoder(x).round()", "zero"), ("x + 0 * encoder.bias.shape[0]", "unused")],
)
def test_one_optimizer_that_takes_its_time_is_warned_of(call: Call, tmp_path: Path, value: str, kind: str) -> None:
    path = script(tmp_path, STEPS.format(value))
    found = document(call("run", "--json", path))
    assert found["problems"] == []
    assert "not_reached" not in found
    assert warned(found) == {"encoder.weight": f"parameter {kind}", "encoder.bias": f"parameter {kind}"}
    assert "20 rounds passed without a step of the Adam that holds encoder.weight, encoder.bias" in found["notes"][0]
    result = call("run", path)
    assert result.code == 0
    assert f"warning[{kind}]: 2 of 4 parameters" in result.out
    assert "error" not in result.out
    assert "as intended" not in result.out
    assert "0 problems, 1 warning" in last_line(result)
    assert call("run", "--strict", path).code == 1


def test_a_forgotten_step_is_noted(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(5):
            F.cross_entropy(model(x), y).backward()
        """,
    )
    result = call("run", "--strict", path)
    assert result.code == 0
    assert "note: 5 rounds passed without a step of the SGD that holds encoder.0.weight" in result.err


def test_one_backward_without_a_step(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(x).detach().requires_grad_().sum().backward()
        """,
    )
    result = call("run", path)
    assert result.code == 0
    assert "note: 1 backward passed without a step of the SGD" in result.err
    assert "warning[cut]: 4 of 4 parameters" in result.out
    assert "as intended" not in result.out


def test_of_several_optimizers_nobody_knows_whose_backward_it_was(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
        g_optimizer = torch.optim.Adam(generator.parameters())
        d_optimizer = torch.optim.RMSprop(critic.parameters())
        for step in range(1000):
            loss = critic(generator(x).detach()).square().mean()
            loss.backward()
        """,
    )
    found = document(call("run", "--json", path))
    assert found["problems"] == found["warnings"] == []
    assert set(found["not_reached"]) == {"generator.weight", "generator.bias"}
    assert [note.partition(" that")[0] for note in found["notes"]] == [
        "20 rounds passed without a step of the Adam", "20 rounds passed without a step of the RMSprop",
    ]  # fmt: skip
    told = call("run", path).out
    assert "keeps the gradient from 2 parameters, not judged: the optimizer has not stepped" in told
    assert "as intended" not in told


def test_an_optimizer_replaced_by_another_is_not_missed(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        first = torch.optim.SGD(model.parameters(), lr=0.1)
        optimizer = torch.optim.Adam(model.parameters())
        for step in range(3):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    )
    assert "notes" not in document(call("run", "--json", path))


# whose backward it was

ADVERSARIES = """
    generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
    g_optimizer = torch.optim.Adam(generator.parameters())
    d_optimizer = torch.optim.Adam(critic.parameters())
    for step in range(3):
        fake = generator(x).detach()
        d_loss = critic(fake).mean() - critic(x).mean()
        d_optimizer.zero_grad()
        d_loss.backward()
        {}
        g_loss = -critic(fake).mean()
        g_optimizer.zero_grad()
        g_loss.backward()
        {}
"""


@pytest.mark.parametrize(
    "steps",
    [("d_optimizer.step()", "g_optimizer.step()"), ("pass", "d_optimizer.step(); g_optimizer.step()")],
    ids=["each after its own", "both at the end"],
)
def test_the_backward_of_its_own_optimizer_is_blamed(call: Call, tmp_path: Path, steps: tuple[str, str]) -> None:
    path = script(tmp_path, ADVERSARIES.format(*steps))
    found = document(call("run", "--json", path))
    assert problems(found) == {"generator.weight": "cut", "generator.bias": "cut"}
    blamed = {found["diagnoses"][issue["diagnosis"]]["backward"]["line"] for issue in found["problems"]}
    assert blamed == {line_of(path, "g_loss.backward()")}
    told = call("run", path).out
    assert told.count("error[cut]") == 1
    assert "2 of 4 parameters get no gradient from g_loss.backward()" in told
    assert "as intended" not in told, "the same line cannot be meant in one place and wrong in another"


def test_the_backward_that_an_optimizer_takes_gradients_from_is_blamed(call: Call, tmp_path: Path) -> None:
    """The probe's loss is not meant to reach the encoder, though it too comes before the step."""
    path = script(
        tmp_path,
        """
        encoder, decoder, probe = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        one = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])
        two = torch.optim.SGD(probe.parameters(), lr=0.1)
        for step in range(3):
            h = encoder(x)
            features = h.detach()
            one.zero_grad(), two.zero_grad()
            F.mse_loss(decoder(h.detach()), x).backward()
            F.cross_entropy(probe(features), y).backward()
            one.step(), two.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert problems(found) == {"encoder.weight": "cut", "encoder.bias": "cut"}
    (where,) = {issue["diagnosis"] for issue in found["problems"]}
    lines = {found["diagnoses"][where]["cuts"][0]["location"]["line"]}
    assert lines == {line_of(path, "decoder(h.detach())")}


def test_of_two_losses_before_one_step_the_nearer_is_told(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model, other = Net(), nn.Linear(4, 2)
        optimizer = torch.optim.Adam([*model.parameters(), *other.parameters()])
        for step in range(3):
            optimizer.zero_grad()
            one = F.cross_entropy(model.head(model.encoder(x).detach()), y)
            one.backward()
            two = F.cross_entropy(other(x), y)
            two.backward()
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert {name.rpartition("encoder")[2] for name in problems(found)} == {".0.weight", ".0.bias"}
    assert set(problems(found).values()) == {"cut"}


def test_two_optimizers_may_step_after_one_backward(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        encoder, head = nn.Linear(4, 4), nn.Linear(4, 2)
        one, two = torch.optim.Adam(encoder.parameters()), torch.optim.Adam(head.parameters())
        for step in range(3):
            loss = F.cross_entropy(head(encoder(x).detach()), y)
            loss.backward()
            two.step()
            one.step()
        """,
    )
    assert problems(document(call("run", "--json", path))) == {"encoder.weight": "cut", "encoder.bias": "cut"}


LAYERS = """
    layers = [nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)]
    optimizers = [torch.optim.{}(layer.parameters(), lr=0.1) for layer in layers]
    for layer, optimizer in zip(layers, optimizers):
        for step in range(2):
            def closure():
                optimizer.zero_grad()
                loss = {}(x).pow(2).mean()
                loss.backward()
                return loss
            {}
        x = layer(x).detach()
"""


@pytest.mark.parametrize(
    ("optimizer", "steps"), [("SGD", "closure(); optimizer.step()"), ("LBFGS", "optimizer.step(closure)")]
)
def test_layers_that_one_line_trains_in_turn_all_learn(call: Call, tmp_path: Path, optimizer: str, steps: str) -> None:
    """The line is diagnosed for the first layer; the others' optimizers find their gradients all the same."""
    found = document(call("run", "--strict", "--json", script(tmp_path, LAYERS.format(optimizer, "layer", steps))))
    assert problems(found) == {} == warned(found)


def test_a_layer_that_the_same_line_does_not_train_is_a_problem(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, LAYERS.format("SGD", "layers[0]", "closure(); optimizer.step()"))
    found = document(call("run", "--json", path))
    assert len(problems(found)) == 4, "two layers' weights and biases"


def test_a_function_that_gives_none_is_a_problem_though_another_fills_it_with_zeros(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        class Nothing(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clamp(-1, 1)
            @staticmethod
            def backward(ctx, gradient):
                return None
        class Doubled(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return 2 * x
            @staticmethod
            def backward(ctx, gradient):
                return 2 * gradient
        first, last = nn.Linear(4, 4), nn.Linear(4, 1)
        optimizer = torch.optim.Adam([*first.parameters(), *last.parameters()])
        for step in range(2):
            optimizer.zero_grad()
            last(Nothing.apply(Doubled.apply(first(x)))).mean().backward()
            assert not first.weight.grad.any()
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert "failure" not in found
    assert problems(found) == {"first.weight": "cut", "first.bias": "cut"}
    assert {(cut["kind"], cut["location"]["line"]) for cut in found["diagnoses"][0]["cuts"]} == {
        ("function", line_of(path, "Nothing.apply"))
    }
    assert warned(found) == {}


def test_frozen_for_the_others_step_is_no_excuse(call: Call, tmp_path: Path) -> None:
    """The critic is frozen while the generator learns, and cut off from its own loss."""
    path = script(
        tmp_path,
        """
        generator, critic = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
        g_optimizer = torch.optim.Adam(generator.parameters())
        d_optimizer = torch.optim.Adam(critic.parameters())
        for step in range(3):
            critic.requires_grad_(False)
            g_loss = -critic(generator(x)).mean()
            g_loss.backward()
            g_optimizer.step()
            critic.requires_grad_(True)
            d_loss = critic[1](critic[0](x).detach()).mean()
            d_loss.backward()
            d_optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert set(problems(found).values()) == {"cut"}
    assert len(problems(found)) == 2


# what no optimizer takes


def test_a_gradient_that_is_zero_and_taken_by_nobody_is_told(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        class Listed(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = [nn.Linear(4, 4)]
                self.head = nn.Linear(4, 2)

            def forward(self, x):
                return self.head(torch.relu(self.layers[0](x)))

        model = Listed()
        nn.init.constant_(model.layers[0].bias, -100.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert warned(found) == {
        "layers.0.weight": "untaken zero", "layers.0.bias": "untaken zero", "head.weight": "parameter zero",
    }  # fmt: skip
    told = call("run", path).out
    assert "warning: 2 parameters (layers.0.weight, layers.0.bias): no optimizer takes the gradient\n" in told
    assert f" --> train.py:{line_of(path, 'loss.backward()')}: loss.backward()\n" in told


def test_warnings_are_counted_as_they_are_read(call: Call, tmp_path: Path) -> None:
    """A frozen encoder in an optimizer of all parameters: the commonest way to fine-tune."""
    path = script(
        tmp_path,
        """
        model = Net()
        model.encoder = nn.Sequential(*(nn.Linear(4, 4) for _ in range(6)))
        model.encoder.requires_grad_(False)
        optimizer = torch.optim.AdamW(model.parameters())
        for step in range(3):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    )
    result = call("run", path)
    assert result.out.count("warning") == 2, "the line itself, and its count"
    assert "warning: 12 parameters (encoder.0.weight, " in result.out
    assert f" --> train.py:{line_of(path, 'requires_grad_(False)')}: model.encoder.requires_grad_(False)" in result.out
    assert "0 problems, 1 warning" in last_line(result)


def test_of_a_librarys_backward_the_line_that_calls_it_is_told(call: Call, tmp_path: Path) -> None:
    """Both losses of a GAN go through the trainer's one line."""
    library = tmp_path / "site-packages" / "trainer.py"
    library.parent.mkdir()
    library.write_text("def manual_backward(loss):\n    loss.backward()\n")
    path = script(
        tmp_path,
        f"""
        import sys
        sys.path.insert(0, {str(library.parent)!r})
        import trainer

        one, other = Net(), Net()
        optimizer = torch.optim.SGD([*one.parameters(), *other.parameters()], lr=0.1)
        for step in range(2):
            trainer.manual_backward(one(x).sum())
            trainer.manual_backward(other(x).sum())
            optimizer.step()
        """,
    )
    told = call("run", "--continue", path).out
    lines = [line_of(path, f"trainer.manual_backward({name}") for name in ("one", "other")]
    head = "backward at site-packages/trainer.py:2: loss.backward()\n    called from train.py"
    assert f"{head}:{lines[0]}: trainer.manual_backward(one(x).sum())\n" in told
    assert f"{head}:{lines[1]}: trainer.manual_backward(other(x).sum())\n" in told
    found = document(call("run", "--json", path))
    assert [one["caller"]["line"] for one in found["diagnoses"]] == lines


# what was judged at all

SPARE = "model = Net()\nmodel.spare = nn.Linear(2, 2)\nF.cross_entropy(model(x), y).backward()\n"


def test_a_pattern_that_fits_nothing_is_bad_input(call: Call, tmp_path: Path) -> None:
    """A guard with a slip in it would be green for ever."""
    path = script(tmp_path, SPARE)
    lines = lines_of(call("run", "--param", "head.*", "--param", "hed*", path))
    assert lines[0] == "graphvis: no parameter is named like 'hed*'"
    assert "head.weight" in lines[1]
    assert lines_of(call("run", "--json", "--param", "hed*", path))
    assert lines_of(call("run", "--param", "head.*", script(tmp_path, "model = Net()\n", "nothing.py")))
    ignored = call("run", "--ignore", "spare.*", "--ignore", "hed*", path)
    assert ignored.code == 0
    assert "note: no parameter is named like 'hed*'" in ignored.err


def test_what_was_passed_over_is_not_called_intended(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, "model = Net()\nF.cross_entropy(model.head(model.encoder(x).detach()), y).backward()\n")
    result = call("run", "--ignore", "encoder.*", path)
    assert result.code == 0
    assert "keeps the gradient from 2 parameters, not judged, as asked" in result.out
    assert "as intended" not in result.out


@pytest.mark.parametrize("body", ["", "model = Net()\nloss = F.cross_entropy(model(x), y)\n"])
def test_without_a_backward_nothing_was_judged(call: Call, tmp_path: Path, body: str) -> None:
    path = script(tmp_path, body)
    result = call("run", path)
    assert result.code == 0
    assert result.out == ("graphvis: no backward ran that a parameter could get a gradient from: nothing was judged\n")


def test_the_closing_line_says_which_rounds_were_judged(call: Call, tmp_path: Path) -> None:
    body = """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range({}):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
        optimizer.step()
        """
    once = call("run", script(tmp_path, body.format(1)))
    assert last_line(once) == "graphvis: 0 problems"
    often = call("run", script(tmp_path, body.format(3)))
    assert last_line(often) == "graphvis: 0 problems, judged at the first run of each backward"


CRITIC = """
class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.body(x).tanh())

    def features(self, x):
        with torch.no_grad():
            return self.body(x).tanh()  # here

G, D = nn.Linear(4, 4), Critic()
g_optimizer, d_optimizer = torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())
for i in range(3):
    fake = G(torch.randn(8, 4))
    FIRST
    SECOND
"""
TURNS = (
    "d_optimizer.zero_grad(); D.head(D.features(fake.detach()) - D.features(x)).exp().mean().backward(); "
    "d_optimizer.step()",
    "g_optimizer.zero_grad(); D(fake).exp().mean().backward(); g_optimizer.step()",
)


@pytest.mark.parametrize("turns", [TURNS, TURNS[::-1]], ids=["critic first", "generator first"])
def test_a_gradient_that_is_cleared_before_its_turn_teaches_nothing(
    call: Call, tmp_path: Path, turns: tuple[str, str]
) -> None:
    """The generator's loss reaches the critic's body; what it gives there is gone when the critic's turn comes."""
    first, second = turns
    if turns is not TURNS:  # the critic's backward would need the weights as they were
        first = first.replace("backward()", "backward(retain_graph=True)")
    path = script(tmp_path, CRITIC.replace("FIRST", first).replace("SECOND", second))
    found = document(call("run", "--json", path))
    assert problems(found) == {"body.weight": "cut", "body.bias": "cut"}
    (cut,) = {
        (cut["kind"], cut["location"]["line"])
        for problem in found["problems"]
        for cut in found["diagnoses"][problem["diagnosis"]]["cuts"]
        if problem["parameter"] in cut["parameters"]
    }
    assert cut == ("no_grad", line_of(path, "# here"))
    place: dict[str, Any] = {}
    exec(path.read_text().replace("for i", "before = D.body.weight.clone()\nfor i"), place)
    assert place["D"].body.weight.equal(place["before"])


def test_a_gradient_that_is_cleared_before_any_step_is_warned_of(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        for i in range(3):
            F.cross_entropy(net(x), y).backward()
            optimizer.zero_grad()
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert problems(found) == {}
    assert set(warned(found).values()) == {"untaken gradient"}
    assert len(warned(found)) == 4
    assert "warning: 4 parameters (encoder.0.weight, " in call("run", path).out


@pytest.mark.parametrize("before", ["", "optimizer.step()"])
def test_a_step_before_any_gradient_is_not_warned_of(call: Call, tmp_path: Path, before: str) -> None:
    """As people make one to silence a scheduler; and a step may come before the backward of its round."""
    path = script(
        tmp_path,
        f"""
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        {before}
        for i in range(3):
            optimizer.step()
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
        """,
    )
    found = document(call("run", "--json", path))
    assert problems(found) == warned(found) == {}


@pytest.mark.parametrize("optimizer", ["torch.optim.SGD(net.parameters(), 0.1)", None])
def test_a_gradient_of_data_may_be_taken_many_times_before_a_step(
    call: Call, tmp_path: Path, optimizer: str | None
) -> None:
    """As a sampler takes it of what it samples: that line trains nothing, and comes round before there is a loss."""
    step = "optimizer.step()" if optimizer else "with torch.no_grad(): [one.sub_(0.1 * one.grad) for one in learning]"
    path = script(
        tmp_path,
        f"""
        net, spare = Net(), nn.Linear(2, 2)
        learning = list(net.parameters())
        optimizer = {optimizer}
        for i in range(3):
            sample = x.clone()
            for _ in range(30):
                sample = sample.detach().requires_grad_()
                sample = sample - torch.autograd.grad(net(sample).sum(), sample)[0]
            loss = net(x).pow(2).sum() - net(sample.detach()).tanh().sum()
            loss.backward()
            {step}
        """,
    )
    found = document(call("run", "--json", path))
    assert problems(found) == {}
    (told,) = (one for one in found["diagnoses"] if one["verdicts"])
    assert {one["status"] for one in told["verdicts"] if not one["parameter"].startswith("spare")} == {"gradient"}
