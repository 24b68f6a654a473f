"""Versions of the packages that decide a result."""

from __future__ import annotations

import importlib.metadata

_PACKAGES = (
    "npu-nas", "tensorflow", "keras", "ai-edge-litert", "ethos-u-vela", "optuna", "numpy", "pillow",
)  # fmt: skip


def installed_versions() -> dict[str, str]:
    """Versions of the packages that decide a result."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}
