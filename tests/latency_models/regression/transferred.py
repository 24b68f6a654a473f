"""A device whose model is another's, brought over by ten measurements."""

from __future__ import annotations

from pathlib import Path

from latency_models.device import load_device
from latency_models.device_file import device_toml
from latency_models.sources.regression import write_measurements
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from latency_models.sources.regression.source import read_table


def write_transferred(folder: Path) -> Path:
    """A device folder: the Dimensity 8100's Neuron, from ten of its times and NNAPI's model."""
    donor, device = load_device("dimensity8100-nnapi"), load_device("dimensity8100-neuron")
    assert isinstance(donor.settings, RegressionSettings)
    brought = donor.settings.model_copy(update={"transfer_from": "donor.csv"})
    text = device_toml(device.model_copy(update={"settings": brought}))
    (folder / "device.toml").write_text(text)
    (folder / "donor.csv").write_bytes((donor.folder / TABLE).read_bytes())
    rows = read_table(device.folder / TABLE)[::3][:10]
    (folder / TABLE).write_text(write_measurements(rows))
    return folder
