"""All of a candidate's way that needs TensorFlow: training, and how good the network itself is.

It runs where it is called, or apart, in a worker process: a crash in native code is that
candidate's failure then, and ends nothing else.
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

#: Enough to see that a file is not the network it was made from.
_PARITY_IMAGES = 2
#: Of the recipe's rate of kernels, tried in turn. The whole one is the best for nearly all;
#: a few die at it: wide ones with a narrow neck (other-05 of studies/proxy_fidelity).
_RATES = (1.0, 0.5, 0.25, 0.125)
#: Between two messages about a training that runs apart.
_SENDING_SECONDS = 0.5
Observe = Callable[[Progress], None]


def run_training(job: TrainingJob, data: Data, observe: Observe) -> TrainingResult:
    """Trains in floating point, quantizes, and judges; CandidateError says what is wrong.

    A training that diverges is begun again with smaller steps. ``observe`` is called after every
    step.
    """
    started = time.monotonic()
    float32, gradient_seconds = _trained(job, data.training, observe)
    int8 = quantized_afterwards(job, float32, data.training)
    seconds = TrainingSeconds(time.monotonic() - started, gradient_seconds)
    return judged(job, data, float32, int8, seconds)


def _trained(job: TrainingJob, images: ImageSet, observe: Observe) -> tuple[Weights, float]:
    """The floating-point network, and the seconds of all gradient steps that were made."""
    seconds = TrainingSeconds()
    for rate in _RATES:
        recipe = replace(job.recipe, kernel_rate=rate * job.recipe.kernel_rate)
        trainer = Trainer(replace(job, recipe=recipe), images, observe=observe, seconds=seconds)
        try:
            return trainer.run(), trainer.seconds.gradient
        except DivergedError as error:
            seconds, last = trainer.seconds, error
    raise last


def run_int8_training(
    job: TrainingJob, data: Data, before: TrainingResult, observe: Observe
) -> TrainingResult:
    """Continues the training ``before`` from its floating-point network with INT8 rounding."""
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


def quantized_afterwards(job: TrainingJob, float32: Weights, images: ImageSet) -> Weights:
    """The deployed network's weights on INT8 levels; ranges are of crops it was not trained on."""
    crops = calibration_crops(images, job.recipe, job.seed)
    return quantize_afterwards(job.candidate.deployed, float32, job.granularity, crops)


def judged(
    job: TrainingJob,
    data: Data,
    float32: Weights,
    int8: Weights,
    seconds: TrainingSeconds,
    *,
    int8_trained: bool = False,
) -> TrainingResult:
    """The result of a training, with the quality of its floating-point network."""
    return TrainingResult(
        float32=float32,
        int8=int8,
        int8_trained=int8_trained,
        float_quality=float_quality(job, float32, data.validation),
        rounded_psnr_db=_rounded_psnr_db(job, int8, data.validation),
        seconds=seconds,
    )


def run_reporting(run: Callable[[Observe], TrainingResult]) -> TrainingResult:
    """Calls ``run`` in a worker process, and sends its Progress from time to time."""
    sent_at = 0.0

    def observe(progress: Progress) -> None:
        nonlocal sent_at
        now = time.monotonic()
        if progress.step == progress.steps or now - sent_at > _SENDING_SECONDS:
            sent_at = now
            send(progress)

    try:
        return run(observe)
    except tf.errors.OpError as error:  # no other process could read it
        raise CandidateError(f"training: {error.message}") from None


def float_quality(job: TrainingJob, float32: Weights, images: ImageSet) -> Quality:
    """Quality of the deployed network in floating point, by the same tiles as its file."""
    graph = job.candidate.deployed
    return evaluate(network_upscaler(graph, float32, Mode(quantize=False), job.tile), images)


def _rounded_psnr_db(job: TrainingJob, int8: Weights, images: ImageSet) -> tuple[float, ...]:
    """PSNR of the fake-quantized network on the first of ``images``."""
    mode = Mode(quantize=True, granularity=job.granularity)
    upscale = network_upscaler(job.candidate.deployed, int8, mode, job.tile)
    return tuple(
        psnr_db(upscale(pair.lr), pair.hr, images.scale) for pair in images.pairs[:_PARITY_IMAGES]
    )


def network_upscaler(
    graph: Graph, weights: Weights, mode: Mode, tile: InputSpec
) -> Callable[[Pixels], Pixels]:
    """The network as a function of an image of any size, by the same tiles as its file."""
    run = image_function(graph, weights, mode)
    tiling = tiling_of(graph, tile)
    return lambda lr: upscale_tiled(lr, cropped_tile(lr, tile, tiling), tiling, graph.scale, run)
