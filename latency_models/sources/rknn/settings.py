"""The settings of an rknn-toolkit2 device in device.toml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from ..cpu_fallback import CpuFallback
from ..settings import PositiveSeconds, SettingsTable, SourcePlace, SourceSettings
from .calibration import Calibration
from .source import RknnPrices, RknnSource
from .toolkit import Toolkit, find_interpreter


class CalibrationSettings(SettingsTable):
    """The fields of ``Calibration``; the device's card says where their values come from."""

    us_per_layer: NonNegativeFloat
    us_per_ddr_kcycle: NonNegativeFloat
    us_per_npu_kcycle: NonNegativeFloat
    us_per_looked_up_mb: NonNegativeFloat
    bytes_per_ddr_cycle: PositiveFloat


class RknnSettings(SourceSettings):
    """A device whose latencies rknn-toolkit2 estimates, and the prices of its cycles."""

    source: Literal["rknn"]
    #: NPUs of the RK3588 family; each needs a calibration of its own
    platform: Literal["rk3562", "rk3566", "rk3568", "rk3576", "rk3588"]
    #: path of a Python that has rknn-toolkit2; None: the value of $NAS_RKNN_PYTHON
    interpreter: str | None = None
    calibration: CalibrationSettings
    layer_error: Annotated[float, Field(gt=0, lt=1)]
    transfer_gb_per_s: PositiveFloat
    #: speed of the CPU, which runs operators that the NPU cannot; assumed, see the device's card
    cpu_bandwidth_gb_per_s: PositiveFloat
    cpu_gmac_per_s: PositiveFloat
    timeout_seconds: PositiveSeconds = 300.0

    def compiler(self) -> str:
        """Name and version of the compiler; NoToolkitError if no interpreter is named."""
        return self._toolkit().compiler()

    def open(self, place: SourcePlace) -> RknnSource:
        """The latency source of this device; NoToolkitError if no interpreter is named."""
        prices = RknnPrices(
            Calibration(**self.calibration.model_dump()),
            self.layer_error,
            CpuFallback(self.cpu_bandwidth_gb_per_s, self.cpu_gmac_per_s),
            self.transfer_gb_per_s,
        )
        return RknnSource(self._toolkit(), prices)

    def _toolkit(self) -> Toolkit:
        return Toolkit(find_interpreter(self.interpreter), self.platform, self.timeout_seconds)
