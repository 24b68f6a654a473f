from . import errors, zoo
from .api.latencies import measure_latency, predict_latency
from .api.models import check, evaluate
from .api.shipped import get_model, models
from .api.studies import export, findings, load_study, report, search
from .api.training import train
from .api.upscaling import upscale
from .data.arrays import Images

__all__ = [
    "Images", "check", "errors", "evaluate", "export", "findings", "get_model", "load_study",
    "measure_latency", "models", "predict_latency", "report", "search", "train", "upscale", "zoo",
]  # fmt: skip
