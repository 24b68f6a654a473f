"""Reads the conditions of a measurement from the device, as far as possible."""

from __future__ import annotations

import re
import shlex

from .connection import Connection
from .errors import DeviceError
from .server import PROMPT_SECONDS

#: Prints a line for each fact, empty if the device lacks a file or a program for it.
_SCRIPT = """
echo "model=$(getprop ro.product.model)"
echo "build=$(getprop ro.build.fingerprint)"
echo "linux=$(uname -r)"
echo "governor=$(cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor | sort -u | xargs)"
echo "tool_sha256=$(sha256sum "$(command -v {tool})" | cut -c 1-12)"
for zone in /sys/class/thermal/thermal_zone*; do echo "zone=$(cat $zone/temp)"; done
"""
_FACT = re.compile(r"(\w+)=(\S.*)")
#: Kernels report thousandths of a degree or degrees; unused sensors report impossible values.
_MILLIDEGREES_FROM = 1000.0
_PLAUSIBLE_CELSIUS = (-40.0, 150.0)


def read_conditions(connection: Connection, tool: str) -> tuple[tuple[str, str], ...]:
    """Reads model, build, kernel, governors, the tool's checksum, and the temperature.

    Returns pairs (name, value) of those that can be read. ``temperature_c`` is that of the hottest
    thermal zone, in degrees Celsius.
    """
    script = _SCRIPT.format(tool=shlex.quote(tool))
    text = connection.run(f"{{ {script} }} 2>/dev/null", PROMPT_SECONDS).text
    lines = [match.groups() for line in text.splitlines() if (match := _FACT.fullmatch(line))]
    facts = {key: value.strip() for key, value in lines if key != "zone"}
    zones = [celsius for key, value in lines if key == "zone" for celsius in _degrees(value)]
    if zones:
        facts["temperature_c"] = f"{max(zones):.1f}"
    return tuple(facts.items())


def read_temperature_c(connection: Connection, tool: str) -> str | None:
    """Reads the temperature of the hottest zone in degrees Celsius; None if that is impossible."""
    try:
        return dict(read_conditions(connection, tool)).get("temperature_c")
    except DeviceError:
        return None


def _degrees(value: str) -> tuple[float, ...]:
    """Returns the temperature in degrees Celsius, or nothing if ``value`` is implausible."""
    try:
        number = float(value)
    except ValueError:
        return ()
    celsius = number / 1000 if abs(number) >= _MILLIDEGREES_FROM else number
    return (celsius,) if _PLAUSIBLE_CELSIUS[0] <= celsius <= _PLAUSIBLE_CELSIUS[1] else ()
