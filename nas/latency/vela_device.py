"""Writes a device folder from a Vela configuration file, as vendors of boards provide it."""

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
_INI = "vela.ini"
#: Assumed speed of the CPU, GB/s and GMAC/s: a Cortex-M beside an Ethos-U55, else an application
#: core, as for the devices of the package.
_CPU = {"ethos-u55": (0.5, 0.5)}
_APPLICATION_CPU = (2.0, 4.0)


@dataclass(frozen=True)
class VelaBoard:
    """Options of a board; None: the only section of the file, or the default."""

    config: Path
    accelerator: Accelerator
    input: InputSpec
    system_config: str | None = None
    memory_mode: str | None = None
    sram_kb: int | None = None
    cpu_bandwidth_gb_per_s: float | None = None
    cpu_gmac_per_s: float | None = None


def write_vela_device(folder: Path, board: VelaBoard, worker: Worker) -> Device:
    """Writes device.toml, the configuration and a card; the device that is read from them.

    InputError if Vela refuses the configuration, or if a file there was written or changed by hand.
    """
    config = VelaConfig.read(board.config)
    system = config.system(board.system_config)
    memory = config.memory_mode(board.memory_mode)
    target = VelaTarget(board.accelerator, system, memory, config)
    clock_hz = worker.call(120.0, clock_hz_of, target)
    bandwidth, gmac = _CPU.get(board.accelerator.rpartition("-")[0], _APPLICATION_CPU)
    settings = VelaSettings(
        source="vela",
        accelerator=board.accelerator,
        system_config=system,
        memory_mode=memory,
        config=_INI,
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
    """A device name: lower-case letters, digits, dots and dashes, first a letter or digit."""
    name = re.sub(r"[^a-z0-9._-]", "-", folder.resolve().name.lower())
    return re.sub(r"^[^a-z0-9]+", "", name) or "ethos-u"


def _device_file(folder: Path) -> GeneratedFile:
    return GeneratedFile(folder / "device.toml", _COMMAND)


def _config_file(folder: Path) -> GeneratedFile:
    return GeneratedFile(folder / _INI, _COMMAND, (";", ""))


def _card_file(folder: Path) -> GeneratedFile:
    return GeneratedFile(folder / "README.md", _COMMAND, ("<!--", "-->"))


def _card(device: Device, settings: VelaSettings, clock_hz: float) -> str:
    sram = "not limited" if settings.sram_kb is None else f"{settings.sram_kb} KB"
    rows = (
        ("accelerator", settings.accelerator),
        ("system", f"{settings.system_config}: {clock_hz / 1e6:g} MHz"),
        ("memory mode", settings.memory_mode),
        ("SRAM", sram),
        ("weights", "one scale a channel"),
    )
    lines = [
        f"# {device.title}",
        "",
        f"Times are those of Arm's compiler, Vela {SUPPORTED}, for one inference at "
        f"{device.input}. System and memory mode are sections of `{_INI}` beside this card; "
        "nothing was measured.",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
        "",
        "What the NPU leaves to the CPU costs its bytes in and out at "
        f"**{settings.cpu_bandwidth_gb_per_s:g} GB/s**, or its multiply-accumulates at "
        f"**{settings.cpu_gmac_per_s:g} GMAC/s** where that takes longer: assumptions, to be "
        "changed in `device.toml`.",
        "",
    ]
    return "\n".join(lines)
