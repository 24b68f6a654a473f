"""Architecture search for INT8 super-resolution on NPUs. The command line is ``nas``.

The same from Python: ``search``, ``train``, ``evaluate``, ``check``, ``predict_latency``,
``measure_latency``, ``report``, ``export``, ``upscale``; ``load_study`` and ``findings`` of a study
that there is; ``models`` and ``get_model`` for those that come with the package; ``Images`` for
photographs in memory; ``errors`` and ``zoo``. Each is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search_spaces import zoo

    from . import errors
    from .api.latencies import measure_latency, predict_latency
    from .api.models import check, evaluate
    from .api.shipped import get_model, models
    from .api.studies import export, findings, load_study, report, search
    from .api.training import train
    from .api.upscaling import upscale
    from .data.arrays import Images
else:
    _MODULES = {"errors": "nas.errors", "zoo": "search_spaces.zoo"}
    _HOMES = {
        "nas.api.latencies": ("measure_latency", "predict_latency"),
        "nas.api.models": ("check", "evaluate"),
        "nas.api.shipped": ("get_model", "models"),
        "nas.api.studies": ("export", "findings", "load_study", "report", "search"),
        "nas.api.training": ("train",),
        "nas.api.upscaling": ("upscale",),
        "nas.data.arrays": ("Images",),
    }

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return importlib.import_module(_MODULES[name])
        for home, names in _HOMES.items():
            if name in names:
                return getattr(importlib.import_module(home), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Images", "check", "errors", "evaluate", "export", "findings", "get_model", "load_study",
    "measure_latency", "models", "predict_latency", "report", "search", "train", "upscale", "zoo",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
