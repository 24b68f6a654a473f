"""Checks what this machine can do, by converting and timing a small model."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from latency_models import Worker
from latency_models.device import device_names, load_device, open_source
from latency_models.sources.adb import attached, server_runs
from latency_models.sources.rknn.toolkit import NoToolkitError
from search_spaces import InputSpec, NasError, zoo

from ..evaluation.evaluator import untrained_request, untrained_tflite
from ..system.cores import Cores, has_bfloat16
from ..system.versions import installed_versions
from ..training.gpus import describe_gpus

_SPEC = InputSpec(36, 64)
_MIN_FREE_GB = 2.0


@dataclass(frozen=True)
class MachineCheck:
    """Result of one check."""

    name: str
    ok: bool
    detail: str


def examine() -> list[MachineCheck]:
    """Checks machine, disk, GPUs, converter and adb, and times a model for all shipped devices."""
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions().items())
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    writable = os.access(Path.cwd(), os.W_OK)
    checks = [
        MachineCheck("python", True, f"{platform.python_version()} on {platform.platform()}"),
        MachineCheck("packages", True, versions),
        MachineCheck(
            "processor",
            True,
            f"{Cores.available().count} cores, bfloat16 {'yes' if has_bfloat16() else 'no'}",
        ),
        MachineCheck(
            "disk",
            free_gb >= _MIN_FREE_GB and writable,
            f"{free_gb:.1f} GB free in {Path.cwd()}{'' if writable else ', not writable'}",
        ),
    ]
    with Worker() as worker:
        checks.append(_attempt_check("gpu", partial(describe_gpus, worker)))
        checks.append(_attempt_check("converter", partial(_convert_abpn, worker)))
        for name in device_names():
            checks.append(_attempt_check(f"device {name}", partial(_time_abpn, name, worker)))
    checks.append(_attempt_check("adb", attached_devices))
    return checks


def _attempt_check(name: str, attempt: Callable[[], str]) -> MachineCheck:
    try:
        return MachineCheck(name, True, attempt())
    except NoToolkitError as error:
        return MachineCheck(name, True, f"not set up: {error}")
    except NasError as error:
        return MachineCheck(name, False, str(error))


def _convert_abpn(worker: Worker) -> str:
    device = load_device(device_names()[0])
    tflite = untrained_tflite(worker, zoo.abpn(3), _SPEC, device.weights)
    return f"TensorFlow makes an integer-only ABPN of {len(tflite) / 1000:.0f} KB"


def _time_abpn(name: str, worker: Worker) -> str:
    device = load_device(name)
    request = untrained_request(worker, zoo.abpn(3), _SPEC, device.weights, "ABPN")
    latency = open_source(device, worker).measure(request)
    return f"ABPN at {_SPEC} takes {latency.ms:.2f} ms ({latency.source})"


def attached_devices() -> str:
    """Returns the devices that the adb server lists; does not start a server."""
    if not server_runs():
        return "no server runs; `adb start-server`, or the first measurement, starts one"
    listed = ", ".join(f"{device.serial} ({device.state})" for device in attached())
    return f"devices: {listed or 'none'}"
