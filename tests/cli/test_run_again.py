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
    assert "This is run 3 of that line" in told
    assert f"train.py:{line}" in told
    assert "This is run 1" not in told
    assert told.count("backward at train.py") == 2


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
