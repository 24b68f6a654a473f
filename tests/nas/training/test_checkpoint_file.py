"""A checkpoint that is no checkpoint, or another's: one line, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.system.files import write_arrays
from nas.training.checkpoint_file import CheckpointFile
from nas.training.job import Phase, TrainingSeconds
from nas.training.trainer import Checkpoint
from search_spaces import InputError, NasError

IDENTITY = {"candidate": "a", "steps": 10}
ONES = {"a": np.ones(2, np.float32)}
CHECKPOINT = Checkpoint(Phase.INT8, 3, ONES, TrainingSeconds(2.0, 1.0), {Phase.FLOAT: ONES})


def written(path: Path) -> CheckpointFile:
    file = CheckpointFile(path, IDENTITY)
    file.write(CHECKPOINT)
    return file


def test_it_is_gone_on_from(tmp_path: Path) -> None:
    file = written(tmp_path / "c.npz")
    found = file.read()
    assert found is not None
    assert (found.phase, found.step, found.seconds) == (Phase.INT8, 3, CHECKPOINT.seconds)
    assert found.state["a"].tolist() == found.finished[Phase.FLOAT]["a"].tolist() == [1, 1]
    file.path.unlink()
    assert file.read() is None  # there is none: it begins


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_one_that_is_cut_off(tmp_path: Path, share: float) -> None:
    file = written(tmp_path / "c.npz")
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(NasError, match=r"c\.npz: the checkpoint cannot be read .*delete it"):
        file.read()


@pytest.mark.parametrize(
    "about",
    ["", "3", "{}", '{"phase": "nap", "step": 1, "identity": 0}', '{"phase": "float", "step": []}'],
)
def test_one_that_says_nothing_of_itself(tmp_path: Path, about: str) -> None:
    write_arrays(tmp_path / "c.npz", {"about": np.array(about)})
    with pytest.raises(NasError, match=r"c\.npz: the checkpoint cannot be read"):
        CheckpointFile(tmp_path / "c.npz", IDENTITY).read()


@pytest.mark.parametrize("arrays", [{}, {"state|a": np.ones(2), "nowhere|a": np.ones(2)}])
def test_one_that_lacks_values(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    file = written(tmp_path / "c.npz")
    with np.load(file.path) as kept:
        about = kept["about"]
    write_arrays(file.path, {"about": about, **arrays})
    with pytest.raises(NasError, match=r"c\.npz: the checkpoint cannot be read"):
        file.read()


def test_one_of_another_training(tmp_path: Path) -> None:
    written(tmp_path / "c.npz")
    with pytest.raises(InputError, match="another training"):
        CheckpointFile(tmp_path / "c.npz", {**IDENTITY, "steps": 20}).read()
