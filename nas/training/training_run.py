"""Trains a candidate, quantizes it, and measures the quality of its floating-point network.

These steps need TensorFlow. They run in the calling process or in a worker process; there, a crash
in native code fails only that candidate.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from latency_models.worker import send
from search_spaces import CandidateError, Graph, InputSpec, tiling_of

from ..data.images import Data, ImageSet
from ..data.pixels import Pixels
from ..quality.image_quality import Quality, evaluate
from ..quality.similarity import psnr_db
from ..quality.tiles import cropped_tile, upscale_tiled
from ..quantization.calibration import calibration_crops, quantize_afterwards
from .interpretation import Mode
from .job import (
    DivergedError,
    Phase,
    Progress,
    TrainingJob,
    TrainingResult,
    TrainingSeconds,
    Weights,
)
from .network import image_function
from .tensorflow_quietly import tf
from .trainer import Trainer

#: Number of images on which the INT8 file is compared with the network; two reveal a mismatch.
_PARITY_IMAGES = 2
#: Factors of the recipe's kernel rate, tried in turn until training does not diverge. 1 is best for
#: nearly all networks; a few die with it, such as wide ones with a narrow bottleneck (other-05 of
#: studies/proxy_fidelity).
_RATE_FACTORS = (1.0, 0.5, 0.25, 0.125)
#: Least time between two progress messages from a worker process.
_MESSAGE_INTERVAL_SECONDS = 0.5
Observe = Callable[[Progress], None]


def run_training(job: TrainingJob, data: Data, observe: Observe) -> TrainingResult:
    """Trains in floating point, quantizes, and measures quality.

    A training that diverges is restarted with smaller steps. ``observe`` is called after every
    step. Raises CandidateError with the reason if training fails.
    """
    started = time.monotonic()
    float32, gradient_seconds = _train_float(job, data.training, observe)
    int8 = quantized_weights(job, float32, data.training)
    seconds = TrainingSeconds(time.monotonic() - started, gradient_seconds)
    return training_result(job, data, float32, int8, seconds)


def _train_float(job: TrainingJob, images: ImageSet, observe: Observe) -> tuple[Weights, float]:
    """Returns the floating-point weights, and the seconds of all gradient steps of all attempts."""
    seconds = TrainingSeconds()
    for factor in _RATE_FACTORS:
        recipe = replace(job.recipe, kernel_rate=factor * job.recipe.kernel_rate)
        trainer = Trainer(replace(job, recipe=recipe), images, observe=observe, seconds=seconds)
        try:
            return trainer.run(), trainer.seconds.gradient
        except DivergedError as error:
            seconds, last_error = trainer.seconds, error
    raise last_error


def run_int8_training(
    job: TrainingJob, data: Data, before: TrainingResult, observe: Observe
) -> TrainingResult:
    """Continues a training with INT8 rounding, from the floating-point network of ``before``."""
    started = time.monotonic()
    finished = {Phase.FLOAT: before.float32}
    trainer = Trainer(job, data.training, Phase.INT8, finished, observe)
    int8 = trainer.run()
    return replace(
        before,
        int8=int8,
        int8_trained=True,
        rounded_psnr_db=_rounded_psnr_db(job, int8, data.validation),
        seconds=before.seconds
        + TrainingSeconds(time.monotonic() - started, trainer.seconds.gradient),
    )


def quantized_weights(job: TrainingJob, float32: Weights, images: ImageSet) -> Weights:
    """Returns the deployed network's weights after post-training quantization.

    The INT8 ranges are calibrated on crops of ``images`` that were not used for training.
    """
    crops = calibration_crops(images, job.recipe, job.seed)
    return quantize_afterwards(job.candidate.deployed, float32, job.granularity, crops)


def training_result(
    job: TrainingJob,
    data: Data,
    float32: Weights,
    int8: Weights,
    seconds: TrainingSeconds,
    *,
    int8_trained: bool = False,
) -> TrainingResult:
    """Returns the result of a training, measuring the quality of its networks."""
    return TrainingResult(
        float32=float32,
        int8=int8,
        int8_trained=int8_trained,
        float_quality=float_quality(job, float32, data.validation),
        rounded_psnr_db=_rounded_psnr_db(job, int8, data.validation),
        seconds=seconds,
    )


def run_reporting(run: Callable[[Observe], TrainingResult]) -> TrainingResult:
    """Calls ``run`` in a worker process, and periodically sends its Progress to the parent."""
    sent_at = 0.0

    def observe(progress: Progress) -> None:
        nonlocal sent_at
        now = time.monotonic()
        if progress.step == progress.steps or now - sent_at > _MESSAGE_INTERVAL_SECONDS:
            sent_at = now
            send(progress)

    try:
        return run(observe)
    except tf.errors.OpError as error:  # the parent process could not unpickle it
        raise CandidateError(f"training: {error.message}") from None


def float_quality(job: TrainingJob, float32: Weights, images: ImageSet) -> Quality:
    """Returns the quality of the deployed floating-point network, in the same tiles as its file."""
    graph = job.candidate.deployed
    return evaluate(network_upscaler(graph, float32, Mode(quantize=False), job.tile), images)


def _rounded_psnr_db(job: TrainingJob, int8: Weights, images: ImageSet) -> tuple[float, ...]:
    """Returns the PSNR of the fake-quantized network on each of the first ``images``."""
    mode = Mode(quantize=True, granularity=job.granularity)
    upscale = network_upscaler(job.candidate.deployed, int8, mode, job.tile)
    return tuple(
        psnr_db(upscale(pair.lr), pair.hr, images.scale) for pair in images.pairs[:_PARITY_IMAGES]
    )


def network_upscaler(
    graph: Graph, weights: Weights, mode: Mode, tile: InputSpec
) -> Callable[[Pixels], Pixels]:
    """Returns the network as a function of images of any size, in the same tiles as its file."""
    run = image_function(graph, weights, mode)
    tiling = tiling_of(graph, tile)
    return lambda lr: upscale_tiled(lr, cropped_tile(lr, tile, tiling), tiling, graph.scale, run)
