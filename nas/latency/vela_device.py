"""Writes a device folder from a Vela configuration file, such as vendors of boards provide."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from latency_models import WeightGranularity, Worker
from latency_models.device import Device, load_device
from latency_models.device_file import device_toml
from latency_models.sources.vela import (
    SUPPORTED,
    Accelerator,
    VelaSettings,
    VelaTarget,
    clock_hz_of,
)
from latency_models.sources.vela_config import VelaConfig
from search_spaces import InputSpec, PixelShuffle

from ..system.generated import GeneratedFile

_COMMAND = "nas latency device"
_CONFIG = "vela.ini"
#: Assumed speeds of the CPU in GB/s and GMAC/s, as for the devices of the package: a Cortex-M with
#: an Ethos-U55, an application core with other NPUs.
_CPU_SPEEDS = {"ethos-u55": (0.5, 0.5)}
_DEFAULT_CPU_SPEEDS = (2.0, 4.0)


@dataclass(frozen=True)
class VelaBoard:
    """Options of a board; None selects the only section of the file, or the default."""

    config: Path
    accelerator: Accelerator
    input: InputSpec
    system_config: str | None = None
    memory_mode: str | None = None
    sram_kb: int | None = None
    cpu_bandwidth_gb_per_s: float | None = None
    cpu_gmac_per_s: float | None = None


def write_vela_device(folder: Path, board: VelaBoard, worker: Worker) -> Device:
    """Writes device.toml, the configuration and a card; returns the device read from them.

    Raises InputError if Vela refuses the configuration, or if a file there was changed or written
    by hand.
    """
    config = VelaConfig.read(board.config)
    system = config.system(board.system_config)
    memory = config.memory_mode(board.memory_mode)
    target = VelaTarget(board.accelerator, system, memory, config)
    clock_hz = worker.call(120.0, clock_hz_of, target)
    bandwidth, gmac = _CPU_SPEEDS.get(board.accelerator.rpartition("-")[0], _DEFAULT_CPU_SPEEDS)
    settings = VelaSettings(
        source="vela",
        accelerator=board.accelerator,
        system_config=system,
        memory_mode=memory,
        config=_CONFIG,
        sram_kb=board.sram_kb,
        cpu_bandwidth_gb_per_s=board.cpu_bandwidth_gb_per_s or bandwidth,
        cpu_gmac_per_s=board.cpu_gmac_per_s or gmac,
    )
    device = Device(
        name=_name(folder),
        title=f"{folder.resolve().name}: {board.accelerator}, {clock_hz / 1e6:g} MHz",
        stack=f"ethos-u-vela {SUPPORTED}",
        operators=None,
        weights=WeightGranularity.CHANNEL,
        input=board.input,
        pixel_shuffle=PixelShuffle.ROWS,  # Vela has no DEPTH_TO_SPACE
        settings=settings,
        folder=folder,
    )
    files = _device_file(folder), _card_file(folder), _config_file(folder)
    for file in files:
        file.require_own()
    for file, text in zip(
        files, (device_toml(device), _card(device, settings, clock_hz), config.text), strict=True
    ):
        file.write(text)
    return load_device(folder)


def _name(folder: Path) -> str:
    """Returns a device name: lower-case letters, digits and ``._-``, first a letter or digit."""
    name = re.sub(r"[^a-z0-9._-]", "-", folder.resolve().name.lower())
    return re.sub(r"^[^a-z0-9]+", "", name) or "ethos-u"


def _device_file(folder: Path) -> GeneratedFile:
    return GeneratedFile(folder / "device.toml", _COMMAND)


def _config_file(folder: Path) -> GeneratedFile:
    return GeneratedFile(folder / _CONFIG, _COMMAND, (";", ""))


def _card_file(folder: Path) -> GeneratedFile:
    return GeneratedFile(folder / "README.md", _COMMAND, ("<!--", "-->"))


def _card(device: Device, settings: VelaSettings, clock_hz: float) -> str:
    sram = "not limited" if settings.sram_kb is None else f"{settings.sram_kb} KB"
    rows = (
        ("accelerator", settings.accelerator),
        ("system", f"{settings.system_config}: {clock_hz / 1e6:g} MHz"),
        ("memory mode", settings.memory_mode),
        ("SRAM", sram),
        ("weights", "one scale per channel"),
    )
    lines = [
        f"# {device.title}",
        "",
        f"The times are estimates of Arm's compiler, Vela {SUPPORTED}, for one inference at "
        f"{device.input}. The system and the memory mode are sections of `{_CONFIG}` in this "
        "folder. Nothing was measured.",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
        "",
        "An operator that the NPU leaves to the CPU takes the time to transfer its input and "
        f"output bytes at **{settings.cpu_bandwidth_gb_per_s:g} GB/s**, or to do its "
        f"multiply-accumulates at **{settings.cpu_gmac_per_s:g} GMAC/s**, whichever is longer. "
        "Both speeds are assumptions, which can be changed in `device.toml`.",
        "",
    ]
    return "\n".join(lines)
