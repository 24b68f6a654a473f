"""The way of one candidate: graph -> latency, graph -> trained weights -> INT8 file -> quality."""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING

from latency_models import Latency, LatencyRequest, LatencySource, WeightGranularity, Worker
from search_spaces import Candidate, CandidateError, Graph, InputSpec

from .images.data import Data, ImageSet, Pixels
from .images.quality import Quality, evaluate
from .networks.inference import TfliteUpscaler
from .networks.lesson import Lesson, Progress, Taught, Trained, Weights
from .networks.recipe import Recipe
from .networks.stalling import StallWatch, judging_steps

if TYPE_CHECKING:
    from .networks.training import Trainer

#: Longest that the converter may take; the largest network of the spaces takes some seconds.
CONVERSION_TIMEOUT_SECONDS = 300.0
#: The integer file and the network it was made from may differ by rounding only.
MAX_PARITY_GAP_DB = 0.02


#: What workers of a laboratory need, for ``import_for_workers``.
IMPORTS_OF_WORKERS = "nas.networks.tensorflow_import"


@dataclass(frozen=True)
class Stages:
    """Seconds that each part of a candidate's way took; ``gradient`` is part of ``training``."""

    training: float
    gradient: float
    conversion: float
    quality: float


@dataclass(frozen=True)
class Developed:
    """A trained candidate: its integer-only file, the weights, and how good they are."""

    tflite: bytes = field(repr=False)
    trained: Trained = field(repr=False)
    #: of the integer file, and of the floating-point twin
    quality: Quality
    float_quality: Quality
    stages: Stages

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

    def develop(
        self,
        candidate: Candidate,
        seed: int,
        observe: Callable[[Progress], None],
        begin: Callable[[Trainer], None] = lambda trainer: None,
    ) -> Developed:
        """Trains, converts and judges ``candidate``; CandidateError says where it failed.

        ``begin`` sees the trainer before its first step, to resume it from a checkpoint.
        """
        from .networks.teaching import teach

        lesson = self._lesson(candidate, seed)
        return self._completed(candidate, teach(lesson, self.data, observe, begin))

    def develop_apart(
        self, candidate: Candidate, seed: int, observe: Callable[[Progress], None]
    ) -> Developed:
        """The same with the training in the worker; ``observe`` hears of it now and then.

        WorkerError also if it makes no step for much longer than its steps take.
        """
        lesson = self._lesson(candidate, seed)
        watch = StallWatch(judging_steps(self.recipe, self.data.validation))
        started = time.monotonic()

        def hear(progress: Progress) -> None:
            watch.hear(progress, time.monotonic() - started)
            observe(progress)

        taught = self.worker.follow(hear, watch.patience, _teach_apart, lesson, self.data)
        return self._completed(candidate, taught)

    def _lesson(self, candidate: Candidate, seed: int) -> Lesson:
        return Lesson(candidate, self.recipe, self.granularity, seed, self.input)

    def _completed(self, candidate: Candidate, taught: Taught) -> Developed:
        started = time.monotonic()
        tflite = self.convert(candidate.deployed, taught.trained.int8)
        converted_at = time.monotonic()
        quality = evaluate(self.upscaler(tflite), self.data.validation)
        _require_parity(quality, taught.rounded_psnr_db)
        stages = Stages(
            training=taught.training_seconds,
            gradient=taught.trained.gradient_seconds,
            conversion=converted_at - started,
            quality=taught.judging_seconds + time.monotonic() - converted_at,
        )
        return Developed(tflite, taught.trained, quality, taught.float_quality, stages)

    def convert(self, graph: Graph, weights: Weights) -> bytes:
        """The integer-only TFLite file of ``graph`` with the values of ``weights``."""
        return self.worker.call(
            CONVERSION_TIMEOUT_SECONDS, _convert, graph, weights, self.input, self.granularity
        )

    def upscaler(self, tflite: bytes) -> Callable[[Pixels], Pixels]:
        """The INT8 file as a function of an image of any size."""
        return TfliteUpscaler(tflite, self.worker, self.threads).upscale

    def quality_of_network(self, graph: Graph, weights: Weights, images: ImageSet) -> Quality:
        """Quality of the network in floating point, by the same tiles as the file."""
        from .networks.interpretation import Mode
        from .networks.teaching import quality_of_network

        return quality_of_network(graph, weights, Mode(quantise=False), self.input, images)


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
    worker: Worker, graph: Graph, spec: InputSpec, granularity: WeightGranularity
) -> LatencyRequest:
    """What a source is asked about ``graph``; the file is made only if the source reads it."""
    make_tflite = partial(untrained_tflite, worker, graph, spec, granularity)
    return LatencyRequest.of_graph(graph, spec, make_tflite)


def candidate_seed(study_seed: int, candidate_hash: str) -> int:
    """A candidate's own seed: a retry repeats itself, whoever runs it and when."""
    digest = hashlib.sha256(f"{study_seed}/{candidate_hash}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _import_tensorflow() -> None:
    importlib.import_module("nas.networks.teaching")
    importlib.import_module("nas.networks.conversion")


def _teach_apart(lesson: Lesson, data: Data) -> Taught:
    from .networks.teaching import teach_apart

    return teach_apart(lesson, data)


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
