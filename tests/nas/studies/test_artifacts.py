"""Models that any machine may export: where they are put, and how another machine gets them."""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
import pytest
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.trial import TrialState

from nas.studies.artifacts import ArtifactError, ArtifactPlace
from nas.studies.folder import MODEL, WEIGHTS, StudyFolder
from nas.studies.models import bring_model, is_shared, share_model
from nas.studies.record import CANDIDATE_KEY, TrialRecord
from nas.studies.study import Study, create_study, load_study
from search_spaces import InputError, NasError

from ..commands import execute
from ..records import make_result
from ..s3 import SECRET, s3, s3_server
from .test_study import SETTINGS

__all__ = ["s3", "s3_server"]


@pytest.fixture(params=["folder", "S3", "S3 with a prefix"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "shared" / "models")
    bucket: str = request.getfixturevalue("s3")
    return bucket if request.param == "S3" else f"{bucket}/team/nas"


def test_a_store_keeps_what_it_is_given(place: str) -> None:
    store = ArtifactPlace.parse(place).open()
    store.require_writable()
    for content in (b"old", b"", b"new" * 100_000):
        store.keep("model", content)
        assert store.read("model") == content
    assert store.holds("model")
    store.remove("model")
    assert not store.holds("model")
    with pytest.raises(ArtifactNotFound):
        store.read("model")


def test_a_prefix_comes_before_every_name(s3: str) -> None:
    ArtifactPlace.parse(f"{s3}/team/nas/").open().keep("model", b"x")
    found = boto3.client("s3").list_objects_v2(Bucket="models", Prefix="team/")["Contents"]
    assert [row["Key"] for row in found] == ["team/nas/model"]


@pytest.mark.parametrize("place", ["/a/folder", "s3://bucket", "s3://bucket/a/b"])
def test_places_are_read_as_they_are_written(place: str) -> None:
    assert str(ArtifactPlace.parse(place)) == place


def test_a_folder_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(ArtifactPlace.parse("models")) == str(tmp_path / "models")


@pytest.mark.parametrize(
    "word",
    ["", "s3://", "s3:///x", "gs://bucket", "http://host/x", "s3://a:SECRET@bucket/x",
     "s3://bucket?token=SECRET", "s3://bucket#x", "postgresql://a:SECRET@host/x"],
)  # fmt: skip
def test_what_is_no_place_is_told_without_a_secret(word: str) -> None:
    with pytest.raises(InputError, match="artifacts") as error:
        ArtifactPlace.parse(word)
    assert "SECRET" not in str(error.value)


def test_a_place_that_takes_nothing_ends_a_search_before_it_begins(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("time.sleep", lambda _: None)  # boto3's own tries
    for place, told in ((str(tmp_path / "file"), "exists"), ("s3://none", "NoSuchBucket")):
        answer = execute(tmp_path, "search", "--budget", "1", "--artifacts", place)
        assert answer.code == 1
        assert f"artifacts {place}: cannot be used" in answer.errors
        assert told in answer.errors
        assert SECRET not in answer.errors
    assert not (tmp_path / "studies").exists()


def test_what_is_to_be_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(NasError, match=r"pip install 'npu-nas\[s3\]'"):
        ArtifactPlace.parse("s3://bucket").open()


def trained(study: Study, candidate: str) -> TrialRecord:
    """A trial that left files here, as a worker leaves it."""
    trial = study.optuna.ask()
    trial.set_user_attr(CANDIDATE_KEY, candidate)
    folder = study.folder.model(candidate)
    folder.mkdir()
    (folder / MODEL).write_bytes(f"model of {candidate}".encode())
    (folder / WEIGHTS).write_bytes(b"weights")
    share_model(study, trial, candidate)
    for name, value in make_result().to_attributes().items():
        trial.set_user_attr(name, value)
    study.optuna.tell(trial, 1.0)
    return study.records()[-1]


def test_another_machine_gets_what_it_lacks(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders stand for machines."""
    url = f"sqlite:///{tmp_path}/shared.db"
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    study = create_study(StudyFolder.named("s"), url, SETTINGS)
    before = trained(study, "before")
    study.set_artifacts(ArtifactPlace.parse(place))
    records = [trained(study, name) for name in ("a", "b")]
    monkeypatch.chdir(there)
    other = load_study("s", url)
    assert not (bring_model(other, before) / MODEL).exists()
    for record in records:
        folder = bring_model(other, record)
        assert folder.resolve() == there / "studies/s/models" / (record.candidate or "")
        assert (folder / MODEL).read_bytes() == f"model of {record.candidate}".encode()
        assert (folder / WEIGHTS).read_bytes() == b"weights"
    assert other.folder.is_ours
    assert [is_shared(other, number) for number in range(3)] == [False, True, True]
    (folder / MODEL).write_bytes(b"of this machine")
    assert (bring_model(other, record) / MODEL).read_bytes() == b"of this machine"


def test_what_was_removed_is_missing_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = create_study(StudyFolder.named("s"), None, SETTINGS)
    study.set_artifacts(ArtifactPlace.parse("kept"))
    record = trained(study, "a")
    for path in (*study.folder.model("a").iterdir(), *(tmp_path / "kept").iterdir()):
        path.unlink()
    assert not (bring_model(study, record) / MODEL).exists()


def test_a_full_store_is_no_fault_of_the_candidate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = create_study(StudyFolder.named("s"), None, SETTINGS)
    study.set_artifacts(ArtifactPlace.parse("kept"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nas.studies.artifacts._AtomicFolderStore.write", full)
    with pytest.raises(ArtifactError, match=r"kept: cannot be used \(No space left on device\)"):
        trained(study, "a")
    (trial,) = study.optuna.get_trials()
    assert trial.state is TrialState.RUNNING
