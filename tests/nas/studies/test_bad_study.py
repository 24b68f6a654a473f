"""A study that cannot be used, and disks that take nothing: one line, and nothing lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from latency_models.device import load_device
from nas.data.images import load_data, write_image
from nas.studies.budget import Budget
from nas.studies.database import open_file
from nas.studies.folder import StudyFolder
from nas.studies.study import Study, create_study, load_study
from search_spaces.spaces.fingerprint import fingerprint
from search_spaces.spaces.loading import load_space

from ..console import SEARCH, Console, write_photos
from ..tiny_model import make_tflite
from .test_study import SETTINGS


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database of a study on ``photos`` that can be gone on with; nothing is trained yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("template"))
        write_photos(Path("photos"))
        settings = replace(
            SETTINGS,
            space_fingerprint=fingerprint(load_space("anchor"), 3),
            device_fingerprint=load_device("host").fingerprint,
            data="photos",
            data_fingerprint=load_data("photos", 3).fingerprint,
        )
        database = create_study(StudyFolder.named("s"), None, settings).folder.database
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return database.read_bytes()


@pytest.fixture
def folder(console: Console, template: bytes) -> StudyFolder:
    """That study in the current folder."""
    return copy_of(template)


def copy_of(template: bytes) -> StudyFolder:
    write_photos(Path("photos"))
    folder = StudyFolder.named("s")
    folder.create()
    folder.database.write_bytes(template)
    return folder


@pytest.mark.parametrize(
    ("value", "option"),
    [
        ("space anchor, not nope", ("--space", "nope")),
        ("device host, not ethos-u65-512", ("--device", "ethos-u65-512")),
        ("scale 3, not 2", ("--scale", "2")),
        ("input 36x64, not 90x160", ("--input", "90x160")),
        ("'big'", ("--input", "big")),
        ("seed 0, not 1", ("--seed", "1")),
        ("not embedded", ("--data", "embedded")),
    ],
)
def test_a_study_made_otherwise(
    console: Console, folder: StudyFolder, value: str, option: tuple[str, str]
) -> None:
    console.refuse(2, value, *SEARCH, *option)


def test_a_trial_that_is_not_there(console: Console, folder: StudyFolder) -> None:
    console.refuse(2, "s#7", "train", "s#7")
    console.refuse(2, "s#7", "latency", "predict", "s#7", "--device", "ethos-u65-512")
    console.refuse(2, "trial 7", "export", "s#7", "--to", "out")


def test_changed_images_and_a_lost_folder(console: Console, folder: StudyFolder) -> None:
    (console.folder / "photos/0.png").unlink()
    console.refuse(2, "photos", *SEARCH)
    shutil.rmtree(console.folder / "photos")
    console.refuse(2, "photos: no such folder", *SEARCH)


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.close()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"no database at all" * 1000),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-5000]),
    "cut in its header": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "overwritten": lambda path: path.write_bytes(
        path.read_bytes()[:4096] + bytes(8192) + path.read_bytes()[12288:]
    ),
    "not Optuna's": foreign,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_database_that_is_not_sound(console: Console, folder: StudyFolder, name: str) -> None:
    DAMAGE[name](folder.database)
    commands: tuple[tuple[str, ...], ...] = (
        SEARCH, ("status", "s"), ("pareto", "s"), ("export", "s", "--to", "out"),
        ("worker", "--study", "s"),
    )  # fmt: skip
    for words in commands:
        console.refuse(1, "study.db: the study's database cannot be used", *words)


def test_an_empty_database_is_no_study_yet(console: Console, folder: StudyFolder) -> None:
    folder.database.write_bytes(b"")
    console.refuse(2, "no study 's'", "status", "s")


def test_somebody_else_s_study_in_the_same_database_is_left_alone(console: Console) -> None:
    url = f"sqlite:///{console.folder}/shared.db"
    theirs = optuna.create_study(study_name="s", storage=url)
    theirs.add_trial(optuna.create_trial(value=1.0))
    console.refuse(2, "study 's'", *SEARCH, "--storage", url)
    console.refuse(2, "study 's'", "status", "s", "--storage", url)
    assert len(optuna.load_study(study_name="s", storage=url).trials) == 1


@pytest.mark.parametrize("marker", [None, "*\n", "/build\n"])
def test_a_folder_of_somebody_else(console: Console, marker: str | None) -> None:
    folder = console.folder / "studies/s"
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("years of work")
    if marker is not None:
        (folder / ".gitignore").write_text(marker)
    for words in (SEARCH, ("status", "s"), ("worker", "--study", "s")):
        console.refuse(2, "studies/s exists and is not a study", *words)


def test_a_database_out_of_reach(console: Console) -> None:
    url = "sqlite:////no/such/folder/x.db"
    console.refuse(1, url, *SEARCH, "--storage", url)
    console.refuse(1, url, "status", "s", "--storage", url)


@dataclass(frozen=True)
class Disk:
    """A file system of its own, of a megabyte."""

    path: Path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    def fill(self) -> None:
        """Not a byte is left."""
        with (self.path / "ballast").open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    return


@pytest.fixture
def disk(console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    path = console.folder / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {result.stderr.strip()}")
    monkeypatch.chdir(path)
    try:
        yield Disk(path)
    finally:
        monkeypatch.chdir(console.folder)
        subprocess.run(["umount", "-l", path], check=True)


COMMANDS_THAT_WRITE: tuple[tuple[str, ...], ...] = (
    SEARCH, ("dashboard", "s"), ("worker", "--study", "s"), ("report", "s"),
    ("upscale", "m.tflite", "in.png", "out.png"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "state"),
    [
        *((words, state) for words in COMMANDS_THAT_WRITE for state in ("full", "read-only")),
        (("pareto", "s"), "full"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_disk_that_takes_nothing(
    console: Console, disk: Disk, template: bytes, words: tuple[str, ...], state: str
) -> None:
    copy_of(template)
    Path("m.tflite").write_bytes(make_tflite())
    write_image(Path("in.png"), np.zeros((64, 64, 3), np.uint8))
    if state == "full":
        disk.fill()
    else:
        disk.remount("ro")
    before = Path("studies/s/study.db").read_bytes()
    code, errors = console.run(*words)
    assert code == 1, errors
    last = errors.splitlines()[-1]
    assert last.startswith("error: ")
    assert "restore" not in last
    assert ("free some space" in last) is (state == "full")
    assert "Traceback" not in errors
    assert Path("studies/s/study.db").read_bytes() == before
    assert not list(disk.path.rglob(".[0-9]*"))


@pytest.mark.parametrize("state", ["full", "read-only"])
@pytest.mark.parametrize("crashed", [False, True], ids=["closed", "crashed"])
def test_a_study_can_be_read_though_its_disk_takes_nothing(
    console: Console, disk: Disk, template: bytes, state: str, crashed: bool
) -> None:
    folder = copy_of(template)
    storage = open_file(folder.database)
    Study(folder, optuna.load_study(study_name="s", storage=storage)).set_budget(Budget(trials=77))
    journal = folder.database.with_name("study.db-wal").read_bytes()
    storage.engine.dispose()
    if crashed:  # what was written last is in the journal alone
        folder.database.write_bytes(template)
        folder.database.with_name("study.db-wal").write_bytes(journal)
    shutil.rmtree("photos")
    if state == "full":
        disk.fill()
    else:
        disk.remount("ro")
        assert console.run("pareto", "s")[0] == 0
    before = console.files()
    assert load_study("s").budget() == Budget(trials=77)
    assert console.run("status", "s") == (0, "")
    code, errors = console.run("report", "s", "--out", str(console.folder / "report.html"))
    assert code == 0, errors
    assert console.files().keys() - before.keys() == {str(console.folder / "report.html")}


def test_a_study_goes_on_when_its_disk_has_room_again(
    console: Console, disk: Disk, template: bytes
) -> None:
    copy_of(template)
    disk.fill()
    assert console.run(*SEARCH)[0] == 1
    (disk.path / "ballast").unlink()
    assert console.run("status", "s") == (0, "")


def test_a_study_that_was_killed_while_it_was_made_is_not_there(
    console: Console, folder: StudyFolder
) -> None:
    with contextlib.closing(sqlite3.connect(folder.database)) as connection, connection:
        connection.execute("DELETE FROM study_user_attributes")
    console.refuse(2, "no study 's'", "status", "s")
