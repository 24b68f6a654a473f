"""Times models on real devices over adb, by a program on the device whose output is checked."""

from .errors import DeviceError, DeviceLost
from .server import Attached, attached, server_runs
from .source import AdbSource

__all__ = ["AdbSource", "Attached", "DeviceError", "DeviceLost", "attached", "server_runs"]
