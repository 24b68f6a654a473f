"""The way of one candidate: graph -> latency, graph -> trained weights -> INT8 file -> quality."""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from latency_models import Latency, LatencyRequest, LatencySource, WeightGranularity, Worker
from search_spaces import Candidate, CandidateError, Graph, InputSpec, halo, lower

from .images.data import Data, ImageSet, Pixels
from .images.quality import Quality, evaluate
from .images.tiles import upscale_tiled
from .networks.inference import TfliteUpscaler
from .networks.recipe import Recipe

if TYPE_CHECKING:
    from .networks.interpretation import Mode
    from .networks.network import Weights
    from .networks.training import Progress, Trained, Trainer

#: Longest that the converter may take; the largest network of the spaces takes some seconds.
CONVERSION_TIMEOUT_SECONDS = 300.0
#: The integer file and the network it was made from may differ by rounding only.
MAX_PARITY_GAP_DB = 0.02
_PARITY_IMAGES = 2


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
        """Imports TensorFlow, here and in the worker: once each, not within the first trial."""
        self.worker.begin(_import_converter)  # beside this process, which imports as much
        importlib.import_module("nas.networks.training")
        self.worker.call(CONVERSION_TIMEOUT_SECONDS, _import_converter)

    def latency(self, graph: Graph) -> Latency:
        """Time of the deployed ``graph`` on the study's device, before any training."""
        request = untrained_request(self.worker, graph, self.input, self.granularity)
        return self.source.measure(request)

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
        from .networks.training import Trainer

        started = time.monotonic()
        trainer = Trainer(
            candidate, self.data.training, self.recipe, self.granularity, seed, observe
        )
        graph = candidate.deployed
        begin(trainer)
        trained = trainer.run()
        trained_at = time.monotonic()
        tflite = self.convert(graph, trained.int8)
        converted_at = time.monotonic()
        quality = evaluate(self.upscaler(tflite), self.data.validation)
        self._require_parity(graph, trained.int8, quality)
        float_quality = self.quality_of_network(graph, trained.float32, self.data.validation)
        stages = Stages(
            training=trained_at - started,
            gradient=trained.gradient_seconds,
            conversion=converted_at - trained_at,
            quality=time.monotonic() - converted_at,
        )
        return Developed(tflite, trained, quality, float_quality, stages)

    def convert(self, graph: Graph, weights: Weights) -> bytes:
        """The integer-only TFLite file of ``graph`` with the values of ``weights``."""
        return self.worker.call(
            CONVERSION_TIMEOUT_SECONDS, _convert, graph, weights, self.input, self.granularity
        )

    def upscaler(self, tflite: bytes) -> Callable[[Pixels], Pixels]:
        """The INT8 file as a function of an image of any size."""
        return TfliteUpscaler(tflite, self.worker, self.threads).upscale

    def quality_of_network(self, graph: Graph, weights: Weights, images: ImageSet) -> Quality:
        """Quality of the network in floating point, on the same tiles as the file."""
        from .networks.interpretation import Mode

        return evaluate(self.network_upscaler(graph, weights, Mode(quantise=False)), images)

    def _require_parity(self, graph: Graph, weights: Weights, quality: Quality) -> None:
        """The file must be the network that was trained, rounding included."""
        from .networks.interpretation import Mode

        validation = self.data.validation
        images = ImageSet(validation.scale, validation.pairs[:_PARITY_IMAGES])
        mode = Mode(quantise=True, granularity=self.granularity)
        expected = evaluate(self.network_upscaler(graph, weights, mode), images)
        given = Quality(quality.images[: len(images.pairs)])
        gap = abs(given.psnr_db - expected.psnr_db)
        if gap > MAX_PARITY_GAP_DB:
            raise CandidateError(
                f"parity: the TFLite file gives {given.psnr_db:.3f} dB and the fake-quantised "
                f"network {expected.psnr_db:.3f} dB; they may differ by {MAX_PARITY_GAP_DB} dB"
            )

    def network_upscaler(
        self, graph: Graph, weights: Weights, mode: Mode
    ) -> Callable[[Pixels], Pixels]:
        """The network as a function of an image of any size, on the same tiles as the file."""
        from .networks.network import image_function

        run = image_function(graph, weights, mode)
        reach = halo(lower(graph, self.input))
        return lambda lr: upscale_tiled(
            lr, self._tile_for(lr, reach, graph.multiple), reach, graph.scale, graph.multiple, run
        )

    def _tile_for(self, lr: Pixels, reach: int | None, multiple: int) -> InputSpec:
        """The file's tile less the padding that no pixel of a small image can see."""
        if reach is None:
            return self.input
        height, width = (-(-(side + reach) // multiple) * multiple for side in lr.shape[:2])
        return InputSpec(min(self.input.height, height), min(self.input.width, width))


def untrained_tflite(
    worker: Worker, graph: Graph, spec: InputSpec, granularity: WeightGranularity
) -> bytes:
    """The file of ``graph`` with initial weights: as fast as a trained one."""
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


def _import_converter() -> None:
    importlib.import_module("nas.networks.conversion")


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
    from .networks.network import Network

    return _convert(graph, Network(graph).snapshot(), spec, granularity)
