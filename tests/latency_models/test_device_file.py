from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from latency_models import Worker
from latency_models.device import device_names, load_device, open_source
from latency_models.device_file import device_toml
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from search_spaces import InputError

from .regression.transferred import write_transferred


@pytest.mark.parametrize("name", device_names())
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    device = load_device(name)
    folder = tmp_path / "copy"
    shutil.copytree(str(device.folder), folder)
    (folder / "device.toml").write_text(device_toml(device))
    copy = load_device(folder)
    assert copy.model_copy(update={"folder": device.folder}) == device
    assert copy.fingerprint == device.fingerprint


def test_a_device_is_the_same_whoever_confirms_it_and_another_with_another_donor(
    tmp_path: Path,
) -> None:
    device = load_device(write_transferred(tmp_path))
    fingerprint = device.fingerprint
    assert isinstance(device.settings, RegressionSettings)
    confirmed = device.settings.model_copy(update={"confirm": "host"})
    text = device_toml(device.model_copy(update={"settings": confirmed}))
    (tmp_path / "device.toml").write_text(text)
    same = load_device(tmp_path)
    assert isinstance(same.settings, RegressionSettings)
    assert same.settings.confirm == "host"
    assert same.fingerprint == fingerprint

    donor = tmp_path / "donor.csv"
    donor.write_text("\n".join(donor.read_text().splitlines()[:-1]))
    assert load_device(tmp_path).fingerprint != fingerprint
    donor.unlink()
    with pytest.raises(InputError, match=r"donor\.csv: cannot be read"):
        open_source(same, Worker())
    assert (tmp_path / TABLE).exists()
