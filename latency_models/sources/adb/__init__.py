"""Real devices over adb: a program on the device times the model, and its output is checked."""

from .errors import DeviceError, DeviceLost
from .server import Attached, attached, server_runs
from .source import AdbSource

__all__ = ["AdbSource", "Attached", "DeviceError", "DeviceLost", "attached", "server_runs"]
