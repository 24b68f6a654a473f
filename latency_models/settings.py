"""What every table of a device.toml has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SettingsTable(BaseModel):
    """A table as written: no unknown key, no value of another type, never changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def tables(self) -> tuple[str, ...]:
        """Files beside device.toml that latencies rest on."""
        return ()
