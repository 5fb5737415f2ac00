"""``graphvis run`` on real little scripts: what it says is what their own training does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import GRAPHVIS, lines_of
from tests.cli.scripts import Call, document, line_of, problems, script, warned

pytestmark = pytest.mark.usefixtures("own_main")

# what is a problem


def test_a_detach_is_told_with_its_line(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        class Cut(Net):
            def forward(self, x):
                h = self.encoder(x).detach()
                return self.head(h)

        model = Cut()
        optimizer = torch.optim.Adam(model.parameters())
        for step in range(50):
            print("step", step)
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert result.code == 1
    assert not found["ok"]
    assert problems(found) == {"encoder.0.weight": "cut", "encoder.0.bias": "cut"}
    (diagnosis,) = found["diagnoses"]
    assert diagnosis["backward"] == {
        "file": str(path), "line": line_of(path, "loss.backward()"), "function": "<module>", "text": "loss.backward()",
    }  # fmt: skip
    (cut,) = diagnosis["cuts"]
    assert cut["kind"] == "detach"
    assert cut["certain"] is True
    assert cut["location"]["line"] == line_of(path, "h = self.encoder(x).detach()")
    assert cut["parameters"] == ["encoder.0.weight", "encoder.0.bias"]
    assert {v["parameter"]: v["status"] for v in diagnosis["verdicts"]} == {
        "encoder.0.weight": "cut", "encoder.0.bias": "cut", "head.weight": "gradient", "head.bias": "gradient",
    }  # fmt: skip
    assert "graph" not in diagnosis
    assert result.err.count("step") == 2, "ended when the line came round again"


def test_the_report_is_for_people(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(50):
            loss = F.cross_entropy(model(x).detach().requires_grad_(), y)
            loss.backward()
            optimizer.step()
        """,
    )
    result = call("run", path)
    assert result.code == 1
    assert "error[cut]: 4 of 4 parameters get no gradient from loss.backward()" in result.out
    assert f"train.py:{line_of(path, 'detach()')}" in result.out
    assert str(tmp_path) not in result.out.replace(str(path), ""), "paths are relative in what people read"
    assert "1 problem, judged at the first run of each backward; stopped when" in result.out.splitlines()[-1]
    assert "ending the script here (--continue runs on)" in result.err


SOUND = {
    "plain": """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        """,
    "gan": """
        generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
        g_optimizer = torch.optim.Adam(generator.parameters())
        d_optimizer = torch.optim.Adam(critic.parameters())
        for step in range(3):
            fake = generator(torch.randn(8, 4))
            d_loss = critic(fake.detach()).mean() - critic(x).mean()
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
            g_loss = -critic(fake).mean()
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
        """,
    "target network": """
        import copy
        online = Net()
        target = copy.deepcopy(online)
        optimizer = torch.optim.Adam(online.parameters())
        for step in range(3):
            with torch.no_grad():
                goal = target(x).max(1).values
            loss = F.smooth_l1_loss(online(x).gather(1, y[:, None])[:, 0], goal + 1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(online.parameters(), 100)
            optimizer.step()
            for ours, theirs in zip(target.parameters(), online.parameters()):
                ours.data.mul_(0.99).add_(theirs.data, alpha=0.01)
        """,
    "accumulation": """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(12):
            loss = F.cross_entropy(model(x), y) / 4
            loss.backward()
            if step % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
        """,
    "lbfgs": """
        model = Net()
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=30, line_search_fn="strong_wolfe")
        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss
        for step in range(3):
            optimizer.step(closure)
        """,
    "autocast": """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu")
        for step in range(3):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        """,
    "delayed policy": """
        actor, critic = Net(), nn.Linear(6, 1)
        a_optimizer = torch.optim.Adam(actor.parameters())
        c_optimizer = torch.optim.Adam(critic.parameters())
        for step in range(9):
            c_loss = critic(torch.cat([x, actor(x).detach()], 1)).square().mean()
            c_optimizer.zero_grad()
            c_loss.backward()
            c_optimizer.step()
            if step % 3 == 2:
                a_loss = -critic(torch.cat([x, actor(x)], 1)).mean()
                a_optimizer.zero_grad()
                a_loss.backward()
                a_optimizer.step()
        """,
    "manual updates": """
        model = Net()
        for step in range(3):
            loss = F.cross_entropy(model(x), y)
            grads = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for parameter, grad in zip(model.parameters(), grads):
                    parameter -= 0.1 * grad
        """,
    "bare tensors": """
        w = torch.randn(4, 2, requires_grad=True)
        b = torch.zeros(2, requires_grad=True)
        for step in range(3):
            loss = F.cross_entropy(x @ w + b, y)
            loss.backward()
            with torch.no_grad():
                for p in (w, b):
                    p -= 0.1 * p.grad
                    p.grad = None
        """,
    "gradient penalty": """
        critic = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.Adam(critic.parameters())
        for step in range(3):
            point = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(critic(point).sum(), point, create_graph=True)
            loss = critic(x).mean() + (slope.norm(dim=1) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
    "scheduler and evaluation": """
        model = Net()
        optimizer = torch.optim.AdamW(model.parameters())
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
        for epoch in range(3):
            model.train()
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            model.eval()
            with torch.no_grad():
                accuracy = (model(x).argmax(1) == y).float().mean().item()
            print(f"{accuracy:.2f} {loss.item():.2f}")
        """,
    "a frozen backbone": """
        model = Net()
        for parameter in model.encoder.parameters():
            parameter.requires_grad_(False)
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        for step in range(3):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        """,
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_training_raises_no_alarm(call: Call, tmp_path: Path, name: str) -> None:
    result = call("run", "--json", "--strict", script(tmp_path, SOUND[name]))
    found = document(result)
    assert found["problems"] == []
    assert found["warnings"] == []
    assert found["ok"]
    assert found["diagnoses"]
    assert result.code == 0
    assert "failure" not in found


def test_the_intended_cut_of_a_gan_is_one_quiet_line(call: Call, tmp_path: Path) -> None:
    result = call("run", script(tmp_path, SOUND["gan"]))
    assert result.code == 0
    assert "error" not in result.out
    quiet = [line for line in result.out.splitlines() if "as intended" in line]
    assert len(quiet) == 1
    assert "detach at train.py" in quiet[0]


def test_an_optimizer_that_has_not_stepped_is_not_judged(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
        g_optimizer = torch.optim.RMSprop(generator.parameters())
        d_optimizer = torch.optim.RMSprop(critic.parameters())
        for step in range(1000):
            print("step", step)
            loss = critic(generator(x).detach()).mean() - critic(x).mean()
            d_optimizer.zero_grad()
            loss.backward()
            d_optimizer.step()
            if step == 999:
                (-critic(generator(x)).mean()).backward()
                g_optimizer.step()
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert result.code == 0
    assert set(found["not_reached"]) == {"generator.weight", "generator.bias"}
    assert result.err.count("step") <= 2 * 22, "twenty rounds, then the end"


def test_a_layer_in_a_plain_list_gets_a_gradient_that_nobody_takes(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        class Listed(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = [nn.Linear(4, 4)]
                self.head = nn.Linear(4, 2)

            def forward(self, x):
                return self.head(torch.tanh(self.layers[0](x)))

        model = Listed()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert warned(found) == {"layers.0.weight": "untaken gradient", "layers.0.bias": "untaken gradient"}
    assert found["problems"] == []
    assert result.code == 0
    assert call("run", "--strict", path).code == 1


def test_a_layer_replaced_after_the_optimizer_was_built(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.head = nn.Linear(4, 2)
        for step in range(3):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert set(warned(found).values()) == {"untaken gradient"}
    assert set(warned(found)) == {"head.weight", "head.bias"}
    assert set(problems(found).values()) == {"unused"}
    assert set(problems(found)) == {"head.weight (replaced)", "head.bias (replaced)"}


def test_zero_everywhere_is_a_problem_and_zero_by_value_a_warning(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        rounded, dead, last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        nn.init.constant_(dead.bias, -100.0)
        optimizer = torch.optim.SGD([*rounded.parameters(), *dead.parameters(), *last.parameters()], lr=0.1)
        for step in range(3):
            h = torch.round(rounded(x))
            h = h + torch.relu(dead(x))
            loss = F.cross_entropy(last(h), y)
            loss.backward()
            optimizer.step()
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert problems(found) == {"rounded.weight": "zero", "rounded.bias": "zero"}
    assert warned(found) == {"dead.weight": "parameter zero", "dead.bias": "parameter zero"}
    verdict = next(v for v in found["diagnoses"][0]["verdicts"] if v["parameter"] == "rounded.weight")
    assert verdict["at"]["line"] == line_of(path, "torch.round")
    assert result.code == 1


def test_frozen_and_yet_in_an_optimizer_is_a_warning(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.encoder.requires_grad_(False)
        for step in range(3):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert found["problems"] == []
    assert warned(found) == {"encoder.0.weight": "parameter frozen", "encoder.0.bias": "parameter frozen"}


def test_frozen_and_not_used_is_frozen(call: Call, tmp_path: Path) -> None:
    """The pooler of a frozen backbone: nobody means it to learn, and what would be asked for is done already."""
    path = script(
        tmp_path,
        """
        model = Net()
        model.spare = nn.Linear(2, 2).requires_grad_(False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert result.code == 0
    assert found["problems"] == []
    assert warned(found) == {"spare.weight": "parameter frozen", "spare.bias": "parameter frozen"}


def test_without_an_optimizer_every_parameter_counts(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, "model = Net()\nmodel.spare = nn.Linear(2, 2)\nF.cross_entropy(model(x), y).backward()\n")
    result = call("run", "--json", path)
    assert problems(document(result)) == {"spare.weight": "unused", "spare.bias": "unused"}
    assert result.code == 1


def test_patterns_choose_and_pass_over(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, "model = Net()\nmodel.spare = nn.Linear(2, 2)\nF.cross_entropy(model(x), y).backward()\n")
    assert call("run", "--ignore", "spare.*", path).code == 0
    assert call("run", "--param", "head.*", path).code == 0
    assert problems(document(call("run", "--json", "--param", "*.bias", path))) == {"spare.bias": "unused"}


def test_without_a_cut_the_same_script_builds_the_graph_that_would_have_been(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            h = model.encoder(x)
            h = h.detach()
            loss = F.cross_entropy(model.head(h), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
    )
    line = line_of(path, "h = h.detach()")
    assert call("run", path).code == 1
    result = call("run", "--json", "--without", f"train.py:{line}", path)
    assert result.code == 0
    assert {verdict["status"] for verdict in document(result)["diagnoses"][0]["verdicts"]} == {"gradient"}
    assert f"as if the cut at train.py:{line} were not there" in result.err
    elsewhere = call("run", "--without", f"train.py:{line + 1}", path)
    assert elsewhere.code == 1
    note = f"nothing was taken out at train.py:{line + 1}: no cut that can be taken out was met there"
    assert note in " ".join(elsewhere.err.split())


def test_the_command_that_tries_a_cut_is_quoted_and_only_told_where_it_helps(call: Call, tmp_path: Path) -> None:
    body = """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            h = {cut}
            loss = F.cross_entropy(model.head(h), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """
    folder = tmp_path / "we ird"
    folder.mkdir()
    path = script(folder, body.format(cut="model.encoder(x).detach()"))
    line = line_of(path, "h = model")
    assert f"graphvis run --without 'we ird/train.py:{line}' '{path}'" in call("run", path).out
    assert call("run", "--without", f"we ird/train.py:{line}", path).code == 0
    path = script(tmp_path, body.format(cut="torch.tensor(model.encoder(x).detach().numpy().copy())"))
    told = call("run", path)
    assert told.code == 1
    assert "--without" not in told.out


@pytest.mark.parametrize("place", ["train.py", "train.py:0", "nowhere.py:3", "train.py:x"])
def test_without_a_line_is_bad_input(call: Call, tmp_path: Path, place: str) -> None:
    assert lines_of(call("run", "--without", place, script(tmp_path, "")))


# scripts that raise


def test_an_in_place_error_is_explained_by_the_line_that_wrote(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        h = model.encoder(x)
        out = model.head(h).sum()
        h.zero_()
        out.backward()
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert result.code == 1
    assert "modified by an inplace operation" in result.err
    assert result.err.startswith("Traceback (most recent call last)")
    assert "graphvis/" not in result.err, "the script's own frames only"
    assert found["failure"]["type"] == "RuntimeError"
    (issue,) = [issue for issue in found["problems"] if issue["kind"] == "conflict"][:1]
    assert issue["at"]["line"] == line_of(path, "h.zero_()")
    conflicts = found["diagnoses"][0]["conflicts"]
    assert {conflict["effect"] for conflict in conflicts} == {"raises"}
    assert {conflict["modified_at"]["line"] for conflict in conflicts} == {line_of(path, "h.zero_()")}
    saved = {conflict["saved_at"]["line"] for conflict in conflicts}
    assert saved <= {line_of(path, "h = model.encoder(x)"), line_of(path, "out = model.head(h).sum()")}


def test_a_loss_that_requires_no_grad_is_explained_by_the_cuts(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path, "model = Net()\nwith torch.no_grad():\n    out = model(x)\nF.cross_entropy(out, y).backward()\n"
    )
    result = call("run", "--json", path)
    found = document(result)
    assert result.code == 1
    assert "element 0 of tensors does not require grad" in result.err
    assert set(problems(found).values()) == {"cut"}
    assert len(problems(found)) == 4
    assert {cut["kind"] for cut in found["diagnoses"][0]["cuts"]} == {"no_grad"}
    assert {cut["location"]["line"] for cut in found["diagnoses"][0]["cuts"]} <= {
        line_of(path, "h = self.encoder(x)"), line_of(path, "return self.head(h)"),
    }  # fmt: skip


def test_a_silently_wrong_gradient_is_a_warning(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        h = model.encoder(x)
        out = model.head(h).sum()
        h.data.add_(1)
        out.backward()
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert {issue["kind"] for issue in found["warnings"]} == {"conflict"}
    assert {issue["effect"] for issue in found["warnings"]} == {"wrong gradient"}
    assert {issue["at"]["line"] for issue in found["warnings"]} == {line_of(path, "h.data.add_(1)")}
    assert result.code == 0


def test_a_syntax_error_is_the_scripts_own(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("def f(:\n")
    result = call("run", path)
    assert result.code == 1
    assert "SyntaxError" in result.err
    assert "no backward ran" in result.out


@pytest.mark.parametrize(("text", "code"), [("0", 0), ("3", 3), ("None", 0), ("'no data'", 1)])
def test_the_status_that_a_script_ends_with(call: Call, tmp_path: Path, text: str, code: int) -> None:
    path = tmp_path / "ends.py"
    path.write_text(f"import sys\nsys.exit({text})\n")
    result = call("run", path)
    assert result.code == code
    assert ("no data" in result.err) == (text == "'no data'")


# as Python would run it


def test_everything_is_as_python_has_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "beside.py").write_text("")
    (tmp_path / "sub" / "look.py").write_text(
        "import json, sys, os, atexit, pickle, beside\n"
        "class Thing: pass\n"
        "pickle.loads(pickle.dumps(Thing()))\n"
        "main = sys.modules['__main__']\n"
        "names = sorted(set(globals()) - {'names'})\n"
        "atexit.register(lambda: print('at exit', Thing.__name__))\n"
        "code = (lambda: 0).__code__.co_filename\n"
        "print(json.dumps([sys.argv, os.getcwd(), sys.path[0], __file__, __name__, main.__dict__ is globals(), names,"
        " code, __spec__ is None, __package__]))\n"
    )
    command = ["sub/look.py", "--lr", "0.1", "-o", "x", "--json"]
    plain = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=True)
    ours = subprocess.run([GRAPHVIS, "run", *command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert plain.stdout.splitlines()[0] == ours.stdout.splitlines()[0]
    assert "at exit Thing" in ours.stdout


def test_a_module_is_as_python_m_has_it(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sibling.py").write_text("value = 7\n")
    (package / "__main__.py").write_text(
        "import sys\nfrom . import sibling\n"
        "print(sys.argv, sys.path[0], __name__, __package__, __spec__.name, sibling.value)\n"
    )
    command = ["-m", "package", "--flag"]
    plain = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=True)
    ours = subprocess.run([GRAPHVIS, "run", *command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert plain.stdout.splitlines()[0] == ours.stdout.splitlines()[0]


@pytest.mark.parametrize("arguments", [["nowhere.py"], ["-m", "no.such.module"], ["-m", "json.nothing"], ["."], []])
def test_nothing_to_run_is_bad_input(call: Call, arguments: list[str]) -> None:
    lines_of(call("run", *arguments))


def test_finally_blocks_run_and_a_swallowed_stop_runs_on(call: Call, tmp_path: Path) -> None:
    body = """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(5):
            try:
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
            {}
        print("the end")
        """
    ended = call("run", script(tmp_path, body.format('finally:\n                print("finally", step)')))
    assert ended.code == 0
    assert [line for line in ended.out.splitlines() if line.startswith("finally")] == ["finally 0", "finally 1"]
    assert "the end" not in ended.out
    swallowed = call("run", script(tmp_path, body.format('except:\n                print("swallowed", step)')))
    assert swallowed.code == 0
    assert swallowed.out.count("swallowed") == 1
    assert "the end" in swallowed.out


def test_continue_runs_on(call: Call, tmp_path: Path) -> None:
    result = call("run", "--continue", script(tmp_path, SOUND["plain"] + "    print('the end', step)\n"))
    assert result.code == 0
    assert "the end 2" in result.out
    assert "stopped" not in result.out
    assert "recorded until" in result.out


def test_compiled_functions_run_eagerly_and_it_is_said(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        fast = torch.compile(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            F.cross_entropy(fast(x).detach().requires_grad_(), y).backward()
            optimizer.step()
        """,
    )
    result = call("run", "--json", path)
    found = document(result)
    assert set(problems(found)) == {"encoder.0.weight", "encoder.0.bias", "head.weight", "head.bias"}
    assert "eagerly" in result.err


def test_what_pytorch_compiles_by_itself_learns_as_it_does_alone(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            h = torch.cond(x.sum() > 0, lambda x: model(x).sin(), lambda x: model(x).cos(), (x,))
            F.cross_entropy(h, y).backward()
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert {verdict["status"] for verdict in found["diagnoses"][0]["verdicts"]} == {"gradient"}
    assert not problems(found)


def test_a_cut_in_code_that_was_generated_is_told_with_the_line_that_calls_it(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        class Cut(nn.Module):
            def forward(self, x):
                return x.detach()

        net = Net()
        model = torch.fx.symbolic_trace(nn.Sequential(net.encoder, Cut(), net.head))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        """,
    )
    (cut,) = document(call("run", "--json", path))["diagnoses"][0]["cuts"]
    assert "detach" in cut["location"]["text"]
    assert cut["caller"]["text"] == "loss = F.cross_entropy(model(x), y)"


def test_json_is_alone_on_stdout(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        import atexit, os, subprocess, sys, threading
        print("python says")
        os.write(1, b"the descriptor says\\n")
        subprocess.run([sys.executable, "-c", "print('a child says')"])
        atexit.register(print, "an exit handler says")
        threading.Timer(1, print, ["a thread says"]).start()
        """,
    )
    done = subprocess.run([GRAPHVIS, "run", "--json", path], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["schema"] == "graphvis/run/1"
    for who in ("python", "the descriptor", "a child", "an exit handler", "a thread"):
        assert f"{who} says" in done.stderr


def test_data_loader_workers(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        from torch.utils.data import DataLoader, TensorDataset

        def main():
            model = Net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for context in ("fork", "spawn"):
                loader = DataLoader(TensorDataset(x, y), 2, num_workers=1, multiprocessing_context=context)
                for inputs, goals in loader:
                    optimizer.zero_grad()
                    F.cross_entropy(model(inputs), goals).backward()
                    optimizer.step()
                print("read by", context)

        if __name__ == "__main__":
            main()
        """,
    )
    done = subprocess.run(
        [GRAPHVIS, "run", "--continue", "--strict", path], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "read by spawn" in done.stdout
    assert "0 problems" in done.stdout


def test_each_rank_of_ddp_writes_its_own_report(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel

        dist.init_process_group("gloo")
        net = Net()
        net.spare = nn.Linear(2, 2)
        model = DistributedDataParallel(net)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
    )
    launch = [GRAPHVIS.with_name("torchrun"), "--nproc-per-node=2", "--standalone", "--no-python"]
    done = subprocess.run(
        [*launch, GRAPHVIS, "run", "-o", "why.json", path], cwd=tmp_path, capture_output=True, text=True, timeout=180
    )
    assert "Expected to have finished reduction" in done.stderr, "the failure that the report explains"
    for rank in (0, 1):
        assert f"graphvis, rank {rank}: 1 problem" in done.stdout
        saved = json.loads((tmp_path / f"why.rank{rank}.json").read_text())
        unused = {verdict["parameter"] for verdict in saved["verdicts"] if verdict["status"] == "unused"}
        assert unused == {"spare.weight", "spare.bias"}


def test_the_picture_is_written(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, "model = Net()\nF.cross_entropy(model(x).detach().requires_grad_(), y).backward()\n")
    for suffix in ("json", "svg"):
        result = call("run", "-o", f"why.{suffix}", path)
        assert result.code == 1
        assert f"wrote why.{suffix}" in result.err
    assert json.loads((tmp_path / "why.json").read_text())["schema"] == "graphvis/diagnosis/1"
    assert "<svg" in (tmp_path / "why.svg").read_text()


KEPT = """
    rnn, head = nn.LSTM(4, 4, batch_first=True), nn.Linear(4, 2)
    optimizer = torch.optim.SGD([*rnn.parameters(), *head.parameters()], lr=0.1)
    state = None
    for _ in range(4):
        out, state = rnn(x[:, None], state)
        loss = F.cross_entropy(head(out[:, 0]), y)
        optimizer.zero_grad()
        loss.backward({})
        optimizer.step()
"""


def test_a_graph_that_reaches_into_the_round_before_raises_as_it_would_alone(call: Call, tmp_path: Path) -> None:
    """A recurrent state that nobody detached: the first round is sound, the second cannot be."""
    path = script(tmp_path, KEPT.format(""))
    result = call("run", "--json", path)
    found = document(result)
    assert result.code == 1
    assert found["failure"]["type"] == "RuntimeError"
    assert "backward through the graph a second time" in found["failure"]["message"]


def test_a_graph_kept_over_a_step_names_the_step(call: Call, tmp_path: Path) -> None:
    path = script(tmp_path, KEPT.format("retain_graph=True"))
    result = call("run", "--json", path)
    found = document(result)
    assert result.code == 1
    assert not found["ok"]
    raising = [issue for issue in found["problems"] if issue["kind"] == "conflict"]
    assert {issue["effect"] for issue in raising} == {"raises"}
    assert {issue["at"]["line"] for issue in raising} == {line_of(path, "optimizer.step()")}


def test_zero_inside_a_reentrant_checkpoint_is_zero(call: Call, tmp_path: Path) -> None:
    """A zero-initialised factor, as in LoRA, under a checkpoint whose inner backward the walk does not see."""
    path = script(
        tmp_path,
        """
        from torch.utils.checkpoint import checkpoint

        down, up = nn.Linear(4, 2, bias=False), nn.Linear(2, 2, bias=False)
        nn.init.zeros_(up.weight)
        optimizer = torch.optim.Adam([*down.parameters(), *up.parameters()])
        for _ in range(3):
            inner = checkpoint(lambda x: up(down(x)), x.clone().requires_grad_(), use_reentrant=True)
            F.cross_entropy(inner, y).backward()
            assert not down.weight.grad.any() or up.weight.any()
            optimizer.step()
            optimizer.zero_grad()
        """,
    )
    result = call("run", "--json", path)
    assert result.code == 0
    assert warned(document(result)) == {"down.weight": "parameter zero"}


def test_fast_weights_in_the_place_of_parameters_are_not_judged(call: Call, tmp_path: Path) -> None:
    """MAML: the inner step asks for gradients of tensors with a history, which modules list as parameters."""
    path = script(
        tmp_path,
        """
        meta = Net()
        optimizer = torch.optim.Adam(meta.parameters())
        for _ in range(3):
            fast = Net()
            for mine, theirs in zip(fast.modules(), meta.modules()):
                mine._parameters.update({name: weight.clone() for name, weight in theirs._parameters.items()})
            for _ in range(2):
                slow = [weight for weight in fast.parameters()]
                inner = torch.autograd.grad(F.cross_entropy(fast(x), y), slow, create_graph=True)
                stepped = iter(weight - 0.1 * gradient for weight, gradient in zip(slow, inner))
                for module in fast.modules():
                    module._parameters.update({name: next(stepped) for name in module._parameters})
            optimizer.zero_grad()
            F.cross_entropy(fast(x), y).backward()
            assert all(weight.grad.any() for weight in meta.parameters())
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert found["ok"]
    assert not found["warnings"]
    assert {verdict["status"] for diagnosis in found["diagnoses"] for verdict in diagnosis["verdicts"]} == {"gradient"}


def test_gradients_that_a_script_asks_for_itself_are_taken(call: Call, tmp_path: Path) -> None:
    """One network learns by an optimizer, the other by the script's own rule."""
    path = script(
        tmp_path,
        """
        by_optimizer, by_hand = Net(), Net()
        optimizer = torch.optim.Adam(by_optimizer.parameters())
        for _ in range(3):
            weights = list(by_hand.parameters())
            gradients = torch.autograd.grad(F.cross_entropy(by_hand(x), y), weights)
            with torch.no_grad():
                for weight, gradient in zip(weights, gradients):
                    weight -= 0.1 * gradient
            optimizer.zero_grad()
            F.cross_entropy(by_optimizer(x), y).backward()
            optimizer.step()
        """,
    )
    found = document(call("run", "--json", path))
    assert found["ok"]
    assert not found["warnings"]
    assert len(found["diagnoses"]) == 2


STATE = """
    cell = nn.RNNCell(4, 4)
    {optimizer}
    h = torch.zeros(8, 4)
    for step in range(4):
        h = cell(x, h)
        loss = h.square().mean()
        loss.backward()
        {step}
"""


@pytest.mark.parametrize("steps", [True, False], ids=["steps", "accumulates"])
def test_a_state_that_reaches_back(call: Call, tmp_path: Path, steps: bool) -> None:
    built = "optimizer = torch.optim.SGD(cell.parameters(), lr=0.1)"
    path = script(tmp_path, STATE.format(optimizer=built, step="optimizer.step()" if steps else "pass"))
    result = call("run", "--json", path)
    found = document(result)
    assert result.code == 1
    assert "a second time" in result.err
    (conflict,) = [conflict for diagnosis in found["diagnoses"] for conflict in diagnosis["conflicts"]]
    assert conflict["effect"] == "raises"
    assert conflict["carrier"] == "h"
    assert conflict["carried_at"]["line"] == line_of(path, "h = cell(x, h)")
    assert conflict["modified_at"]["line"] == line_of(path, "loss.backward()")
    assert [problem["effect"] for problem in found["problems"] if problem["kind"] == "conflict"] == ["raises"]


def test_a_loss_that_is_not_computed_again(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss = F.cross_entropy(model(x), y)
        for step in range(3):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
    )
    result = call("run", path)
    assert result.code == 1
    # The step overwrote what the graph had saved, and backward complains of what comes first: the freed.
    assert "goes a second time through a graph that was freed" in result.out
    assert "compute the loss again before each backward()" in " ".join(result.out.split())


def test_numpy_that_writes_into_an_observation(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        obs = x.clone().numpy()
        seen = torch.from_numpy(obs)
        loss = F.cross_entropy(model(seen), y)
        obs += 1
        loss.backward()
        optimizer.step()
        """,
    )
    result = call("run", path)
    assert result.code == 0
    assert "warning[wrong gradient]" in result.out
    assert "NumPy shares this memory from here on; its values changed after they were saved" in result.out


def test_a_probe_makes_a_wrong_gradient_a_problem(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
        for step in range(3):
            loss = F.cross_entropy(model(x), y)
            model.head.weight.data.mul_(0.5)  # wrote
            model.encoder[0].weight.data.mul_(0.5)  # no gradient is asked for the data
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
    )
    plain = call("run", path)
    assert plain.code == 0
    assert "warning[wrong gradient]" in plain.out
    assert "= check:  graphvis run --probe " in plain.out
    result = call("run", "--probe", "--json", path)
    found = document(result)
    assert result.code == 1
    conflicts = found["diagnoses"][0]["conflicts"]
    assert {(one["certain"], one["modified_at"]["line"]) for one in conflicts} == {(True, line_of(path, "# wrote"))}


def test_a_probe_leaves_the_training_as_it_is(call: Call, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        model = Net()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=True)
        for step in range(2):
            loss = F.cross_entropy(F.dropout(model(x)), y)
            model.head.weight.data.mul_(0.5)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print([parameter.sum().item() for parameter in model.parameters()], torch.rand(1).item())
        """,
    )
    alone = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True).stdout
    assert alone.strip() in call("run", "--probe", "--continue", path).out


def test_a_class_before_a_name_is_explained(call: Call, tmp_path: Path) -> None:
    """Two modules alike that only a library's object holds, as an agent's policies are."""
    path = script(
        tmp_path,
        """
        class Agent:
            __slots__ = ("policies",)

            def __init__(self):
                self.policies = {i: Net() for i in range(2)}

            def learn(agent):
                optimizer = torch.optim.SGD([p for net in agent.policies.values() for p in net.parameters()], lr=0.1)
                for step in range(2):
                    loss = sum(F.cross_entropy(net.head(net.encoder(x).detach()), y) for net in agent.policies.values())
                    loss.backward()
                    optimizer.step()

        Agent().learn()
        """,
    )
    result = call("run", path)
    assert result.code == 1
    assert "Net.encoder.0.weight" in result.out
    assert "note: Net.* are the parameters of a module that no variable of the script holds" in result.err
