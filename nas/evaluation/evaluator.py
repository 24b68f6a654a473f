"""Evaluates a candidate: its latency, and, after training and conversion to INT8, its quality."""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean
from typing import ParamSpec

from latency_models import Latency, LatencyRequest, LatencySource, WeightGranularity, Worker
from search_spaces import Candidate, CandidateError, Graph, InputSpec

from ..choices import Quantization
from ..data.images import Data
from ..data.pixels import Pixels
from ..quality.image_quality import ModelQuality, Quality, evaluate
from ..training.job import Progress, TrainingJob, TrainingResult, Weights
from ..training.recipe import Recipe
from ..training.stalling import StallWatch, judging_steps
from .inference import TfliteUpscaler

P = ParamSpec("P")

#: Time limit of the converter; the largest network of the search spaces takes some seconds.
CONVERSION_TIMEOUT_SECONDS = 300.0
#: Number of latencies kept by ``latency_ahead``: later choices include some of the same networks,
#: and candidates that differ only in training.
_LATENCIES_AHEAD = 64
#: Allowed PSNR difference between the integer file and the fake-quantized network, in addition to
#: what rounding costs the network. Kernels of the runtime round a few values to the neighboring
#: level; in a network that amplifies such errors, they cost as much as rounding itself.
MAX_PARITY_GAP_DB = 0.02
#: PSNR loss by post-training quantization above which INT8 training follows.
MAX_DROP_DB = 0.05


#: Module that worker processes of evaluators import ahead, for ``import_for_workers``.
IMPORTS_OF_WORKERS = "nas.training.tensorflow_import"


@dataclass(frozen=True)
class StageSeconds:
    """Seconds of each stage of an evaluation; ``gradient`` is included in ``training``."""

    training: float
    gradient: float
    conversion: float
    quality: float

    @property
    def total(self) -> float:
        """Seconds of all stages together."""
        return self.training + self.conversion + self.quality

    def after(self, before: StageSeconds) -> StageSeconds:
        """Returns the seconds of two evaluations, of which this one continued ``before``.

        Its training time already includes that of ``before``.
        """
        return replace(
            self,
            conversion=before.conversion + self.conversion,
            quality=before.quality + self.quality,
        )


@dataclass(frozen=True)
class EvaluatedCandidate:
    """A trained candidate: its integer-only file, its weights, and the quality of both."""

    tflite: bytes = field(repr=False)
    training: TrainingResult = field(repr=False)
    #: quality of the integer file
    quality: Quality
    stages: StageSeconds

    @property
    def float_quality(self) -> Quality:
        """Quality of the floating-point network."""
        return self.training.float_quality

    @property
    def means(self) -> ModelQuality:
        """Mean quality of the file and of the floating-point network, as stored in results."""
        return ModelQuality.of(self.quality, self.float_quality)

    @property
    def drop_db(self) -> float:
        """PSNR lost by INT8 quantization, in dB; negative for a gain."""
        return self.means.drop_db


@dataclass(frozen=True)
class CandidateEvaluator:
    """Evaluates the candidates of one study in a worker process. Not thread-safe."""

    source: LatencySource
    worker: Worker
    data: Data
    recipe: Recipe
    input: InputSpec
    granularity: WeightGranularity
    threads: int
    #: results of ``latency_ahead`` by the hash of the graph
    latencies_ahead: dict[str, Latency] = field(default_factory=dict, repr=False, compare=False)

    def start(self) -> None:
        """Starts the worker and its imports before the first request."""
        self.worker.begin(_import_tensorflow)

    def renew(self) -> None:
        """Replaces the worker, whose memory use grows with every network that it compiles."""
        self.worker.close()
        self.start()

    def latency(self, graph: Graph) -> Latency:
        """Returns the latency of the deployed ``graph`` on the study's device, before training.

        Uses the result of ``latency_ahead`` for the same graph if there is one.
        """
        known = self.latencies_ahead.get(graph.hash)
        return self.fresh_latency(graph) if known is None else known

    def latency_ahead(self, graph: Graph) -> Latency:
        """As ``latency``, for several networks of which one will be chosen; keeps the result."""
        if graph.hash not in self.latencies_ahead:
            self.latencies_ahead[graph.hash] = self.fresh_latency(graph)
            if len(self.latencies_ahead) > _LATENCIES_AHEAD:
                del self.latencies_ahead[next(iter(self.latencies_ahead))]  # the oldest
        return self.latencies_ahead[graph.hash]

    def fresh_latency(self, graph: Graph) -> Latency:
        """As ``latency``, without results of ``latency_ahead``."""
        request = untrained_request(self.worker, graph, self.input, self.granularity)
        return self.source.measure(request)

    def latency_of_file(self, graph: Graph, tflite: bytes) -> Latency:
        """As ``latency``, for the file of the trained network."""
        return self.source.measure(LatencyRequest.of_graph(graph, self.input, lambda: tflite))

    def job(self, candidate: Candidate, seed: int) -> TrainingJob:
        """Returns the training job of ``candidate`` in this study."""
        return TrainingJob(candidate, self.recipe, self.granularity, seed, self.input)

    def evaluate(
        self, candidate: Candidate, seed: int, observe: Callable[[Progress], None]
    ) -> EvaluatedCandidate:
        """Trains in the worker, converts, and measures quality.

        The network is quantized after its training. If that costs too much PSNR, or the recipe
        requires it, the network is also trained with INT8 rounding, and the better file is kept.
        ``observe`` is called periodically with the training's progress.

        Raises CandidateError, naming the stage that failed, and WorkerError if the worker crashes
        or a training makes no step for much longer than its steps take.
        """
        job = self.job(candidate, seed)
        result = self._train_in_worker(observe, _run_training, job, self.data)
        quantized = self.complete(job, result)
        if not _calls_for_int8_training(self.recipe.quantization, quantized.drop_db):
            return quantized
        result = self._train_in_worker(observe, _run_int8_training, job, self.data, result)
        trained = self.complete(job, result)
        better = max(trained, quantized, key=lambda evaluated: evaluated.quality.psnr_db)
        return replace(better, stages=trained.stages.after(quantized.stages))

    def _train_in_worker(
        self,
        observe: Callable[[Progress], None],
        train: Callable[P, TrainingResult],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> TrainingResult:
        """Returns the result of ``train`` in the worker, which is stopped if training stalls."""
        watch = StallWatch(judging_steps(self.recipe, self.data.validation))
        started = time.monotonic()

        def record(progress: Progress) -> None:
            watch.observe(progress, time.monotonic() - started)
            observe(progress)

        return self.worker.follow(record, watch.patience, train, *args, **kwargs)

    def complete(self, job: TrainingJob, result: TrainingResult) -> EvaluatedCandidate:
        """Converts a trained network to its integer-only file, and measures its quality."""
        started = time.monotonic()
        tflite = self.convert(job.candidate.deployed, result.int8)
        converted_at = time.monotonic()
        quality = evaluate(self.upscaler(tflite), self.data.validation)
        _require_parity(quality, result)
        stages = StageSeconds(
            training=result.seconds.total,
            gradient=result.seconds.gradient,
            conversion=converted_at - started,
            quality=time.monotonic() - converted_at,
        )
        return EvaluatedCandidate(tflite, result, quality, stages)

    def convert(self, graph: Graph, weights: Weights) -> bytes:
        """Returns the integer-only TFLite file of ``graph`` with ``weights``."""
        return self.worker.call(
            CONVERSION_TIMEOUT_SECONDS, _convert, graph, weights, self.input, self.granularity
        )

    def upscaler(self, tflite: bytes) -> Callable[[Pixels], Pixels]:
        """Returns the INT8 file as a function that upscales images of any size."""
        return TfliteUpscaler(tflite, self.worker, self.threads).upscale


def _calls_for_int8_training(quantization: Quantization, drop_db: float) -> bool:
    match quantization:
        case Quantization.QAT:
            return True
        case Quantization.PTQ:
            return False
    return drop_db > MAX_DROP_DB


def _require_parity(quality: Quality, result: TrainingResult) -> None:
    """Raises CandidateError unless the file computes what the fake-quantized network does."""
    expected_db = fmean(result.rounded_psnr_db)
    count = len(result.rounded_psnr_db)
    file_db, float_db = (
        Quality(part.images[:count]).psnr_db for part in (quality, result.float_quality)
    )
    allowed_db = MAX_PARITY_GAP_DB + abs(float_db - expected_db)
    if abs(file_db - expected_db) > allowed_db:
        raise CandidateError(
            f"parity: the TFLite file gives {file_db:.3f} dB and the fake-quantized "
            f"network {expected_db:.3f} dB; they may differ by {allowed_db:.3f} dB"
        )


def untrained_tflite(
    worker: Worker, graph: Graph, spec: InputSpec, granularity: WeightGranularity
) -> bytes:
    """Returns the TFLite file of ``graph`` with surrogate weights, as slow as trained ones."""
    return worker.call(CONVERSION_TIMEOUT_SECONDS, _convert_untrained, graph, spec, granularity)


def untrained_request(
    worker: Worker, graph: Graph, spec: InputSpec, granularity: WeightGranularity, name: str = ""
) -> LatencyRequest:
    """Returns a latency request for ``graph``; its file is made only if the source reads it."""
    make_tflite = partial(untrained_tflite, worker, graph, spec, granularity)
    return LatencyRequest.of_graph(graph, spec, make_tflite, name)


def candidate_seed(study_seed: int, candidate_hash: str) -> int:
    """Returns the seed of a candidate's training: the same on every retry and in every worker."""
    digest = hashlib.sha256(f"{study_seed}/{candidate_hash}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _import_tensorflow() -> None:
    importlib.import_module("nas.training.training_run")
    importlib.import_module("nas.quantization.conversion")


def _run_training(job: TrainingJob, data: Data) -> TrainingResult:
    from ..training.training_run import run_reporting, run_training

    return run_reporting(partial(run_training, job, data))


def _run_int8_training(job: TrainingJob, data: Data, before: TrainingResult) -> TrainingResult:
    from ..training.training_run import run_int8_training, run_reporting

    return run_reporting(partial(run_int8_training, job, data, before))


def _convert(
    graph: Graph, weights: Weights, spec: InputSpec, granularity: WeightGranularity
) -> bytes:
    from latency_models.tflite.checks import require_integer_only
    from latency_models.tflite.file import read_tflite

    from ..quantization.conversion import convert

    tflite = convert(graph, weights, spec, granularity)
    require_integer_only(read_tflite(tflite))
    return tflite


def _convert_untrained(graph: Graph, spec: InputSpec, granularity: WeightGranularity) -> bytes:
    from ..quantization.surrogate_weights import surrogate_weights

    return _convert(graph, surrogate_weights(graph), spec, granularity)
