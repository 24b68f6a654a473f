"""Folders and files that are called like something built in: the bare name never means them."""

from __future__ import annotations

from pathlib import Path

import pytest

from latency_models.device import load_device
from latency_models.device_file import device_toml
from nas.data.images import load_data, load_validation
from nas.exporting.source import find_sources
from nas.latency.model_reference import network_path
from nas.searching.study_setup import canonical
from nas.studies.folder import StudyFolder
from nas.studies.settings import StudyRequest
from search_spaces import InputError
from search_spaces.spaces.loading import load_space

from .console import write_photos

NAMES = ("anchor", "vs680", "embedded", "adb:1234", "ABPN", "mine")


@pytest.fixture(autouse=True)
def namesakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a folder for each of NAMES the current folder's."""
    for name in NAMES:
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_search_takes_bare_names_for_what_is_built_in() -> None:
    wish = StudyRequest(space="anchor", device="vs680", data="embedded")
    assert canonical(wish) == wish
    assert canonical(StudyRequest(device="adb:1234")) == StudyRequest(device="adb:1234")


def test_a_search_takes_paths_for_folders(namesakes: Path) -> None:
    said = StudyRequest(space="./anchor", device="./vs680", data="embedded/")
    assert canonical(said) == StudyRequest(
        space=str(namesakes / "anchor"),
        device=str(namesakes / "vs680"),
        data=str(namesakes / "embedded"),
    )
    assert canonical(StudyRequest(data="mine")).data == str(namesakes / "mine")


def test_spaces() -> None:
    assert load_space("anchor").name == "anchor"
    with pytest.raises(InputError, match=r"'\./anchor', did you mean 'anchor'\?; known: .*FILE"):
        load_space("./anchor")


def test_devices() -> None:
    theirs = load_device("vs680")
    own = theirs.model_copy(update={"name": "own", "settings": load_device("host").settings})
    Path("vs680/device.toml").write_text(device_toml(own))
    assert load_device("vs680") == theirs
    for named in ("./vs680", "vs680/", Path("vs680")):
        assert load_device(named).name == "own"
    with pytest.raises(InputError, match="unknown device ''"):
        load_device("")


def test_data() -> None:
    write_photos(Path("embedded"), count=2)
    assert len(load_data("embedded", 3).validation.pairs) == len(
        load_validation("embedded", 3).pairs
    )
    assert {pair.name for pair in load_validation("./embedded", 3).pairs} != {
        pair.name for pair in load_validation("embedded", 3).pairs
    }
    assert len(load_data("./embedded", 3).training.pairs) == 1


@pytest.mark.parametrize("what", ["ABPN", "abpn", "study#3"])
def test_networks(what: str) -> None:
    assert network_path(what) is None
    assert network_path(f"./{what}") == Path(what)


def test_an_export_takes_a_bare_name_for_the_study() -> None:
    StudyFolder.named("mine").create()
    Path("mine/card.json").write_text("{}")
    with pytest.raises(InputError, match="no study 'mine'"):  # its folder has no database yet
        find_sources("mine")
    with pytest.raises(InputError, match=r"card\.json"):
        find_sources("./mine")
