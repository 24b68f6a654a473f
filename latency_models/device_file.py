"""A device written down: the text of a device.toml that reads back as the device."""

from __future__ import annotations

from .device import Device
from .sources.regression.settings import RegressionSettings


def device_toml(device: Device) -> str:
    """What ``load_device`` reads; tables beside the file are the caller's to write.

    A regression's ``confirm`` and ``interval`` are kept.
    """
    import tomlkit

    values = device.model_dump(mode="json", exclude_none=True)
    values["operators"] = "any" if device.operators is None else sorted(device.operators)
    values["input"] = str(device.input)
    if isinstance(device.settings, RegressionSettings):
        values["settings"] |= device.settings.beside
    return tomlkit.dumps(values)
