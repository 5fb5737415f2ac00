"""The wheel works outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(path.stem for path in (ROOT / "scenarios").glob("[!_]*.py"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it.

    The dependencies come from this environment by a plain path, which does not bring the checkout along: the editable
    install's own .pth file is not read there.
    """
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    (site,) = (environment / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    return environment


def test_wheel_holds_the_scenarios_inside_the_package_and_nothing_else_on_top(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"graphvis"}
    inside = [Path(name).stem for name in names if name.startswith("graphvis/scenarios/")]
    assert set(SCENARIOS) <= set(inside)
    assert "graphvis/py.typed" in names


def test_installed_program_works_from_another_folder(installed: Path, tmp_path: Path) -> None:
    elsewhere = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=elsewhere, check=True, capture_output=True, text=True)
        return done.stdout

    listed = json.loads(run(installed / "bin" / "graphvis", "list", "--json"))
    assert sorted(scenario["name"] for scenario in listed) == SCENARIOS
    assert all(Path(scenario["path"]).is_relative_to(installed) for scenario in listed)
    run(installed / "bin" / "graphvis", "render", "detach_zero")
    assert (tmp_path / "out" / "detach_zero.svg").read_bytes().rstrip().endswith(b"</svg>")
    code = "import importlib.util as u, graphvis; print(u.find_spec('scenarios'), graphvis.__file__)"
    found = run(installed / "bin" / "python", "-c", code).split()
    assert found[0] == "None"
    assert Path(found[1]).is_relative_to(installed)
