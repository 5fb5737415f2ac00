"""``graphvis run`` on lines that start several backwards: for one model after another, and for one loss after another.

PyTorch itself says who learns: what each optimizer finds in ``.grad`` as it makes its first step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import optimizer as optimizers

from tests.cli.scripts import Call, document, line_of, problems, script, warned

pytestmark = pytest.mark.usefixtures("own_main")


class FirstSteps:
    """What optimizers found at their first step: parameters without a gradient."""

    def __init__(self) -> None:
        self._seen: list[Any] = []
        self.without: list[torch.Tensor] = []

    def look(self, optimizer: Any) -> None:
        if not any(optimizer is other for other in self._seen):
            self._seen.append(optimizer)
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            self.without += [one for one in parameters if one.grad is None or not one.grad.any()]

    def before(self, optimizer: Any, arguments: tuple[Any, ...], _: Any) -> None:
        if not any(map(callable, arguments)):  # a closure has yet to run its backward
            self.look(optimizer)

    def after(self, optimizer: Any, *_: Any) -> None:
        self.look(optimizer)


@pytest.fixture
def steps() -> Iterator[FirstSteps]:
    seen = FirstSteps()
    hooks = [
        optimizers.register_optimizer_step_pre_hook(seen.before),
        optimizers.register_optimizer_step_post_hook(seen.after),
    ]
    yield seen
    for hook in hooks:
        hook.remove()


ADVERSARIES = """
G, D = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4)), nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
g_optimizer, d_optimizer = torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())
likes = nn.BCEWithLogitsLoss()
"""
TRUE, FALSE = "torch.ones(8, 1)", "torch.zeros(8, 1)"

PROGRAMS = {
    "two models by one function": """
        teacher, student = nn.Linear(4, 1), Net()
        optimizers = torch.optim.SGD(teacher.parameters(), 0.1), torch.optim.SGD(student.parameters(), 0.1)
        def train(forward, optimizer):
            for _ in range(2):
                loss = forward(x).pow(2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        def hidden(x):
            h = student.encoder(x)
            return h{}  # here
        train(teacher, optimizers[0])
        train(lambda x: student.head(hidden(x)), optimizers[1])
        """,
    "GAN by one function": f"""{ADVERSARIES}
        def backward_and_step(loss, optimizer):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for i in range(3):
            fake = G(x)
            backward_and_step(likes(D(x), {TRUE}) + likes(D(fake.detach()), {FALSE}), d_optimizer)
            fake = fake{{}}  # here
            backward_and_step(likes(D(fake), {TRUE}), g_optimizer)
        """,
    "five steps of the critic": f"""{ADVERSARIES}
        def update(loss, optimizer):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        losses = []
        for i in range(3):
            for k in range(5):
                with torch.no_grad():
                    fake = G(x)
                update(likes(D(fake), {FALSE}) + likes(D(x), {TRUE}), d_optimizer)
            fake = G(x)
            fake = fake{{}}  # here
            update(likes(D(fake), {TRUE}), g_optimizer)
        """,
    "a delayed actor": """
        actor, critic, target = nn.Linear(4, 1), nn.Linear(5, 1), nn.Linear(5, 1)
        target.load_state_dict(critic.state_dict())
        a_optimizer, c_optimizer = torch.optim.Adam(actor.parameters()), torch.optim.Adam(critic.parameters())
        def optimize(optimizer, loss):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for t in range(6):
            action = torch.randn(8, 1)
            with torch.no_grad():
                q = target(torch.cat([x, actor(x)], 1))
            optimize(c_optimizer, F.mse_loss(critic(torch.cat([x, action], 1)), q))
            if t % 2:
                action = actor(x)
                action = action{}  # here
                optimize(a_optimizer, -critic(torch.cat([x, action], 1)).mean())
        """,
    "losses in turn": """
        net, other = Net(), nn.Linear(4, 2)
        optimizers = torch.optim.SGD(other.parameters(), 0.1), torch.optim.SGD(net.parameters(), 0.1)
        def second():
            h = net.encoder(x)
            return net.head(h{})  # here
        losses = [lambda: F.cross_entropy(other(x), y), lambda: F.cross_entropy(second(), y)]
        for step in range(6):
            loss = losses[step % 2]()
            optimizers[step % 2].zero_grad()
            loss.backward()
            optimizers[step % 2].step()
        """,
    "greedy layers": """
        layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))
        heads = nn.ModuleList(nn.Linear(4, 2) for _ in range(4))
        for i in range(4):
            optimizers = optimizers if i else [
                torch.optim.SGD([*layer.parameters(), *head.parameters()], 0.1) for layer, head in zip(layers, heads)]
            for epoch in range(2):
                with torch.no_grad():
                    h = nn.Sequential(*layers[:i])(x)
                h = layers[i](h).tanh()
                h = h if i != 2 else h{}  # here
                loss = F.cross_entropy(heads[i](h), y)
                optimizers[i].zero_grad()
                loss.backward()
                optimizers[i].step()
        """,
    "closures of LBFGS": """
        nets = [Net(), Net()]
        optimizers = [torch.optim.LBFGS(net.parameters(), max_iter=4) for net in nets]
        for i, net in enumerate(nets):
            def closure():
                optimizers[i].zero_grad()
                h = net.encoder(x)
                h = h if not i else h{}  # here
                loss = F.cross_entropy(net.head(h), y)
                loss.backward()
                return loss
            optimizers[i].step(closure)
        """,
    "a trainer's own backward": f"""
        class Trainer:
            def __init__(self):
                self.G, self.D = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
                self.optimizers = [torch.optim.Adam(net.parameters()) for net in (self.G, self.D)]
            def backward(self, loss):
                loss.backward()
            def fit(self):
                for i in range(3):
                    self.backward(likes(self.D(self.G(x).detach()), {FALSE}) + likes(self.D(x), {TRUE}))
                    self.optimizers[1].step()
                    fake = self.G(x)
                    fake = fake{{}}  # here
                    self.backward(likes(self.D(fake), {TRUE}))
                    self.optimizers[0].step()
        likes = nn.BCEWithLogitsLoss()
        Trainer().fit()
        """,
}
CUTS = {"": "", ".detach()": "detach", ".data": "data", ".round()": "zero"}


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut or "sound")
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_line_does_later_is_told_by_its_own_cause(
    call: Call, tmp_path: Path, steps: FirstSteps, program: str, cut: str
) -> None:
    lines = PROGRAMS[program].format(cut).splitlines()
    path = script(tmp_path, "\n".join(line.removeprefix(" " * 8) for line in lines))
    found = document(call("run", "--json", path))
    assert "failure" not in found
    assert len(problems(found)) == len(steps.without), problems(found)
    assert bool(steps.without) == bool(cut)
    assert warned(found) == {}
    for problem in found["problems"]:
        diagnosis = found["diagnoses"][problem["diagnosis"]]
        verdict = next(one for one in diagnosis["verdicts"] if one["parameter"] == problem["parameter"])
        causes = [diagnosis["cuts"][i] for i in verdict["cuts"]]
        blamed = {(cause["kind"], cause["location"]["line"]) for cause in causes}
        if problem["status"] == "zero":
            blamed = {(problem["status"], verdict["at"]["line"])}
        assert blamed == {(CUTS[cut], line_of(path, "# here"))}
    optimizers = 4 if program == "greedy layers" else 2
    assert len(found["diagnoses"]) == optimizers, "one for each, however often the line ran"


def test_a_later_run_says_which_it_is(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, PROGRAMS["a delayed actor"].replace("\n        ", "\n").format(".detach()"))
    told = call("run", path).out
    line = line_of(path, "optimize(a_optimizer")
    assert told.count("error[") == 1
    assert f"note: this is run 3 of that line, called from train.py:{line}" in told
    assert told.count("of that line") == 1
    assert told.count("backward at train.py") == 2


def test_nothing_beyond_the_script_has_called_its_lines(spawn: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        a, b = Net(), nn.Linear(2, 2)
        optimizers = [torch.optim.SGD(one.parameters(), 0.1) for one in (a, b)]
        for i in range(4):
            loss = F.cross_entropy(a(x), y) if i < 2 else F.cross_entropy(b(a(x).detach()), y)
            loss.backward()
            optimizers[i // 2].step()
        """,
    )
    assert "note: this is run 3 of that line\n" in spawn("run", path).out


def test_rounds_that_show_nothing_new_are_not_told(call: Call, tmp_path: Path) -> None:
    """The branches change from round to round while the optimizer waits, and what is lost stays lost."""
    path = script(
        tmp_path,
        """
        net, spare = Net(), nn.Linear(4, 4)
        optimizer = torch.optim.SGD([*net.parameters(), *spare.parameters()], 0.1)
        functions = [torch.tanh, torch.sigmoid, torch.relu, torch.exp, torch.sin, torch.cos, torch.abs]
        for i in range(21):
            loss = F.cross_entropy(functions[i % 7](net(x)), y)
            loss.backward()
            if i % 7 == 6:
                optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert len(found["diagnoses"]) == 1
    assert set(problems(found).values()) == {"unused"}


def test_what_only_a_later_micro_batch_reaches_learns(call: Call, tmp_path: Path, steps: FirstSteps) -> None:
    path = script(
        tmp_path,
        """
        net, rare = Net(), nn.Linear(4, 2)
        optimizer = torch.optim.SGD([*net.parameters(), *rare.parameters()], 0.1)
        for i in range(8):
            out = net(x) + (rare(x) if i % 4 == 2 else 0)
            F.cross_entropy(out, y).backward()
            if i % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
        """,
    )
    found = document(call("run", "--json", path))
    assert steps.without == []
    assert problems(found) == {} == warned(found)
    assert [sum(v["status"] == "gradient" for v in d["verdicts"]) for d in found["diagnoses"]] == [4, 6]


# the round after

EPOCHS = """
    net = Net()
    {}
    for epoch in range(3):
        h = net.encoder(x)
        {}
        loss = F.cross_entropy(net.head(h), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
ONE = "optimizer = torch.optim.SGD(net.parameters(), 0.1)"


@pytest.mark.parametrize(("cut", "kind"), [(".detach()", "detach"), (".data", "data"), (".round()", "RoundBackward0")])
def test_a_cut_that_begins_later_is_noted_with_its_line(call: Call, tmp_path: Path, cut: str, kind: str) -> None:
    path = script(tmp_path, EPOCHS.format(ONE, f"h = h{cut} if epoch else h  # here"))
    result = call("run", "--strict", path)
    assert result.code == 0
    line = line_of(path, "# here")
    assert (
        "note: encoder.0.weight, encoder.0.bias: a gradient at first, and none in the round after: "
        f"{kind} at train.py:{line}"
    ) in result.err
    assert "error" not in result.out + result.err
    assert "round after" not in call("run", "--ignore", "encoder.*", path).err


@pytest.mark.parametrize(
    ("optimizers", "body"),
    [
        (ONE, "pass"),
        (ONE, "h = h if not epoch else x"),  # not used: losses of other tasks come in turn
        (
            "optimizers = [torch.optim.SGD(part.parameters(), 0.1) for part in (net.encoder, net.head)]\n"
            "    class optimizer:\n"
            "        step = staticmethod(lambda: [one.step() for one in optimizers])\n"
            "        zero_grad = staticmethod(lambda: [one.zero_grad() for one in optimizers])",
            "h = h if not epoch else h.detach()",  # the encoder's optimizer may have its turn at another time
        ),
    ],
    ids=["nothing", "unused", "another optimizer"],
)
def test_what_may_be_a_turn_is_not_noted(call: Call, tmp_path: Path, optimizers: str, body: str) -> None:
    result = call("run", "--strict", script(tmp_path, EPOCHS.format(optimizers, body)))
    assert result.code == 0
    assert "round after" not in result.err


def test_what_learns_from_the_second_round_on_is_no_problem(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, EPOCHS.format(ONE, "h = h if epoch else h.detach()  # warm up"))
    result = call("run", path)
    assert result.code == 0
    assert "warning[cut]: 2 of 4 parameters" in result.out
    assert "note: encoder.0.weight, encoder.0.bias: no gradient at first, and one in the round after" in result.err
    assert call("run", "--strict", path).code == 1


def test_a_factor_that_starts_at_zero_is_noted_to_learn(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        EPOCHS.format(
            "down, up = nn.Parameter(torch.randn(4, 2)), nn.Parameter(torch.zeros(2, 4))\n"
            "    net.down, net.up = down, up\n"
            "    " + ONE,
            "h = h + h @ down @ up",
        ),
    )
    result = call("run", path)
    assert result.code == 0
    assert "warning[zero]: down gets a gradient of exactly zero" in result.out
    assert "note: down: no gradient at first, and one in the round after" in result.err


def test_what_is_overwritten_in_the_second_round_only_is_warned_of(call: Call, tmp_path: Path) -> None:
    write = "h = h * h\n        if epoch: h.grad_fn._saved_self.data.mul_(2)  # here"
    path = script(tmp_path, EPOCHS.format(ONE, write))
    found = document(call("run", "--json", path))
    warned_of = {(one["kind"], one["effect"], one["at"]["line"]) for one in found["warnings"]}
    assert warned_of == {("conflict", "wrong gradient", line_of(path, "# here"))}
    assert found["problems"] == []
    assert [len(diagnosis["conflicts"]) > 0 for diagnosis in found["diagnoses"]] == [False, True]


def test_a_gradient_taken_by_hand_is_none_to_an_optimizer_that_finds_none(
    call: Call, tmp_path: Path, steps: FirstSteps
) -> None:
    """Fast weights that were cut off: the inner loop's own gradients do not reach the outer optimizer."""
    path = script(
        tmp_path,
        """
        net = nn.Linear(4, 2)
        optimizer = torch.optim.Adam(net.parameters())
        for step in range(3):
            fast = dict(net.named_parameters())
            inner = F.cross_entropy(torch.func.functional_call(net, fast, x), y)
            gradients = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
            fast = {name: (value - 0.1 * gradient).detach().requires_grad_()  # here
                    for (name, value), gradient in zip(fast.items(), gradients)}
            optimizer.zero_grad()
            F.cross_entropy(torch.func.functional_call(net, fast, x), y).backward()
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert len(steps.without) == 2
    assert problems(found) == {"weight": "cut", "bias": "cut"}
    lines = {cut["location"]["line"] for cut in found["diagnoses"][found["problems"][0]["diagnosis"]]["cuts"]}
    assert lines == {line_of(path, "# here")}


@pytest.mark.parametrize("draw", ["torch.normal(h, 1.0)", "torch.bernoulli(h.sigmoid())", "torch.poisson(h.exp())"])
def test_a_draw_hands_on_zero_whatever_it_draws(call: Call, tmp_path: Path, steps: FirstSteps, draw: str) -> None:
    path = script(tmp_path, EPOCHS.format(ONE, f"h = {draw}"))
    assert problems(document(call("run", "--json", path))) == {"encoder.0.weight": "zero", "encoder.0.bias": "zero"}
    assert len(steps.without) == 2


# names


@pytest.mark.parametrize(
    ("modules", "names"),
    [
        ("m = nn.Linear(4, 2); held = [m]", {"weight", "bias"}),
        ("a, b = nn.Linear(4, 4), nn.Linear(4, 2); held = [a, b]", {"a.weight", "a.bias", "b.weight", "b.bias"}),
        ("a = nn.Sequential(nn.Linear(4, 4)); net = Net(); held = [a, net]",
         {"a.0.weight", "a.0.bias", "encoder.0.weight", "encoder.0.bias", "head.weight", "head.bias"}),
        ("layers = [nn.Linear(4, 4), nn.Linear(4, 2)]; held = layers",
         {"layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"}),
        ("nets = {'first': nn.Linear(4, 4), 'last': nn.Linear(4, 2)}; held = nets.values()",
         {"nets.first.weight", "nets.first.bias", "nets.last.weight", "nets.last.bias"}),
    ],
    ids=["one", "two", "one that says itself", "a list", "a dict"],
)  # fmt: skip
def test_modules_beside_each_other_are_told_apart(call: Call, tmp_path: Path, modules: str, names: set[str]) -> None:
    path = script(
        tmp_path,
        f"""
        {modules}
        optimizers = [torch.optim.SGD(one.parameters(), 0.1) for one in held]
        def train(x):
            for i, (module, optimizer) in enumerate(zip(held, optimizers)):
                x = module(x)
            x.sum().backward()
            for optimizer in optimizers:
                optimizer.step()
        train(x)
        """,
    )
    found = document(call("run", "--json", path))
    assert {verdict["parameter"] for verdict in found["diagnoses"][0]["verdicts"]} == names


LATE = """
class Store:
    def __init__(self):
        self.values = {"w": torch.ones(4, requires_grad=True), "v": torch.ones(4, requires_grad=True)}

class Training:
    def __init__(self):
        self.store, self.optimizer = Store(), None

    def step(self, x):
        (self.store.values["w"] * x).pow(2).sum().backward()
        (self.store.values["w"] * 2 + self.store.values["v"]CUT).sum().backward()  # here
        if self.optimizer is None:
            self.optimizer = torch.optim.SGD(list(self.store.values.values()), lr=0.1)
        self.optimizer.step()

training = Training()
for i in range(4):
    training.step(x)
"""


@pytest.mark.parametrize("cut", ["", ".detach()"])
def test_an_optimizer_that_is_built_after_the_backward(call: Call, tmp_path: Path, steps: FirstSteps, cut: str) -> None:
    """What it holds is known from then on, as a library keeps it where no variable of the script's does (Pyro)."""
    path = script(tmp_path, LATE.replace("CUT", cut))
    found = document(call("run", "--json", path))
    assert len(problems(found)) == len(steps.without) == bool(cut)
    assert warned(found) == {}
    told = [one for one in found["diagnoses"] if one["verdicts"]]
    assert [one["verdicts"][0]["status"] for one in told] == ["gradient", "gradient"]
    assert call("run", path).out.count("backward at") == 2
    if cut:
        (problem,) = found["problems"]
        assert problem["parameter"] == "optimizer.params[1]", "it has no name, and took no other's place"
        (blamed,) = found["diagnoses"][problem["diagnosis"]]["cuts"]
        assert (blamed["kind"], blamed["location"]["line"]) == ("detach", line_of(path, "# here"))
