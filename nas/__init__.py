"""Architecture search for INT8 super-resolution on NPUs. The command line is ``nas``.

The same from Python: ``search``, ``load_study``, ``findings``, ``evaluate``, ``predict_latency``,
``zoo``; each is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search_spaces import zoo

    from .api import evaluate, findings, load_study, predict_latency, search
else:

    def __getattr__(name: str) -> object:
        if name == "zoo":
            return importlib.import_module("search_spaces.zoo")
        if name in __all__:
            return getattr(importlib.import_module(".api", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["evaluate", "findings", "load_study", "predict_latency", "search", "zoo"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
