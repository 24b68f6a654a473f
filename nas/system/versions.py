"""Versions of the packages that results depend on."""

from __future__ import annotations

import importlib.metadata

_PACKAGES = (
    "npu-nas", "tensorflow", "keras", "ai-edge-litert", "ethos-u-vela", "optuna", "numpy", "pillow",
)  # fmt: skip


def installed_versions() -> dict[str, str]:
    """Returns the installed versions by package name."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}
