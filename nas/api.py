"""What ``import nas`` offers: the commands' work as functions, with typed values in and out.

Errors are those of the command line: InputError for a wrong argument or file, CandidateError (of it
LatencyError) for a model that fails, NasError for the environment. Native code runs in a worker
process that imports the script, which calls these functions under ``if __name__ == "__main__":``.
"""

from __future__ import annotations

from pathlib import Path

from latency_models import Latency, Worker
from latency_models.device import load_device, open_source
from search_spaces import Candidate, Graph, InputSpec

from .choices import Objective, Precision, Quantization, SamplerKind
from .data.images import EMBEDDED, load_validation
from .evaluation.evaluator import untrained_request
from .evaluation.inference import open_enlarger
from .latency.query import time_model
from .quality.metrics import Quality
from .quality.metrics import evaluate as judge
from .searching.run import SearchOutcome, run_search
from .studies.options import SearchOptions
from .studies.results import findings
from .studies.study import Study
from .studies.study import load_study as _load_study

__all__ = ["evaluate", "findings", "load_study", "predict_latency", "search"]


def search(
    budget: str,
    *,
    study: str | None = None,
    space: str | None = None,
    device: str | None = None,
    data: str | None = None,
    input: str | None = None,
    scale: int | None = None,
    objective: Objective | str | None = None,
    sampler: SamplerKind | str | None = None,
    quantize: Quantization | str | None = None,
    max_latency_ms: float | None = None,
    confirm: str | None = None,
    seed: int | None = None,
    trial_seconds: float | None = None,
    steps: int | None = None,
    precision: Precision | str | None = None,
    baselines: bool | None = None,
    workers: int = 1,
    storage: str | None = None,
) -> SearchOutcome:
    """Searches a space for the best INT8 networks; the same call continues its study.

    Called in the main thread. Files go to ``./studies/STUDY``; progress to standard error.

    ``budget`` is the study's total: "30m", "50" trained trials, or "50,2h". ``space`` is a name or
    a file with ``sample(trial, scale)``; ``device`` a name, a folder or "adb:SERIAL"; ``data`` a
    folder of photographs or "embedded"; ``input`` the LR size in pixels, "360x640";
    ``confirm`` a device that measures the best where the latencies are predictions;
    ``trial_seconds`` the seconds that gradient steps of one ABPN take, or ``steps`` their number;
    ``precision`` what convolutions are trained in, "float32" or "bfloat16". None: what the study
    was made with, or the default that ``nas search --help`` tells.

    Returns the study and its Pareto front, best score first, where the score is 2^(2 PSNR) / (C ms)
    of the Mobile AI 2021 report (arXiv:2105.07825, section 2.5), on the study's own images. Raises
    InputError if an argument is wrong or is not what the study was made with.
    """
    return run_search(SearchOptions.of(locals()))


def load_study(name: str, storage: str | None = None) -> Study:
    """The study ``./studies/NAME``, or that of a shared database.

    ``records()`` are its trials with their results, PSNR in dB and runtimes in ms; ``findings`` of
    it is the Pareto front. Raises InputError if there is no such study, and lists those that are;
    NasError if its database is damaged or out of reach.
    """
    return _load_study(name, storage)


def evaluate(model: str | Path, data: str = EMBEDDED, *, luma: bool = False) -> Quality:
    """PSNR in dB and SSIM of an integer-only TFLite file, per image and mean, on RGB.

    Images of any size go through it in tiles of the model's own size, or whole if that is left
    open; ``scale`` pixels of border are left out. ``data`` is a folder of HR images or "embedded";
    LR images are the folder's own, or made by antialiased bicubic. PSNR has peak 255 and is at most
    100 dB; SSIM is that of Wang et al., 2004. ``luma`` asks for those of the Y channel, too (BT.601
    in studio range), as papers report them. ``skipped`` of the answer are the images left out.
    Raises InputError if the file is no integer-only super-resolution model, or the folder
    holds no usable image.
    """
    with Worker() as worker:
        upscaler = open_enlarger(Path(model), worker)
        return judge(upscaler.upscale, load_validation(data, upscaler.scale), luma=luma)


def predict_latency(
    model: str | Path | Graph | Candidate,
    device: str,
    *,
    input: str | None = None,
    scale: int = 3,
) -> Latency:
    """Time of one inference on ``device`` in ms, its interval, and the time of every operator.

    ``model`` is a TFLite file, the name of a zoo network (``scale`` is for it), "STUDY#TRIAL", or a
    graph. ``input`` is the LR size in pixels, "360x640" (None: the device's own, or the
    file's). By the device's own source: its compiler, a regression, or, of a device that is there
    to be measured, a measurement. Raises InputError for an unknown model or device, LatencyError
    if the source cannot answer.
    """
    if isinstance(model, Path):
        model = str(model.absolute())  # a file, though it be called like a network of the zoo
    if isinstance(model, str):
        return time_model(model, device, input, scale)
    target = load_device(device)
    graph = model.deployed if isinstance(model, Candidate) else model
    spec = target.input if input is None else InputSpec.parse(input)
    with Worker() as worker:
        request = untrained_request(worker, graph, spec, target.weights)
        return open_source(target, worker).measure(request)
