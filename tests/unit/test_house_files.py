"""Files are replaced whole or not at all."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from graphvis import files
from graphvis.errors import GraphvisError, OutputError


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_new_file_has_the_content_and_the_mode_of_the_mask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        files.write(tmp_path / "picture.svg", "<svg>中</svg>\n")
    finally:
        os.umask(old)
    assert (tmp_path / "picture.svg").read_bytes() == "<svg>中</svg>\n".encode()
    assert stat.S_IMODE((tmp_path / "picture.svg").stat().st_mode) == 0o640
    assert names_in(tmp_path) == ["picture.svg"]


def test_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "picture.svg"
    target.write_text("old")
    target.chmod(0o604)
    files.write(target, b"new")
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_reader_that_holds_the_old_file_still_reads_it_whole(tmp_path: Path) -> None:
    target = tmp_path / "picture.svg"
    target.write_text("old")
    with target.open() as reader:
        files.write(target, b"new")
        assert reader.read() == "old"


def test_symbolic_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "picture.svg").write_text("old")
    link = tmp_path / "link.svg"
    link.symlink_to(Path("real") / "picture.svg")
    files.write(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "picture.svg").read_text() == "new"
    assert names_in(tmp_path / "real") == ["picture.svg"]


def test_dangling_link_makes_what_it_points_to(tmp_path: Path) -> None:
    link = tmp_path / "link.svg"
    link.symlink_to("picture.svg")
    files.write(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "picture.svg").read_text() == "new"


def test_name_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    name = "n" * 251 + ".svg"
    files.write(tmp_path / name, b"new")
    assert names_in(tmp_path) == [name]


def test_device_is_written_as_it_is() -> None:
    files.write("/dev/null", b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("folder", "it is a folder"),
        ("file/picture.svg", "Not a directory"),
        ("missing/picture.svg", "No such file or directory"),
        ("n" * 300, "File name too long"),
        ("/dev/full", "No space left on device"),
    ],
)
def test_what_cannot_be_written_is_one_error_and_leaves_nothing(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    with pytest.raises(OutputError, match="cannot write") as caught:
        files.write(tmp_path / path, b"new")
    assert reason in caught.value.what
    assert caught.value.fix
    assert isinstance(caught.value, GraphvisError)
    assert names_in(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "old"


def test_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the write fails in the middle."""
    (tmp_path / "picture.svg").write_text("old")
    program = (
        "import sys\n"
        "from graphvis import files\n"
        "from graphvis.errors import OutputError\n"
        "try:\n"
        "    files.write(sys.argv[1], b'x' * 1_000_000)\n"
        "except OutputError as error:\n"
        "    print(error.what)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "picture.svg"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "File too large" in done.stdout
    assert (tmp_path / "picture.svg").read_text() == "old"
    assert names_in(tmp_path) == ["picture.svg"]


def test_interrupt_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "picture.svg").write_text("old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "picture.svg", b"new")
    assert names_in(tmp_path) == ["picture.svg"]
    assert (tmp_path / "picture.svg").read_text() == "old"


def test_folder_is_made_with_its_parents_and_may_be_there(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert files.make_folder(folder) == folder
    assert files.make_folder(folder).is_dir()


def test_folder_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="it is a file"):
        files.make_folder(tmp_path / "out")
