"""Writes a device as the text of a device.toml."""

from __future__ import annotations

from .device import Device
from .sources.regression.settings import RegressionSettings


def device_toml(device: Device) -> str:
    """Returns the text of a device.toml that ``load_device`` reads as ``device``.

    It includes a regression's ``confirm`` and ``interval``. The caller writes the tables that the
    file names.
    """
    import tomlkit

    values = device.model_dump(mode="json", exclude_none=True)
    values["operators"] = "any" if device.operators is None else sorted(device.operators)
    values["input"] = str(device.input)
    if isinstance(device.settings, RegressionSettings):
        values["settings"] |= device.settings.non_latency_settings
    return tomlkit.dumps(values)
