"""Evaluates a candidate: graph -> latency; graph -> trained weights -> INT8 file -> quality."""

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

#: Longest that the converter may take; the largest network of the spaces takes some seconds.
CONVERSION_TIMEOUT_SECONDS = 300.0
#: Networks that were timed for a choice whose times are kept: the next choices have some of them
#: again, and others that differ in training alone.
_MOST_AHEAD = 64
#: The integer file and the network it was made from may differ by rounding only: by this, and by
#: what rounding costs the network. A kernel of the runtime rounds a few values to the neighboring
#: level; in a network that enlarges such errors they matter as much as rounding itself does.
MAX_PARITY_GAP_DB = 0.02
#: More than this, and quantizing after training will not do.
MOST_DROP_DB = 0.05


#: What an evaluator's workers need, for ``import_for_workers``.
IMPORTS_OF_WORKERS = "nas.training.tensorflow_import"


@dataclass(frozen=True)
class StageSeconds:
    """Seconds of each stage of a candidate's evaluation; ``gradient`` is part of ``training``."""

    training: float
    gradient: float
    conversion: float
    quality: float

    @property
    def total(self) -> float:
        """Of all stages."""
        return self.training + self.conversion + self.quality

    def after(self, before: StageSeconds) -> StageSeconds:
        """Of both evaluations: this one's training continued the other's and includes its time."""
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
    #: of the integer file
    quality: Quality
    stages: StageSeconds

    @property
    def float_quality(self) -> Quality:
        """Of the network in floating point."""
        return self.training.float_quality

    @property
    def means(self) -> ModelQuality:
        """Of both, as they are written down."""
        return ModelQuality.of(self.quality, self.float_quality)

    @property
    def drop_db(self) -> float:
        """PSNR lost by INT8, in dB; negative if INT8 gained."""
        return self.means.drop_db


@dataclass(frozen=True)
class CandidateEvaluator:
    """Evaluates the candidates of one study, in a worker process. Used from one thread."""

    source: LatencySource
    worker: Worker
    data: Data
    recipe: Recipe
    input: InputSpec
    granularity: WeightGranularity
    threads: int
    #: by the graph's hash, of networks that somebody chooses among
    ahead: dict[str, Latency] = field(default_factory=dict, repr=False, compare=False)

    def start(self) -> None:
        """Starts the worker and its imports ahead of the first request."""
        self.worker.begin(_import_tensorflow)

    def renew(self) -> None:
        """Replaces the worker, whose memory grows with every network that it compiled."""
        self.worker.close()
        self.start()

    def latency(self, graph: Graph) -> Latency:
        """Time of the deployed ``graph`` on the study's device, before any training.

        What was asked ``latency_ahead`` is not timed again.
        """
        known = self.ahead.get(graph.hash)
        return self.fresh_latency(graph) if known is None else known

    def latency_ahead(self, graph: Graph) -> Latency:
        """As ``latency``, for one of several networks of which one is going to be trained."""
        if graph.hash not in self.ahead:
            self.ahead[graph.hash] = self.fresh_latency(graph)
            if len(self.ahead) > _MOST_AHEAD:
                del self.ahead[next(iter(self.ahead))]  # the oldest
        return self.ahead[graph.hash]

    def fresh_latency(self, graph: Graph) -> Latency:
        """As ``latency``, never from memory."""
        request = untrained_request(self.worker, graph, self.input, self.granularity)
        return self.source.measure(request)

    def latency_of_file(self, graph: Graph, tflite: bytes) -> Latency:
        """As ``latency``, of the trained file."""
        return self.source.measure(LatencyRequest.of_graph(graph, self.input, lambda: tflite))

    def job(self, candidate: Candidate, seed: int) -> TrainingJob:
        """The training of ``candidate`` in this study."""
        return TrainingJob(candidate, self.recipe, self.granularity, seed, self.input)

    def evaluate(
        self, candidate: Candidate, seed: int, observe: Callable[[Progress], None]
    ) -> EvaluatedCandidate:
        """Trains in the worker, converts and judges; CandidateError says where it failed.

        WorkerError also if a training makes no step for much longer than its steps take.
        The network is quantized after its training. Where that costs too much, or the recipe asks
        for it, it is trained further with INT8 rounding, and the better file is kept.
        ``observe`` hears of the training now and then.
        """
        job = self.job(candidate, seed)
        result = self._follow(observe, _run_training, job, self.data)
        afterwards = self.complete(job, result)
        if not _calls_for_int8_training(self.recipe.quantization, afterwards.drop_db):
            return afterwards
        result = self._follow(observe, _run_int8_training, job, self.data, result)
        trained = self.complete(job, result)
        better = max(trained, afterwards, key=lambda evaluated: evaluated.quality.psnr_db)
        return replace(better, stages=trained.stages.after(afterwards.stages))

    def _follow(
        self,
        observe: Callable[[Progress], None],
        train: Callable[P, TrainingResult],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> TrainingResult:
        """Result of ``train`` in the worker, which is stopped if it makes no more steps."""
        watch = StallWatch(judging_steps(self.recipe, self.data.validation))
        started = time.monotonic()

        def note(progress: Progress) -> None:
            watch.observe(progress, time.monotonic() - started)
            observe(progress)

        return self.worker.follow(note, watch.patience, train, *args, **kwargs)

    def complete(self, job: TrainingJob, result: TrainingResult) -> EvaluatedCandidate:
        """Converts a trained network to its integer-only file, and judges that."""
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
        """The integer-only TFLite file of ``graph`` with the values of ``weights``."""
        return self.worker.call(
            CONVERSION_TIMEOUT_SECONDS, _convert, graph, weights, self.input, self.granularity
        )

    def upscaler(self, tflite: bytes) -> Callable[[Pixels], Pixels]:
        """The INT8 file as a function of images of any size."""
        return TfliteUpscaler(tflite, self.worker, self.threads).upscale


def _calls_for_int8_training(quantization: Quantization, drop_db: float) -> bool:
    match quantization:
        case Quantization.QAT:
            return True
        case Quantization.PTQ:
            return False
    return drop_db > MOST_DROP_DB


def _require_parity(quality: Quality, result: TrainingResult) -> None:
    """CandidateError unless the file computes what the fake-quantized network does."""
    expected_db = fmean(result.rounded_psnr_db)
    few = len(result.rounded_psnr_db)
    given_db, float_db = (
        Quality(judged.images[:few]).psnr_db for judged in (quality, result.float_quality)
    )
    allowed_db = MAX_PARITY_GAP_DB + abs(float_db - expected_db)
    if abs(given_db - expected_db) > allowed_db:
        raise CandidateError(
            f"parity: the TFLite file gives {given_db:.3f} dB and the fake-quantized "
            f"network {expected_db:.3f} dB; they may differ by {allowed_db:.3f} dB"
        )


def untrained_tflite(
    worker: Worker, graph: Graph, spec: InputSpec, granularity: WeightGranularity
) -> bytes:
    """The TFLite file of ``graph`` with surrogate weights, which take as long as trained ones."""
    return worker.call(CONVERSION_TIMEOUT_SECONDS, _convert_untrained, graph, spec, granularity)


def untrained_request(
    worker: Worker, graph: Graph, spec: InputSpec, granularity: WeightGranularity, name: str = ""
) -> LatencyRequest:
    """A latency request for ``graph``; its file is made only if the source reads it."""
    make_tflite = partial(untrained_tflite, worker, graph, spec, granularity)
    return LatencyRequest.of_graph(graph, spec, make_tflite, name)


def candidate_seed(study_seed: int, candidate_hash: str) -> int:
    """The seed of a candidate's training: equal on every retry, in whichever worker."""
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
