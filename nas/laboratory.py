"""The way of one candidate: graph -> latency, graph -> trained weights -> INT8 file -> quality."""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean
from typing import ParamSpec

from latency_models import Latency, LatencyRequest, LatencySource, WeightGranularity, Worker
from search_spaces import Candidate, CandidateError, Graph, InputSpec

from .choices import Quantization
from .images.data import Data, Pixels
from .images.quality import Quality, evaluate
from .networks.inference import TfliteUpscaler
from .networks.job import Progress, TrainingJob, TrainingResult, Weights
from .networks.recipe import Recipe
from .networks.stalling import StallWatch, judging_steps

P = ParamSpec("P")

#: Longest that the converter may take; the largest network of the spaces takes some seconds.
CONVERSION_TIMEOUT_SECONDS = 300.0
#: The integer file and the network it was made from may differ by rounding only.
MAX_PARITY_GAP_DB = 0.02
#: More than this, and quantizing after training will not do.
MOST_DROP_DB = 0.05


#: What workers of a laboratory need, for ``import_for_workers``.
IMPORTS_OF_WORKERS = "nas.networks.tensorflow_import"


@dataclass(frozen=True)
class Stages:
    """Seconds that each part of a candidate's way took; ``gradient`` is part of ``training``."""

    training: float
    gradient: float
    conversion: float
    quality: float

    def after(self, before: Stages) -> Stages:
        """With what was converted and judged before; a training's seconds are all of its own."""
        return replace(
            self,
            conversion=before.conversion + self.conversion,
            quality=before.quality + self.quality,
        )


@dataclass(frozen=True)
class Developed:
    """A trained candidate: its integer-only file, the weights, and how good they are."""

    tflite: bytes = field(repr=False)
    training: TrainingResult = field(repr=False)
    #: of the integer file
    quality: Quality
    stages: Stages

    @property
    def float_quality(self) -> Quality:
        """Of the network in floating point."""
        return self.training.float_quality

    @property
    def drop_db(self) -> float:
        """What INT8 cost, positive for a loss."""
        return self.float_quality.psnr_db - self.quality.psnr_db


@dataclass(frozen=True)
class Laboratory:
    """All that candidates of one study share. Used from one thread."""

    source: LatencySource
    worker: Worker
    data: Data
    recipe: Recipe
    input: InputSpec
    granularity: WeightGranularity
    threads: int

    def start(self) -> None:
        """Has the worker begin, and import all that it needs, before it is asked for anything."""
        self.worker.begin(_import_tensorflow)

    def renew(self) -> None:
        """A fresh worker in place of one that holds what it compiled for every network so far."""
        self.worker.close()
        self.start()

    def latency(self, graph: Graph) -> Latency:
        """Time of the deployed ``graph`` on the study's device, before any training."""
        request = untrained_request(self.worker, graph, self.input, self.granularity)
        return self.source.measure(request)

    def latency_of_file(self, graph: Graph, tflite: bytes) -> Latency:
        """The same of its trained file."""
        return self.source.measure(LatencyRequest.of_graph(graph, self.input, lambda: tflite))

    def job(self, candidate: Candidate, seed: int) -> TrainingJob:
        """The training of ``candidate`` in this study."""
        return TrainingJob(candidate, self.recipe, self.granularity, seed, self.input)

    def develop(
        self, candidate: Candidate, seed: int, observe: Callable[[Progress], None]
    ) -> Developed:
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
        better = max(trained, afterwards, key=lambda developed: developed.quality.psnr_db)
        return replace(better, stages=trained.stages.after(afterwards.stages))

    def _follow(
        self,
        observe: Callable[[Progress], None],
        train: Callable[P, TrainingResult],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> TrainingResult:
        """What ``train`` gives in the worker, as long as it goes on making steps."""
        watch = StallWatch(judging_steps(self.recipe, self.data.validation))
        started = time.monotonic()

        def hear(progress: Progress) -> None:
            watch.hear(progress, time.monotonic() - started)
            observe(progress)

        return self.worker.follow(hear, watch.patience, train, *args, **kwargs)

    def complete(self, job: TrainingJob, result: TrainingResult) -> Developed:
        """The integer-only file of a trained network, and how good it is."""
        started = time.monotonic()
        tflite = self.convert(job.candidate.deployed, result.int8)
        converted_at = time.monotonic()
        quality = evaluate(self.upscaler(tflite), self.data.validation)
        _require_parity(quality, result.rounded_psnr_db)
        stages = Stages(
            training=result.seconds.total,
            gradient=result.seconds.gradient,
            conversion=converted_at - started,
            quality=time.monotonic() - converted_at,
        )
        return Developed(tflite, result, quality, stages)

    def convert(self, graph: Graph, weights: Weights) -> bytes:
        """The integer-only TFLite file of ``graph`` with the values of ``weights``."""
        return self.worker.call(
            CONVERSION_TIMEOUT_SECONDS, _convert, graph, weights, self.input, self.granularity
        )

    def upscaler(self, tflite: bytes) -> Callable[[Pixels], Pixels]:
        """The INT8 file as a function of an image of any size."""
        return TfliteUpscaler(tflite, self.worker, self.threads).upscale


def _calls_for_int8_training(quantization: Quantization, drop_db: float) -> bool:
    match quantization:
        case Quantization.QAT:
            return True
        case Quantization.PTQ:
            return False
    return drop_db > MOST_DROP_DB


def _require_parity(quality: Quality, network_psnr_db: Sequence[float]) -> None:
    """The file must be the network that was trained, rounding included."""
    given_db = Quality(quality.images[: len(network_psnr_db)]).psnr_db
    expected_db = fmean(network_psnr_db)
    if abs(given_db - expected_db) > MAX_PARITY_GAP_DB:
        raise CandidateError(
            f"parity: the TFLite file gives {given_db:.3f} dB and the fake-quantised "
            f"network {expected_db:.3f} dB; they may differ by {MAX_PARITY_GAP_DB} dB"
        )


def untrained_tflite(
    worker: Worker, graph: Graph, spec: InputSpec, granularity: WeightGranularity
) -> bytes:
    """The file of ``graph`` with weights that stand in for trained ones: as fast as theirs."""
    return worker.call(CONVERSION_TIMEOUT_SECONDS, _convert_untrained, graph, spec, granularity)


def untrained_request(
    worker: Worker, graph: Graph, spec: InputSpec, granularity: WeightGranularity, name: str = ""
) -> LatencyRequest:
    """What a source is asked about ``graph``; the file is made only if the source reads it."""
    make_tflite = partial(untrained_tflite, worker, graph, spec, granularity)
    return LatencyRequest.of_graph(graph, spec, make_tflite, name)


def candidate_seed(study_seed: int, candidate_hash: str) -> int:
    """A candidate's own seed: a retry repeats itself, whoever runs it and when."""
    digest = hashlib.sha256(f"{study_seed}/{candidate_hash}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _import_tensorflow() -> None:
    importlib.import_module("nas.networks.training_run")
    importlib.import_module("nas.networks.conversion")


def _run_training(job: TrainingJob, data: Data) -> TrainingResult:
    from .networks.training_run import run_training, told

    return told(partial(run_training, job, data))


def _run_int8_training(job: TrainingJob, data: Data, before: TrainingResult) -> TrainingResult:
    from .networks.training_run import run_int8_training, told

    return told(partial(run_int8_training, job, data, before))


def _convert(
    graph: Graph, weights: Weights, spec: InputSpec, granularity: WeightGranularity
) -> bytes:
    from latency_models.tflite_checks import require_integer_only
    from latency_models.tflite_file import read_tflite

    from .networks.conversion import convert

    tflite = convert(graph, weights, spec, granularity)
    require_integer_only(read_tflite(tflite))
    return tflite


def _convert_untrained(graph: Graph, spec: InputSpec, granularity: WeightGranularity) -> bytes:
    from .networks.stand_in import stand_in

    return _convert(graph, stand_in(graph), spec, granularity)
